//! `cueline pull`: every prompt's newest version as a file, for git.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use domain::{content::Content, page::Listing, prompt::PromptName};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::{Api, Remote, prompt},
    files::{self, PromptFile},
};

/// Versions asked for at once.
const AT_ONCE: usize = 8;

/// Whereto.
#[derive(Debug, Args)]
pub struct Pull {
    /// The folder; files in it that are no prompts' are left alone
    dir: PathBuf,

    #[command(flatten)]
    remote: Remote,
}

/// A prompt as the server lists it.
#[derive(Deserialize)]
pub struct Listed {
    name: String,
    /// What it is for.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// Its newest version.
#[derive(Deserialize)]
pub struct Latest {
    /// Its number.
    pub number: i32,
    /// The hash of what it serves.
    pub content_hash: String,
    content: Value,
    source: Option<Value>,
}

impl Latest {
    /// What was written: with snippets by name where there are any, so that they stay snippets.
    pub fn written(&self) -> anyhow::Result<Content> {
        let content = self.source.as_ref().unwrap_or(&self.content);
        Content::parse("content", content.clone())
            .map_err(|_| anyhow::anyhow!("the server sent a content this program cannot read"))
    }
}

/// A prompt's newest version, if it has one.
pub async fn latest(api: &Api, name: &PromptName) -> anyhow::Result<Option<Latest>> {
    api.find(&format!("{}/versions/latest", prompt(name))).await
}

/// What a prompt's file is to say.
pub fn file(
    name: &PromptName,
    description: &str,
    tags: &[String],
    latest: &Latest,
) -> anyhow::Result<PromptFile> {
    Ok(PromptFile {
        name: name.clone(),
        description: description.to_owned(),
        tags: tags.to_vec(),
        version: Some(latest.number),
        content_hash: Some(latest.content_hash.clone()),
        // Through the domain, so that members stand in the same order whoever stored them.
        content: json!(latest.written()?),
    })
}

/// Does it.
pub async fn run(wanted: Pull) -> anyhow::Result<()> {
    let api = wanted.remote.api()?;
    std::fs::create_dir_all(&wanted.dir).with_context(|| wanted.dir.display().to_string())?;
    let (mut n_written, mut n_prompts) = (0, 0);
    let mut cursor: Option<String> = None;
    loop {
        // Cursors are made of characters that stand in an address as they are.
        let after = cursor.map(|cursor| format!("&cursor={cursor}"));
        let page: Listing<Listed> = api
            .get(&format!("/prompts?limit=200{}", after.unwrap_or_default()))
            .await?;
        let files: Vec<Option<PromptFile>> = stream::iter(page.items)
            .map(|listed| fetch(&api, listed))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        // A prompt without versions has nothing to put into a file.
        for file in files.into_iter().flatten() {
            n_prompts += 1;
            if files::write(&wanted.dir, &file)? {
                n_written += 1;
                println!("{} v{}", file.name, file.version.unwrap_or_default());
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    println!(
        "{n_written} of {n_prompts} files changed in {}",
        wanted.dir.display()
    );
    Ok(())
}

async fn fetch(api: &Api, listed: Listed) -> anyhow::Result<Option<PromptFile>> {
    // The server is not trusted to choose where files are written.
    let name = PromptName::parse(&listed.name)
        .with_context(|| format!("the server calls a prompt {:?}: it", listed.name))?;
    let Some(latest) = latest(api, &name).await? else {
        return Ok(None);
    };
    file(&name, &listed.description, &listed.tags, &latest).map(Some)
}
