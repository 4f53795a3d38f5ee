//! What production's calls fill prompts' variables with, counted by day: noted with the events,
//! added up exactly once. Input drift is read from the sums.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use domain::{drift::inputs::observe, monitor::Kind, prompt::PRODUCTION, variable::Variable};
use serde_json::{Value, json};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{place::Placed, roll_up::Take};
use crate::Result;

/// So many calls of a batch are looked at, evenly taken: shares need no more, and telling a
/// text's language takes longer than writing it down.
const MOST_LOOKED_AT: usize = 2_000;
/// Most batches in one transaction.
pub(super) const BATCHES: i64 = 64;

type Key = (Uuid, NaiveDate, String, String, String);
type Counts = BTreeMap<Key, i64>;

/// Whether the event says something here.
pub(super) fn is_input(one: &Placed<'_>) -> bool {
    one.event.kind == Kind::Generation
        && one.event.variables.is_some()
        && one.prompt.is_some()
        && one.environment.is_some()
}

/// Writes down what the calls say, in the transaction that keeps them.
pub(super) async fn note(db: &mut PgConnection, said: &[&Placed<'_>]) -> Result<(), sqlx::Error> {
    if said.is_empty() {
        return Ok(());
    }
    let declared = load_declared(db, said).await?;
    let step = said.len().div_ceil(MOST_LOOKED_AT);
    let mut counts = Counts::new();
    for one in said.iter().step_by(step) {
        let (Some(prompt), Some(environment), Some(sent)) = (
            one.prompt,
            one.environment,
            one.event.variables.as_ref().and_then(Value::as_object),
        ) else {
            continue;
        };
        let Some(variables) = declared.get(&(prompt, environment)) else {
            continue;
        };
        for mark in observe(variables, sent) {
            let key = (
                prompt,
                one.event.at.date_naive(),
                mark.variable,
                mark.feature.word().to_owned(),
                // Declared values may hold anything but this.
                mark.bin.replace('\0', "\u{fffd}"),
            );
            *counts.entry(key).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    let counts: Vec<_> = counts.into_iter().collect();
    sqlx::query!(
        "insert into input_batch (counts) values ($1)",
        json!(counts),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The variables that the active versions declare, where they serve production.
async fn load_declared(
    db: &mut PgConnection,
    said: &[&Placed<'_>],
) -> Result<HashMap<(Uuid, Uuid), Vec<Variable>>, sqlx::Error> {
    let prompts: HashSet<Uuid> = said.iter().filter_map(|one| one.prompt).collect();
    let prompts: Vec<Uuid> = prompts.into_iter().collect();
    let rows = sqlx::query!(
        r#"select version.prompt_id, environment_id, content -> 'variables' as "variables: Json<Vec<Variable>>"
           from version
           join prompt using (prompt_id)
           join environment on environment.project_id = prompt.project_id and environment.name = $2
           where version.prompt_id = any($1) and version.status = 'active'"#,
        &prompts,
        PRODUCTION,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some(((row.prompt_id, row.environment_id), row.variables?.0)))
        .collect())
}

/// Adds up what waits, in the caller's transaction; how many batches that was.
pub(super) async fn roll_up(db: &mut PgConnection, take: Take) -> Result<usize> {
    let batches = sqlx::query_scalar!(
        r#"with next as (
               select batch_id from input_batch
               where set_aside is null and ($2::bigint is null or batch_id = $2)
               order by batch_id
               limit $1
               -- What another worker holds is being added up already.
               for update skip locked
           )
           delete from input_batch
           using next
           where input_batch.batch_id = next.batch_id
           returning counts as "counts: Json<Vec<(Key, i64)>>""#,
        take.limit(),
        take.only(),
    )
    .fetch_all(&mut *db)
    .await?;
    let n_batches = batches.len();
    let mut sums = Counts::new();
    for (key, n) in batches.into_iter().flat_map(|Json(counts)| counts) {
        *sums.entry(key).or_default() += n;
    }
    if sums.is_empty() {
        return Ok(n_batches);
    }
    let (mut prompts, mut days, mut variables, mut features, mut bins, mut ns) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    // In the order of the key, as every worker writes them.
    for ((prompt, day, variable, feature, bin), n) in sums {
        prompts.push(prompt);
        days.push(day);
        variables.push(variable);
        features.push(feature);
        bins.push(bin);
        ns.push(n);
    }
    sqlx::query!(
        r#"insert into input_day (prompt_id, day, variable, feature, bin, n)
           select * from unnest($1::uuid[], $2::date[], $3::text[], $4::text[], $5::text[], $6::bigint[])
                as said (prompt_id, day, variable, feature, bin, n)
           order by prompt_id, day, variable collate "C", feature collate "C", bin collate "C"
           on conflict on constraint input_day_once do update set n = input_day.n + excluded.n"#,
        &prompts,
        &days,
        &variables,
        &features,
        &bins,
        &ns,
    )
    .execute(db)
    .await?;
    Ok(n_batches)
}
