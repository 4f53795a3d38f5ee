//! What the gate said last: of prompts that wait for somebody, and of those in a list.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission},
    gate::{GateVerdict, Verdict},
    id::RunId,
    prompt::PromptName,
};
use sqlx::types::Json;

use crate::{Result, Store};

/// A newest version that its gate refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Failing {
    /// The prompt.
    pub prompt: PromptName,
    /// Its newest version.
    pub version: i32,
    /// The candidate's run.
    pub run: RunId,
    /// What was found.
    pub verdict: GateVerdict,
    /// When.
    pub decided_at: DateTime<Utc>,
}

/// The prompts whose newest version failed its last gate and serves production nowhere, the last
/// decided first.
pub async fn failing(store: &Store, by: &Actor) -> Result<Vec<Failing>> {
    by.may(Permission::ReadEvals)?;
    let rows = sqlx::query!(
        r#"select prompt.name as "prompt: PromptName", version.number as version, last.run_id as "run: RunId",
                  last.verdict as "verdict!: Json<GateVerdict>", last.decided_at as "decided_at!"
           from prompt
           join version on version.prompt_id = prompt.prompt_id and version.number = prompt.latest_number
           join lateral (
               select gate.run_id, verdict, decided_at
               from gate join run using (run_id)
               where run.prompt_id = prompt.prompt_id and run.content_hash = version.content_hash
                 and verdict is not null
               order by decided_at desc, gate.run_id desc
               limit 1
           ) as last on true
           where prompt.project_id = $1 and last.verdict ->> 'verdict' = $2 and version.status <> 'active'
           order by last.decided_at desc
           limit 20"#,
        by.project.0,
        Verdict::Fail.word(),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Failing {
            prompt: row.prompt,
            version: row.version,
            run: row.run,
            verdict: row.verdict.0,
            decided_at: row.decided_at,
        })
        .collect())
}

/// What the gate said last of a prompt's saved versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// The version.
    pub version: i32,
    /// The candidate's run.
    pub run: RunId,
    /// What the gate said.
    pub verdict: Verdict,
}

/// What the gate said last of each of these prompts; those it was never asked about are left out.
pub async fn last(
    store: &Store,
    by: &Actor,
    prompts: &[PromptName],
) -> Result<HashMap<PromptName, Last>> {
    by.may(Permission::ReadEvals)?;
    let names: Vec<String> = prompts.iter().map(ToString::to_string).collect();
    let rows = sqlx::query!(
        r#"select prompt.name as "prompt: PromptName", last.version as "version!", last.run_id as "run!: RunId",
                  last.verdict as "verdict!: Verdict"
           from prompt
           join lateral (
               select version.number as version, run.run_id, gate.verdict ->> 'verdict' as verdict
               from run
               join gate using (run_id)
               join version using (version_id)
               where run.prompt_id = prompt.prompt_id and gate.verdict is not null
               order by run.created_at desc, run.run_id desc
               limit 1
           ) as last on true
           where prompt.project_id = $1 and prompt.name = any ($2)"#,
        by.project.0,
        &names,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let last = Last {
                version: row.version,
                run: row.run,
                verdict: row.verdict,
            };
            (row.prompt, last)
        })
        .collect())
}
