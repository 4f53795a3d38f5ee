//! Alerts: what fires, what did, and what happened to each. Rules are in `rules`, what is read of
//! the world in `findings`, and the one who judges in `judge`.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    alert::{Alert, AlertEvent, Happened, Kind},
    id::{AlertId, PersonId},
    page::{Listing, PageRequest},
    prompt::{PromptName, check_prose},
};
use serde_json::json;
use sqlx::types::Json;

use crate::{Error, Result, Store, tx::Command};

mod findings;
mod judge;
mod roll_back;
mod rules;
#[cfg(test)]
mod tests;

pub use findings::Finding;
pub use judge::judge;
pub use roll_back::roll_back_due;
pub use rules::{change, create, list as rules, remove};

/// The longest note of somebody who takes care of an alert, in characters.
const MAX_NOTE: usize = 1_000;

/// Which alerts to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only those that fire, or only those that are over.
    pub is_firing: Option<bool>,
    /// Of one kind.
    pub kind: Option<Kind>,
    /// Of one prompt.
    pub prompt: Option<&'a PromptName>,
}

struct Row {
    id: AlertId,
    rule: String,
    kind: Kind,
    title: String,
    sentence: String,
    href: String,
    value: f64,
    prompt: Option<PromptName>,
    environment: Option<String>,
    raised_at: DateTime<Utc>,
    n_raised: i32,
    resolved_at: Option<DateTime<Utc>>,
    acknowledged_by: Option<Json<Who>>,
    acknowledged_at: Option<DateTime<Utc>>,
}

impl Row {
    fn alert(self) -> Alert {
        Alert {
            id: self.id,
            rule: self.rule,
            kind: self.kind,
            is_firing: self.resolved_at.is_none(),
            title: self.title,
            sentence: self.sentence,
            href: self.href,
            value: self.value,
            prompt: self.prompt,
            environment: self.environment,
            raised_at: self.raised_at,
            n_raised: self.n_raised,
            resolved_at: self.resolved_at,
            acknowledged_by: self.acknowledged_by.map(|Json(who)| who),
            acknowledged_at: self.acknowledged_at,
        }
    }
}

/// A page of alerts, the one raised last first.
pub async fn list(
    store: &Store,
    by: &Actor,
    filter: &Filter<'_>,
    page: &PageRequest,
) -> Result<Listing<Alert>> {
    by.may(Permission::Read)?;
    let after: Option<uuid::Uuid> = page
        .after()
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let rows = sqlx::query_as!(
        Row,
        r#"select alert_id as "id: AlertId", alert_rule.name as rule, kind as "kind: Kind", title, sentence, href,
                  value, prompt.name as "prompt?: PromptName", environment.name as "environment?", raised_at, n_raised,
                  resolved_at, acknowledged_by as "acknowledged_by: Json<Who>", acknowledged_at
           from alert
           join alert_rule using (rule_id)
           left join prompt on prompt.prompt_id = alert.prompt_id
           left join environment on environment.environment_id = alert.environment_id
           where alert.project_id = $1
             and ($2::boolean is null or (resolved_at is null) = $2)
             and ($3::text is null or kind = $3)
             and ($4::text is null or prompt.name = $4)
             and ($5::uuid is null or (raised_at, alert_id) < (
                 select raised_at, alert_id from alert where alert_id = $5))
           order by raised_at desc, alert_id desc
           limit $6"#,
        by.project.0,
        filter.is_firing,
        filter.kind.map(Kind::word),
        filter.prompt.map(PromptName::as_str),
        after,
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(Listing::of(rows, page, |row| row.id.to_string()).map(Row::alert))
}

/// One alert.
pub async fn find(store: &Store, by: &Actor, id: AlertId) -> Result<Option<Alert>> {
    by.may(Permission::Read)?;
    load(store, by, id).await
}

/// The same for whoever has just been allowed to change it.
async fn load(store: &Store, by: &Actor, id: AlertId) -> Result<Option<Alert>> {
    let row = sqlx::query_as!(
        Row,
        r#"select alert_id as "id: AlertId", alert_rule.name as rule, kind as "kind: Kind", title, sentence, href,
                  value, prompt.name as "prompt?: PromptName", environment.name as "environment?", raised_at, n_raised,
                  resolved_at, acknowledged_by as "acknowledged_by: Json<Who>", acknowledged_at
           from alert
           join alert_rule using (rule_id)
           left join prompt on prompt.prompt_id = alert.prompt_id
           left join environment on environment.environment_id = alert.environment_id
           where alert.project_id = $1 and alert_id = $2"#,
        by.project.0,
        id.0,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(Row::alert))
}

/// What happened to an alert, oldest first.
pub async fn history(store: &Store, by: &Actor, id: AlertId) -> Result<Vec<AlertEvent>> {
    by.may(Permission::Read)?;
    let rows = sqlx::query!(
        r#"select at, alert_event.by as "by: Json<Who>", what as "what: Json<Happened>"
           from alert_event
           join alert using (alert_id)
           where project_id = $1 and alert_id = $2
           order by sequence
           limit 1000"#,
        by.project.0,
        id.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| AlertEvent {
            at: row.at,
            by: row.by.0,
            what: row.what.0,
        })
        .collect())
}

/// How many alerts fire in the project.
pub async fn n_firing(store: &Store, by: &Actor) -> Result<i64> {
    by.may(Permission::Read)?;
    let n = sqlx::query_scalar!(
        r#"select count(*) as "n!" from alert
           join alert_rule using (rule_id)
           where alert.project_id = $1 and resolved_at is null"#,
        by.project.0,
    )
    .fetch_one(&store.pool)
    .await?;
    Ok(n)
}

/// Up to when a person has read the inbox; never, for who has not.
pub async fn read_until(
    store: &Store,
    by: &Actor,
    person: PersonId,
) -> Result<Option<DateTime<Utc>>> {
    let until = sqlx::query_scalar!(
        "select read_until from alert_inbox where project_id = $1 and person_id = $2",
        by.project.0,
        person.0,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(until)
}

/// A person has read what the inbox holds. Theirs alone, so it is not in the audit trail.
pub async fn mark_read(
    store: &Store,
    by: &Actor,
    person: PersonId,
    until: DateTime<Utc>,
) -> Result<()> {
    by.may(Permission::Read)?;
    sqlx::query!(
        "insert into alert_inbox (project_id, person_id, read_until) values ($1, $2, $3)
         on conflict (project_id, person_id) do update
         set read_until = greatest(alert_inbox.read_until, excluded.read_until)",
        by.project.0,
        person.0,
        until,
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

/// Somebody takes care of an alert: it is not repeated. Whoever may roll back may say so.
pub async fn acknowledge(
    store: &Store,
    by: &Actor,
    id: AlertId,
    note: &str,
    now: DateTime<Utc>,
) -> Result<Alert> {
    by.may(Permission::RollBack)?;
    check_prose(note, MAX_NOTE).map_err(|message| Error::invalid("note", message))?;
    let mut command = Command::begin(store, "acknowledge_alert", by, now).await?;
    let row = sqlx::query!(
        r#"select title, resolved_at, acknowledged_by as "acknowledged_by: Json<Who>",
                  environment.name as "environment?"
           from alert
           left join environment using (environment_id)
           where alert.project_id = $1 and alert_id = $2
           for update of alert"#,
        by.project.0,
        id.0,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("alert"))?;
    if let Some(environment) = &row.environment {
        by.may_in(Permission::RollBack, environment)?;
    }
    if row.resolved_at.is_some() {
        let words = "this alert is over already";
        return Err(Error::conflict("alert_over", words));
    }
    if let Some(Json(who)) = row.acknowledged_by {
        let words = format!("{} takes care of it already", who.name());
        return Err(Error::conflict("alert_acknowledged", words));
    }
    let author = command.author();
    sqlx::query!(
        "update alert set acknowledged_by = $2, acknowledged_at = $3 where alert_id = $1",
        id.0,
        author,
        now,
    )
    .execute(command.db())
    .await?;
    let happened = Happened::Acknowledged {
        note: note.trim().to_owned(),
    };
    note_down(&mut command, id, &happened).await?;
    command.record(
        "alert.acknowledge",
        row.title,
        json!({ "alert_id": id, "comment": note.trim() }),
    );
    command.tell("alert", json!({ "alert": id }));
    command.commit().await?;
    load(store, by, id).await?.ok_or(Error::NotFound("alert"))
}

/// Adds to an alert's history. Whoever writes it holds the alert's row, so that two never take the
/// same number.
async fn note_down(command: &mut Command, id: AlertId, happened: &Happened) -> Result<()> {
    let (author, now) = (command.author(), command.now());
    sqlx::query!(
        r#"select 1 as "held!" from alert where alert_id = $1 for update"#,
        id.0
    )
    .fetch_one(command.db())
    .await?;
    sqlx::query!(
        "insert into alert_event (alert_id, sequence, at, by, what)
         select $1, coalesce(max(sequence), 0) + 1, $2, $3, $4 from alert_event where alert_id = $1",
        id.0,
        now,
        author,
        json!(happened),
    )
    .execute(command.db())
    .await?;
    Ok(())
}
