//! Prompts as files, for git: `<name>.json` below a folder, one for each prompt. A name never
//! leads out of the folder, and neither does a link that somebody put there.

use std::{
    fs,
    io::ErrorKind,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use domain::{content::Content, prompt::PromptName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a prompt's file says. The content is as it was written: snippets are included by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptFile {
    /// The prompt; the same as the file's own name.
    pub name: PromptName,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The version that was pulled; none for a prompt that is new.
    #[serde(default)]
    pub version: Option<i32>,
    /// The hash of what that version serves.
    #[serde(default)]
    pub content_hash: Option<String>,
    /// What it holds.
    pub content: Value,
}

impl PromptFile {
    /// The content, checked as the server would.
    pub fn content(&self) -> anyhow::Result<Content> {
        Content::parse("content", self.content.clone()).map_err(|errors| {
            let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", words.join("\n  "))
        })
    }

    fn text(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// Whether two contents say the same, however their JSON is ordered.
pub fn is_same(one: &Content, other: &Content) -> bool {
    one.canonical_json() == other.canonical_json()
}

/// Where a prompt lies below the folder.
fn path_of(folder: &Path, name: &PromptName) -> PathBuf {
    // A name has no empty, hidden or parent folder in it, and `/` between them.
    let mut path = folder.to_path_buf();
    path.extend(name.as_str().split('/'));
    path.set_file_name(format!("{}.json", name.leaf()));
    path
}

/// The prompt that a file below the folder holds by its place.
fn name_of(below: &Path) -> anyhow::Result<PromptName> {
    let mut parts = Vec::new();
    for part in below.components() {
        let Component::Normal(part) = part else {
            bail!("{} is not a prompt's place", below.display());
        };
        parts.push(part.to_str().context("a file's name is not UTF-8")?);
    }
    let path = parts.join("/");
    let name = path
        .strip_suffix(".json")
        .context("a prompt's file ends in .json")?;
    PromptName::parse(name).with_context(|| format!("{path}: its name"))
}

/// Refuses a path on which anything below the folder is a symbolic link.
fn refuse_links(folder: &Path, path: &Path) -> anyhow::Result<()> {
    let below = path.strip_prefix(folder)?;
    let mut at = folder.to_path_buf();
    for part in below.components() {
        at.push(part);
        match fs::symlink_metadata(&at) {
            Ok(found) => ensure!(
                !found.file_type().is_symlink(),
                "{} is a link: nothing is read or written through it",
                at.display()
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(|| at.display().to_string()),
        }
    }
    Ok(())
}

/// Writes a prompt's file, unless it says the same already. Answers whether it did.
pub fn write(folder: &Path, file: &PromptFile) -> anyhow::Result<bool> {
    let path = path_of(folder, &file.name);
    let said = || path.display().to_string();
    refuse_links(folder, &path)?;
    let text = file.text()?;
    match fs::read_to_string(&path) {
        Ok(old) if old == text => return Ok(false),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(said),
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(said)?;
    }
    // Under another name first, so that an interruption leaves the old file whole.
    let unfinished = path.with_extension("json.part");
    refuse_links(folder, &unfinished)?;
    fs::write(&unfinished, text).with_context(said)?;
    fs::rename(&unfinished, &path).with_context(said)?;
    Ok(true)
}

/// Every prompt's file below the folder, by name. Hidden files and folders, such as `.git`, and
/// files of other kinds are left alone.
pub fn read_all(folder: &Path) -> anyhow::Result<Vec<PromptFile>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        let entries = fs::read_dir(&at).with_context(|| at.display().to_string())?;
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            let kind = entry.file_type()?;
            if is_hidden || kind.is_symlink() {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "json") {
                files.push(read_below(folder, &path)?);
            }
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

/// One prompt's file, wherever it lies.
pub fn read(path: &Path) -> anyhow::Result<PromptFile> {
    let said = || path.display().to_string();
    let text = fs::read_to_string(path).with_context(said)?;
    serde_json::from_str(&text).with_context(said)
}

fn read_below(folder: &Path, path: &Path) -> anyhow::Result<PromptFile> {
    let said = || path.display().to_string();
    let name = name_of(path.strip_prefix(folder)?).with_context(said)?;
    let file = read(path)?;
    ensure!(
        file.name == name,
        "{} says that it is {}, but its place says {name}",
        path.display(),
        file.name
    );
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("cueline-files-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn file(name: &str) -> PromptFile {
        PromptFile {
            name: PromptName::parse(name).unwrap(),
            description: "Sorts tickets".into(),
            tags: vec!["support".into()],
            version: Some(3),
            content_hash: Some("ab".repeat(32)),
            content: json!({ "type": "text", "messages": [{ "role": "user", "content": "Hi" }] }),
        }
    }

    #[test]
    fn a_prompt_lies_where_its_name_says() {
        let path = |name| path_of(Path::new("p"), &PromptName::parse(name).unwrap());
        assert_eq!(path("triage"), Path::new("p/triage.json"));
        assert_eq!(path("support/eu/v1.2"), Path::new("p/support/eu/v1.2.json"));
        let name = |path| name_of(Path::new(path)).map(|name| name.to_string());
        assert_eq!(name("support/eu/v1.2.json").unwrap(), "support/eu/v1.2");
        for wrong in ["../a.json", "/a.json", "a b.json", ".json", "a.txt"] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_written_once() {
        let folder = Folder::new("round");
        for name in ["b", "a/x", "a/y"] {
            assert!(write(&folder.0, &file(name)).unwrap());
            assert!(!write(&folder.0, &file(name)).unwrap(), "nothing changed");
        }
        fs::create_dir(folder.0.join(".git")).unwrap();
        fs::write(folder.0.join(".git/x.json"), "{}").unwrap();
        fs::write(folder.0.join("README.md"), "ours").unwrap();
        let read = read_all(&folder.0).unwrap();
        assert_eq!(read, [file("a/x"), file("a/y"), file("b")]);
        assert_eq!(read[0].content().unwrap().text(), Some("Hi"));
    }

    #[test]
    fn a_file_in_the_wrong_place_or_with_an_unknown_member_is_refused() {
        let folder = Folder::new("wrong");
        let text = file("a").text().unwrap();
        fs::write(folder.0.join("b.json"), &text).unwrap();
        let refusal = read_all(&folder.0).unwrap_err().to_string();
        assert!(refusal.contains("its place says b"), "{refusal}");
        fs::remove_file(folder.0.join("b.json")).unwrap();
        fs::write(folder.0.join("a.json"), text.replace("\"tags\"", "\"tag\"")).unwrap();
        assert!(read_all(&folder.0).is_err());
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let (folder, elsewhere) = (Folder::new("link"), Folder::new("elsewhere"));
        symlink(&elsewhere.0, folder.0.join("support")).unwrap();
        let refusal = write(&folder.0, &file("support/triage")).unwrap_err();
        assert!(refusal.to_string().contains("is a link"), "{refusal}");
        symlink(elsewhere.0.join("target"), folder.0.join("top.json")).unwrap();
        assert!(write(&folder.0, &file("top")).is_err());
        assert!(read_all(&folder.0).unwrap().is_empty());
        assert_eq!(fs::read_dir(&elsewhere.0).unwrap().count(), 0);
    }

    #[test]
    fn contents_are_compared_by_what_they_say() {
        let content = |json| Content::parse("content", json).unwrap();
        let one = content(
            json!({ "type": "text", "messages": [{ "role": "user", "content": "Hi" }],
                    "model": { "provider": "openai", "name": "m", "temperature": 0 } }),
        );
        let same = content(
            json!({ "model": { "temperature": 0.0, "name": "m", "provider": "openai" },
                    "messages": [{ "content": "Hi", "role": "user" }], "type": "text" }),
        );
        let other =
            content(json!({ "type": "text", "messages": [{ "role": "user", "content": "Hi" }] }));
        assert!(is_same(&one, &same));
        assert!(!is_same(&one, &other));
    }
}
