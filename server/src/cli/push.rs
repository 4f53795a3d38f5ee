//! `cueline push`: what was changed in a folder becomes new versions, and nothing that somebody
//! else saved meanwhile is overwritten. First everything is compared, then everything is saved.

use std::{collections::HashSet, path::PathBuf};

use clap::Args;
use domain::{content::Content, prompt::PromptName};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::{
    client::{Api, Refused, Remote, prompt},
    files::{self, PromptFile, is_same},
    pull::{self, Latest, Listed},
};

/// Prompts compared at once.
const AT_ONCE: usize = 8;

/// What to save.
#[derive(Debug, Args)]
pub struct Push {
    /// The folder that `cueline pull` wrote
    dir: PathBuf,

    /// What was changed and why, for those who read the history
    #[arg(long, short, default_value = "Pushed from files")]
    message: String,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    remote: Remote,
}

/// What is to be done for a file.
#[derive(Debug, PartialEq)]
enum Change {
    /// The server says the same.
    Nothing,
    /// The prompt and its first version.
    Create,
    /// A version on top of this one, none for a prompt without versions.
    Save { parent: Option<i32> },
    /// Other words about the prompt; its versions stay.
    Describe,
    /// Somebody saved a version since this file was pulled.
    Overtaken { latest: i32 },
}

/// What the server has.
struct Remotely {
    listed: Listed,
    latest: Option<(Content, i32)>,
}

struct Planned {
    file: PromptFile,
    content: Content,
    change: Change,
    describe: bool,
}

/// Does it.
pub async fn run(wanted: Push) -> anyhow::Result<()> {
    let api = wanted.remote.api()?;
    let mut files = Vec::new();
    let mut wrong = Vec::new();
    for file in files::read_all(&wanted.dir)? {
        match file.content() {
            Ok(content) => files.push((file, content)),
            Err(error) => wrong.push(format!("{}:\n  {error}", file.name)),
        }
    }
    if !wrong.is_empty() {
        return Err(Refused::new("invalid", nothing_was(&wrong)).into());
    }
    let planned: Vec<Planned> = stream::iter(files)
        .map(|(file, content)| plan(&api, file, content))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    refuse_overtaken(&planned)?;
    let planned = snippets_first(planned);
    let (mut n_saved, n_files) = (0, planned.len());
    for planned in planned {
        if planned.change == Change::Nothing && !planned.describe {
            continue;
        }
        n_saved += 1;
        if wanted.dry_run {
            println!("would {}", words(&planned));
        } else {
            let saved = save(&api, &planned, &wanted.message).await?;
            println!("{}", words(&planned));
            files::write(&wanted.dir, &saved)?;
        }
    }
    println!("{n_saved} of {n_files} prompts differed");
    Ok(())
}

fn nothing_was(why: &[String]) -> String {
    format!("nothing was pushed\n{}", why.join("\n"))
}

async fn plan(api: &Api, file: PromptFile, content: Content) -> anyhow::Result<Planned> {
    let there: Option<Listed> = api.find(&prompt(&file.name)).await?;
    let remotely = match there {
        None => None,
        Some(listed) => {
            let latest: Option<Latest> = pull::latest(api, &file.name).await?;
            let latest = latest
                .map(|latest| Ok::<_, anyhow::Error>((latest.written()?, latest.number)))
                .transpose()?;
            Some(Remotely { listed, latest })
        }
    };
    let change = compare(file.version, &content, remotely.as_ref());
    let describe = remotely.is_some_and(|there| {
        there.listed.description != file.description || there.listed.tags != file.tags
    });
    Ok(Planned {
        file,
        content,
        change: if change == Change::Nothing && describe {
            Change::Describe
        } else {
            change
        },
        describe,
    })
}

/// What the content asks for; `pulled` is the version the file was made from.
fn compare(pulled: Option<i32>, content: &Content, remotely: Option<&Remotely>) -> Change {
    let Some(remotely) = remotely else {
        return Change::Create;
    };
    match &remotely.latest {
        None => Change::Save { parent: None },
        // The same words are no conflict, whoever saved them.
        Some((latest, _)) if is_same(latest, content) => Change::Nothing,
        Some((_, number)) if Some(*number) == pulled => Change::Save { parent: pulled },
        Some((_, number)) => Change::Overtaken { latest: *number },
    }
}

fn refuse_overtaken(planned: &[Planned]) -> anyhow::Result<()> {
    let overtaken: Vec<String> = planned
        .iter()
        .filter_map(|planned| match planned.change {
            Change::Overtaken { latest } => Some(match planned.file.version {
                Some(version) => format!(
                    "{}: this file was pulled at version {version}, and version {latest} was \
                     saved since: pull it, then make your change again",
                    planned.file.name
                ),
                None => format!(
                    "{}: there is a prompt of this name already, at version {latest}: pull it first",
                    planned.file.name
                ),
            }),
            Change::Nothing | Change::Create | Change::Save { .. } | Change::Describe => None,
        })
        .collect();
    if overtaken.is_empty() {
        Ok(())
    } else {
        Err(Refused::new("version_conflict", nothing_was(&overtaken)).into())
    }
}

/// A prompt may include a version that this very push makes: whoever is included goes first.
fn snippets_first(mut waiting: Vec<Planned>) -> Vec<Planned> {
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let names: HashSet<String> = waiting
            .iter()
            .map(|planned| planned.file.name.to_string())
            .collect();
        let (ready, rest): (Vec<Planned>, Vec<Planned>) =
            waiting.into_iter().partition(|planned| {
                let mut includes = planned.content.includes().into_iter();
                !includes.any(|include| names.contains(&include.name))
            });
        // In a circle there is no first: the server names the circle.
        if ready.is_empty() {
            ordered.extend(rest);
            return ordered;
        }
        ordered.extend(ready);
        waiting = rest;
    }
    ordered
}

fn words(planned: &Planned) -> String {
    let name = &planned.file.name;
    match planned.change {
        Change::Create => format!("create {name}"),
        Change::Save { parent } => format!("save {name} v{}", parent.unwrap_or_default() + 1),
        Change::Describe | Change::Nothing | Change::Overtaken { .. } => {
            format!("describe {name}")
        }
    }
}

/// Saves it; answers what the file is to say now.
async fn save(api: &Api, planned: &Planned, message: &str) -> anyhow::Result<PromptFile> {
    let Planned {
        file,
        content,
        change,
        describe,
    } = planned;
    let about = json!({ "description": file.description, "tags": file.tags });
    if *change == Change::Create {
        let mut new = about.clone();
        new["name"] = json!(file.name);
        let _: Value = api
            .post("/prompts", &new)
            .await
            .map_err(named(&file.name))?;
    }
    if *describe {
        let _: Value = api
            .patch(&prompt(&file.name), &about)
            .await
            .map_err(named(&file.name))?;
    }
    let parent = match change {
        Change::Create => None,
        Change::Save { parent } => *parent,
        Change::Nothing | Change::Describe | Change::Overtaken { .. } => return Ok(file.clone()),
    };
    let version = json!({
        "content": content,
        "change_description": message,
        // 0: on top of nothing, so that a first version somebody else saved meanwhile is seen.
        "parent": parent.unwrap_or(0),
    });
    let path = format!("{}/versions", prompt(&file.name));
    let saved: Latest = api.post(&path, &version).await.map_err(named(&file.name))?;
    pull::file(&file.name, &file.description, &file.tags, &saved)
}

/// Says which prompt it was about, and keeps a refusal a refusal.
fn named(name: &PromptName) -> impl FnOnce(anyhow::Error) -> anyhow::Error {
    move |error| match error.downcast::<Refused>() {
        Ok(refused) => Refused::new(&refused.code, format!("{name}: {refused}")).into(),
        Err(error) => error.context(name.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(words: &str) -> Content {
        let json = json!({ "type": "text", "messages": [{ "role": "user", "content": words }] });
        Content::parse("content", json).unwrap()
    }

    fn remotely(latest: Option<(&str, i32)>) -> Remotely {
        let listed = json!({ "name": "a", "description": "", "tags": [] });
        Remotely {
            listed: serde_json::from_value(listed).unwrap(),
            latest: latest.map(|(words, number)| (content(words), number)),
        }
    }

    fn planned(name: &str, words: &str, change: Change) -> Planned {
        let content = content(words);
        Planned {
            file: PromptFile {
                name: PromptName::parse(name).unwrap(),
                description: String::new(),
                tags: Vec::new(),
                version: Some(3),
                content_hash: None,
                content: json!(content),
            },
            content,
            change,
            describe: false,
        }
    }

    #[test]
    fn only_what_differs_is_saved_and_nothing_newer_is_overwritten() {
        let check = |pulled, there: Option<Remotely>, expected| {
            assert_eq!(compare(pulled, &content("mine"), there.as_ref()), expected);
        };
        check(None, None, Change::Create);
        check(Some(3), None, Change::Create);
        check(None, Some(remotely(None)), Change::Save { parent: None });
        check(Some(3), Some(remotely(Some(("mine", 3)))), Change::Nothing);
        check(Some(3), Some(remotely(Some(("mine", 5)))), Change::Nothing);
        let saved = Change::Save { parent: Some(3) };
        check(Some(3), Some(remotely(Some(("theirs", 3)))), saved);
        let overtaken = || Change::Overtaken { latest: 4 };
        check(Some(3), Some(remotely(Some(("theirs", 4)))), overtaken());
        check(None, Some(remotely(Some(("theirs", 4)))), overtaken());
    }

    #[test]
    fn one_conflict_stops_all_of_it_and_is_named() {
        let fine = planned("a", "x", Change::Create);
        let overtaken = planned("b", "x", Change::Overtaken { latest: 4 });
        let refusal = refuse_overtaken(&[fine, overtaken]).unwrap_err();
        assert!(refusal.downcast_ref::<Refused>().is_some());
        let words = refusal.to_string();
        assert!(words.contains("nothing was pushed"), "{words}");
        assert!(
            words.contains("b: this file was pulled at version 3, and version 4"),
            "{words}"
        );
    }

    #[test]
    fn snippets_are_saved_before_whoever_includes_them() {
        let order = |files: &[(&str, &str)]| -> Vec<String> {
            let waiting = files
                .iter()
                .map(|(name, words)| planned(name, words, Change::Create))
                .collect();
            snippets_first(waiting)
                .iter()
                .map(|planned| planned.file.name.to_string())
                .collect()
        };
        let chain = [
            ("a", "{{> b@1}}"),
            ("b", "{{> c@2}}"),
            ("c", "x"),
            ("d", "{{> e@1}}"),
        ];
        assert_eq!(order(&chain), ["c", "d", "b", "a"]);
        let circle = [("a", "{{> b@1}}"), ("b", "{{> a@1}}"), ("c", "x")];
        assert_eq!(order(&circle), ["c", "a", "b"]);
    }
}
