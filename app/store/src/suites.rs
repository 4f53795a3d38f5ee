//! Suites of golden cases. Every change makes a revision; what a suite held at any of them can
//! be read again, so that a run names exactly what it ran.

mod expected;
mod of_prompt;

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    id::{CaseId, PromptId, SuiteId},
    page::{Listing, PageRequest},
    prompt::PromptName,
    suite::{Case, KeptCase, MAX_CASES, NewSuite, Scorer, Suite, SuiteRevision},
};
use serde_json::{Value, json};
use sqlx::types::Json;

use crate::{Error, Result, Store, error::OnConstraint, new_id, prompts, tx::Command};

pub use of_prompt::main_of;

/// A page of suites by name, of all prompts or of one.
pub async fn list(
    store: &Store,
    by: &Actor,
    prompt: Option<&PromptName>,
    page: &PageRequest,
) -> Result<Listing<Suite>> {
    by.may(Permission::ReadEvals)?;
    let rows = sqlx::query_as!(
        Row,
        r#"select suite_id as "id: SuiteId", suite.name, prompt.name as "prompt: PromptName", suite.revision,
                  suite.n_cases, scorers as "scorers: Json<Vec<Scorer>>", threshold, suite.created_by as "by: Json<Who>",
                  suite.changed_at
           from suite
           join prompt using (prompt_id)
           join suite_revision using (suite_id, revision)
           where suite.project_id = $1 and ($2::text is null or prompt.name = $2)
             and ($3::text is null or suite.name > $3)
           order by suite.name
           limit $4"#,
        by.project.0,
        prompt.map(PromptName::as_str),
        page.after(),
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(Listing::of(rows, page, |row| row.name.clone()).map(Row::suite))
}

/// One suite as it is now.
pub async fn find(store: &Store, by: &Actor, id: SuiteId) -> Result<Option<Suite>> {
    by.may(Permission::ReadEvals)?;
    let row = sqlx::query_as!(
        Row,
        r#"select suite_id as "id: SuiteId", suite.name, prompt.name as "prompt: PromptName", suite.revision,
                  suite.n_cases, scorers as "scorers: Json<Vec<Scorer>>", threshold, suite.created_by as "by: Json<Who>",
                  suite.changed_at
           from suite
           join prompt using (prompt_id)
           join suite_revision using (suite_id, revision)
           where suite.project_id = $1 and suite_id = $2"#,
        by.project.0,
        id.0,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(Row::suite))
}

/// The suite that somebody means by an id or a name.
pub async fn resolve(store: &Store, by: &Actor, word: &str) -> Result<Option<SuiteId>> {
    by.may(Permission::ReadEvals)?;
    let id: Option<SuiteId> = word.parse().ok();
    let id = sqlx::query_scalar!(
        r#"select suite_id as "id: SuiteId" from suite
           where project_id = $1 and (suite_id = $2 or name = $3)"#,
        by.project.0,
        id.map(|id| id.0),
        word,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(id)
}

struct Row {
    id: SuiteId,
    name: String,
    prompt: PromptName,
    revision: i32,
    n_cases: i32,
    scorers: Json<Vec<Scorer>>,
    threshold: Option<f64>,
    by: Json<Who>,
    changed_at: DateTime<Utc>,
}

impl Row {
    fn suite(self) -> Suite {
        Suite {
            id: self.id,
            name: self.name,
            prompt: self.prompt,
            revision: self.revision,
            n_cases: self.n_cases,
            scorers: self.scorers.0,
            threshold: self.threshold,
            by: self.by.0,
            changed_at: self.changed_at,
        }
    }
}

/// A page of a suite's cases in their order, at a revision or as they are now; all or those with a tag.
pub async fn cases(
    store: &Store,
    by: &Actor,
    id: SuiteId,
    revision: Option<i32>,
    tag: Option<&str>,
    page: &PageRequest,
) -> Result<Listing<KeptCase>> {
    by.may(Permission::ReadEvals)?;
    let after = page
        .after_number()
        .ok()
        .and_then(|number| number.map(i32::try_from).transpose().ok())
        .ok_or_else(|| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let tag = tag.map(|tag| json!({ "tags": [tag] }));
    let rows = sqlx::query!(
        r#"select case_id as "id: CaseId", position, since, body as "body: Json<Case>"
           from suite_case
           join suite using (suite_id)
           where project_id = $1 and suite_id = $2
             and since <= coalesce($3, revision) and (until is null or until > coalesce($3, revision))
             and ($4::jsonb is null or body @> $4)
             and ($5::integer is null or position > $5)
           order by position
           limit $6"#,
        by.project.0,
        id.0,
        revision,
        tag,
        after,
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    if rows.is_empty() && find(store, by, id).await?.is_none() {
        return Err(Error::NotFound("suite"));
    }
    let cases = rows
        .into_iter()
        .map(|row| KeptCase {
            id: row.id,
            position: row.position,
            since: row.since,
            case: row.body.0,
        })
        .collect();
    Ok(Listing::of(cases, page, |case: &KeptCase| {
        case.position.to_string()
    }))
}

/// All cases of a suite as it is now, for exports.
pub async fn all_cases(store: &Store, by: &Actor, id: SuiteId) -> Result<Vec<Case>> {
    by.may(Permission::ReadEvals)?;
    let bodies = sqlx::query_scalar!(
        r#"select body as "body: Json<Case>"
           from suite_case
           join suite using (suite_id)
           where project_id = $1 and suite_id = $2 and until is null
           order by position"#,
        by.project.0,
        id.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(bodies.into_iter().map(|Json(case)| case).collect())
}

/// A page of a suite's revisions, newest first.
pub async fn revisions(
    store: &Store,
    by: &Actor,
    id: SuiteId,
    page: &PageRequest,
) -> Result<Listing<SuiteRevision>> {
    by.may(Permission::ReadEvals)?;
    let before = page
        .after_number()
        .ok()
        .and_then(|number| number.map(i32::try_from).transpose().ok())
        .ok_or_else(|| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let rows = sqlx::query!(
        r#"select suite_revision.revision, suite_revision.n_cases, what, by as "by: Json<Who>", at
           from suite_revision
           join suite using (suite_id)
           where project_id = $1 and suite_id = $2 and ($3::integer is null or suite_revision.revision < $3)
           order by suite_revision.revision desc
           limit $4"#,
        by.project.0,
        id.0,
        before,
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    let revisions = rows
        .into_iter()
        .map(|row| SuiteRevision {
            revision: row.revision,
            n_cases: row.n_cases,
            what: row.what,
            by: row.by.0,
            at: row.at,
        })
        .collect();
    Ok(Listing::of(revisions, page, |revision: &SuiteRevision| {
        revision.revision.to_string()
    }))
}

/// Creates an empty suite.
pub async fn create(
    store: &Store,
    by: &Actor,
    new: &NewSuite,
    now: DateTime<Utc>,
) -> Result<Suite> {
    by.may(Permission::RunEvals)?;
    let mut command = Command::begin(store, "create_suite", by, now).await?;
    let prompt = prompts::lock(command.db(), by, &new.prompt).await?;
    let id: SuiteId = new_id();
    insert(&mut command, by, id, prompt, new, now).await?;
    sqlx::query!(
        "insert into suite_revision (suite_id, revision, scorers, threshold, n_cases, what, by, at)
         values ($1, 1, $2, $3, 0, 'created', $4, $5)",
        id.0,
        json!(new.scorers),
        new.threshold,
        command.author(),
        now,
    )
    .execute(command.db())
    .await?;
    command.record(
        "suite.create",
        new.name.as_str(),
        json!({ "suite_id": id, "after": { "prompt": new.prompt, "scorers": new.scorers } }),
    );
    command.tell("suite", json!({ "suite": id }));
    command.commit().await?;
    Ok(Suite {
        id,
        name: new.name.clone(),
        prompt: new.prompt.clone(),
        revision: 1,
        n_cases: 0,
        scorers: new.scorers.clone(),
        threshold: new.threshold,
        by: by.who.clone(),
        changed_at: now,
    })
}

async fn insert(
    command: &mut Command,
    by: &Actor,
    id: SuiteId,
    prompt: PromptId,
    new: &NewSuite,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into suite (suite_id, project_id, name, prompt_id, revision, n_cases, created_by, created_at, changed_at)
         values ($1, $2, $3, $4, 1, 0, $5, $6, $6)",
        id.0,
        by.project.0,
        new.name,
        prompt.0,
        command.author(),
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("suite_name_unique", || {
        Error::conflict("suite_exists", format!("there is a suite {} already", new.name))
    })?;
    Ok(())
}

/// What a change leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The revision it made.
    pub revision: i32,
    /// The cases it added or changed.
    pub cases: Vec<CaseId>,
}

/// A change under way: the suite is locked.
struct Change {
    command: Command,
    id: SuiteId,
    name: String,
    /// The revision it makes.
    revision: i32,
    n_cases: i32,
    scorers: Vec<Scorer>,
    threshold: Option<f64>,
    now: DateTime<Utc>,
}

impl Change {
    async fn open(
        store: &Store,
        name: &'static str,
        by: &Actor,
        id: SuiteId,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        by.may(Permission::RunEvals)?;
        let mut command = Command::begin(store, name, by, now).await?;
        let suite = sqlx::query!(
            r#"select suite.name, suite.revision, suite.n_cases
               from suite
               where project_id = $1 and suite_id = $2
               for update"#,
            by.project.0,
            id.0,
        )
        .fetch_optional(command.db())
        .await?
        .ok_or(Error::NotFound("suite"))?;
        let judged = sqlx::query!(
            r#"select scorers as "scorers: Json<Vec<Scorer>>", threshold from suite_revision
               where suite_id = $1 and revision = $2"#,
            id.0,
            suite.revision,
        )
        .fetch_one(command.db())
        .await?;
        Ok(Self {
            command,
            id,
            name: suite.name,
            revision: suite.revision + 1,
            n_cases: suite.n_cases,
            scorers: judged.scorers.0,
            threshold: judged.threshold,
            now,
        })
    }

    /// Writes the revision: what changed in words for people, and in detail for the audit trail.
    async fn commit(mut self, action: &'static str, what: &str, detail: Value) -> Result<i32> {
        sqlx::query!(
            "update suite set revision = $2, n_cases = $3, changed_at = $4 where suite_id = $1",
            self.id.0,
            self.revision,
            self.n_cases,
            self.now,
        )
        .execute(self.command.db())
        .await?;
        sqlx::query!(
            "insert into suite_revision (suite_id, revision, scorers, threshold, n_cases, what, by, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            self.id.0,
            self.revision,
            json!(self.scorers),
            self.threshold,
            self.n_cases,
            what,
            self.command.author(),
            self.now,
        )
        .execute(self.command.db())
        .await?;
        let mut detail = detail;
        detail["suite_id"] = json!(self.id);
        detail["revision"] = json!(self.revision);
        self.command.record(action, self.name.as_str(), detail);
        self.command.tell("suite", json!({ "suite": self.id }));
        self.command.commit().await?;
        Ok(self.revision)
    }

    /// Ends the row of a case as it is now; answers its position and what it held.
    async fn end_case(&mut self, case: CaseId, seen: Option<i32>) -> Result<(i32, Value)> {
        let row = sqlx::query!(
            r#"update suite_case set until = $3
               where suite_id = $1 and case_id = $2 and until is null
               returning position, since, body"#,
            self.id.0,
            case.0,
            self.revision,
        )
        .fetch_optional(self.command.db())
        .await?
        .ok_or(Error::NotFound("case"))?;
        if seen.is_some_and(|seen| seen != row.since) {
            return Err(Error::conflict(
                "case_conflict",
                "somebody changed this case meanwhile; look again before you decide",
            ));
        }
        Ok((row.position, row.body))
    }

    async fn add(&mut self, ids: &[CaseId], from: i32, cases: &[Case]) -> Result<()> {
        let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
        let bodies: Vec<_> = cases.iter().map(|case| json!(case)).collect();
        sqlx::query!(
            "insert into suite_case (case_id, suite_id, since, position, body)
             select case_id, $1, $2, $3 + ordinality::integer - 1, body
             from unnest($4::uuid[], $5::jsonb[]) with ordinality as given (case_id, body, ordinality)",
            self.id.0,
            self.revision,
            from,
            &ids,
            &bodies,
        )
        .execute(self.command.db())
        .await?;
        Ok(())
    }
}

/// Adds cases after the others.
pub async fn add_cases(
    store: &Store,
    by: &Actor,
    id: SuiteId,
    cases: &[Case],
    now: DateTime<Utc>,
) -> Result<Changed> {
    let mut change = Change::open(store, "add_cases", by, id, now).await?;
    change.check_cases(cases)?;
    let n_added = i32::try_from(cases.len()).unwrap_or(i32::MAX);
    let n_cases = change.n_cases.saturating_add(n_added);
    if usize::try_from(n_cases).unwrap_or(usize::MAX) > MAX_CASES {
        return Err(Error::conflict(
            "too_many_cases",
            format!("a suite holds at most {MAX_CASES} cases; this one would hold {n_cases}"),
        ));
    }
    let ids: Vec<CaseId> = cases.iter().map(|_| new_id()).collect();
    let last = sqlx::query_scalar!(
        r#"select coalesce(max(position), 0) as "last!" from suite_case where suite_id = $1"#,
        id.0
    )
    .fetch_one(change.command.db())
    .await?;
    change.add(&ids, last + 1, cases).await?;
    change.n_cases = n_cases;
    let what = match cases {
        [_] => "1 case added".to_owned(),
        _ => format!("{n_added} cases added"),
    };
    // The trail names what a person wrote; of an import it says how much it was.
    let detail = match cases {
        [case] => json!({ "added": 1, "after": case }),
        _ => json!({ "added": n_added }),
    };
    let revision = change.commit("suite.add_cases", &what, detail).await?;
    Ok(Changed {
        revision,
        cases: ids,
    })
}

/// Changes a case. `seen` is the revision since which it was as the caller saw it.
pub async fn change_case(
    store: &Store,
    by: &Actor,
    id: SuiteId,
    case: CaseId,
    new: &Case,
    seen: Option<i32>,
    now: DateTime<Utc>,
) -> Result<Changed> {
    let mut change = Change::open(store, "change_case", by, id, now).await?;
    change.check_cases(std::slice::from_ref(new))?;
    let (position, before) = change.end_case(case, seen).await?;
    change
        .add(&[case], position, std::slice::from_ref(new))
        .await?;
    let detail = json!({ "case_id": case, "before": before, "after": new });
    let revision = change
        .commit(
            "suite.change_case",
            &format!("case {position} changed"),
            detail,
        )
        .await?;
    Ok(Changed {
        revision,
        cases: vec![case],
    })
}

/// Takes a case out; runs of earlier revisions keep it.
pub async fn remove_case(
    store: &Store,
    by: &Actor,
    id: SuiteId,
    case: CaseId,
    now: DateTime<Utc>,
) -> Result<Changed> {
    let mut change = Change::open(store, "remove_case", by, id, now).await?;
    let (position, before) = change.end_case(case, None).await?;
    change.n_cases -= 1;
    let detail = json!({ "case_id": case, "before": before });
    let revision = change
        .commit(
            "suite.remove_case",
            &format!("case {position} removed"),
            detail,
        )
        .await?;
    Ok(Changed {
        revision,
        cases: Vec::new(),
    })
}

/// Changes the scorers that apply to every case, and from which score a case passes.
pub async fn set_scorers(
    store: &Store,
    by: &Actor,
    id: SuiteId,
    scorers: Vec<Scorer>,
    threshold: Option<f64>,
    now: DateTime<Utc>,
) -> Result<Changed> {
    let mut change = Change::open(store, "set_scorers", by, id, now).await?;
    change.check_scorers(&scorers).await?;
    let detail = json!({
        "before": { "scorers": change.scorers, "threshold": change.threshold },
        "after": { "scorers": scorers, "threshold": threshold },
    });
    (change.scorers, change.threshold) = (scorers, threshold);
    let revision = change
        .commit("suite.set_scorers", "scorers changed", detail)
        .await?;
    Ok(Changed {
        revision,
        cases: Vec::new(),
    })
}
