//! The folder tree beside the list: made of the folders that hold prompts, open only along
//! the chosen one, so that ten thousand prompts in a thousand folders stay a short page.

use serde::{Deserialize, Serialize};

/// A folder and how many prompts lie directly in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Without a last `/`; empty at the top.
    pub path: String,
    /// Prompts directly in it.
    pub n_prompts: i64,
}

/// One line of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The whole path.
    pub path: String,
    /// Its last part.
    pub name: String,
    /// Prompts in it and below it.
    pub n_prompts: i64,
    /// The folders directly below it, if it is open.
    pub below: Vec<Branch>,
}

/// All prompts in all folders.
pub fn total(folders: &[Folder]) -> i64 {
    folders.iter().map(|folder| folder.n_prompts).sum()
}

/// The tree, with the chosen folder, and all it lies in, open.
pub fn tree(folders: &[Folder], chosen: &str) -> Vec<Branch> {
    branches(folders, "", chosen)
}

/// The folders directly below `parent`.
fn branches(folders: &[Folder], parent: &str, chosen: &str) -> Vec<Branch> {
    let mut branches: Vec<Branch> = Vec::new();
    for folder in folders {
        let Some(rest) = below(&folder.path, parent) else {
            continue;
        };
        let name = rest.split('/').next().unwrap_or(rest);
        match branches.iter_mut().rfind(|branch| branch.name == name) {
            Some(branch) => branch.n_prompts += folder.n_prompts,
            None => branches.push(Branch {
                path: join(parent, name),
                name: name.to_owned(),
                n_prompts: folder.n_prompts,
                below: Vec::new(),
            }),
        }
    }
    for branch in &mut branches {
        if is_within(chosen, &branch.path) {
            branch.below = self::branches(folders, &branch.path, chosen);
        }
    }
    branches
}

/// What a path has beyond a folder; `None` if it does not lie below it.
fn below<'a>(path: &'a str, parent: &str) -> Option<&'a str> {
    let rest = if parent.is_empty() {
        path
    } else {
        path.strip_prefix(parent)?.strip_prefix('/')?
    };
    (!rest.is_empty()).then_some(rest)
}

fn is_within(path: &str, folder: &str) -> bool {
    path == folder || below(path, folder).is_some()
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders() -> Vec<Folder> {
        let folders = [
            ("", 2),
            ("extract", 1),
            ("support", 4),
            ("support-eu", 7),
            ("support/de", 1),
            ("support/fr/paris", 3),
        ];
        folders
            .map(|(path, n_prompts)| Folder {
                path: path.to_owned(),
                n_prompts,
            })
            .to_vec()
    }

    /// Every line with its depth, as `··name count`.
    fn drawn(branches: &[Branch], depth: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for branch in branches {
            lines.push(format!(
                "{}{} {}",
                "·".repeat(depth),
                branch.name,
                branch.n_prompts
            ));
            lines.extend(drawn(&branch.below, depth + 1));
        }
        lines
    }

    #[test]
    fn a_folder_counts_what_lies_below_it() {
        let tree = tree(&folders(), "");
        assert_eq!(drawn(&tree, 0), ["extract 1", "support 8", "support-eu 7"]);
        assert_eq!(total(&folders()), 18);
    }

    #[test]
    fn the_tree_is_open_along_the_chosen_folder() {
        let tree = tree(&folders(), "support/fr");
        assert_eq!(
            drawn(&tree, 0),
            [
                "extract 1",
                "support 8",
                "·de 1",
                "·fr 3",
                "··paris 3",
                "support-eu 7"
            ]
        );
        assert_eq!(tree[1].below[1].path, "support/fr");
    }
}
