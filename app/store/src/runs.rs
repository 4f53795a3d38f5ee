//! Eval runs: launching, reading, cancelling. What workers do with them is in [`work`].

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    content::{Content, ContentHash},
    gate::Verdict,
    id::{CaseId, PromptId, ProviderId, RunId, SuiteId, VersionId},
    lifecycle::Status,
    page::{Listing, PageRequest},
    prompt::PromptName,
    run::{MAX_CALLS, Run, RunOptions, RunStatus, rate},
    suite::smoke,
};
use serde_json::json;
use sqlx::types::Json;

use crate::{Error, Result, Store, new_id, place, prompts, tx::Command, versions};

pub mod compare;
pub mod results;
pub mod work;

/// The channel on which runs announce their progress; the payload is `project run`.
pub const RUN_CHANNEL: &str = "cueline_run";

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Of one prompt.
    pub prompt: Option<&'a PromptName>,
    /// Of one suite.
    pub suite: Option<SuiteId>,
    /// Of one version's number; only together with the prompt.
    pub version: Option<i32>,
    /// In one state.
    pub status: Option<RunStatus>,
}

/// A page of runs, newest first.
pub async fn list(
    store: &Store,
    by: &Actor,
    filter: &Filter<'_>,
    page: &PageRequest,
) -> Result<Listing<Run>> {
    by.may(Permission::ReadEvals)?;
    let after: Option<uuid::Uuid> = page
        .after()
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let rows = select(store, by, filter, None, after, page.fetch()).await?;
    Ok(Listing::of(rows, page, |row| row.id.to_string()).map(Row::run))
}

/// One run.
pub async fn find(store: &Store, by: &Actor, id: RunId) -> Result<Option<Run>> {
    by.may(Permission::ReadEvals)?;
    let rows = select(store, by, &Filter::default(), Some(id), None, 1).await?;
    Ok(rows.into_iter().next().map(Row::run))
}

/// A version's last completed run.
#[derive(Clone, Debug, PartialEq)]
pub struct Latest {
    /// The version's number.
    pub version: i32,
    /// The run.
    pub run: RunId,
    /// Results that passed.
    pub passed: i64,
    /// All results.
    pub done: i64,
    /// What the gate said, if the run was a candidate's.
    pub verdict: Option<Verdict>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// The last completed run of each of these versions that has one.
pub async fn latest(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    versions: &[i32],
) -> Result<Vec<Latest>> {
    by.may(Permission::Read)?;
    let latest = sqlx::query_as!(
        Latest,
        r#"select distinct on (version.number) version.number as version, run_id as "run: RunId",
                  passed::bigint as "passed!", done::bigint as "done!",
                  gate.verdict ->> 'verdict' as "verdict: Verdict", finished_at
           from run
           join prompt using (prompt_id)
           join version using (version_id)
           left join gate using (run_id)
           where run.project_id = $1 and prompt.name = $2 and version.number = any ($3) and run.status = 'completed'
             -- What a version was released on, not what the checks of it found since.
             and not exists (select from drift_launch where drift_launch.run_id = run.run_id)
           order by version.number, run.created_at desc"#,
        by.project.0,
        prompt.as_str(),
        versions,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(latest)
}

async fn select(
    store: &Store,
    by: &Actor,
    filter: &Filter<'_>,
    id: Option<RunId>,
    after: Option<uuid::Uuid>,
    limit: i64,
) -> Result<Vec<Row>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select run_id as "id: RunId", prompt.name as "prompt: PromptName", version.number as "version?",
                  run.content_hash as "content_hash: ContentHash", suite_id as "suite: SuiteId",
                  suite.name as suite_name, run.revision, provider.name as provider,
                  run.content -> 'model' ->> 'name' as model, options as "options: Json<RunOptions>",
                  run.status as "status: RunStatus", total, done, passed, failed, errors, cost_usd, failure,
                  by as "by: Json<Who>", run.created_at, started_at, finished_at
           from run
           join prompt using (prompt_id)
           join suite using (suite_id)
           join provider using (provider_id)
           left join version using (version_id)
           where run.project_id = $1
             and ($2::uuid is null or run_id = $2)
             and ($3::text is null or prompt.name = $3)
             and ($4::uuid is null or suite_id = $4)
             and ($5::integer is null or version.number = $5)
             and ($6::text is null or run.status = $6)
             and ($7::uuid is null or (run.created_at, run_id) < (select created_at, run_id from run where run_id = $7))
           order by run.created_at desc, run_id desc
           limit $8"#,
        by.project.0,
        id.map(|id| id.0),
        filter.prompt.map(PromptName::as_str),
        filter.suite.map(|suite| suite.0),
        filter.version,
        filter.status.map(RunStatus::word),
        after,
        limit,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows)
}

struct Row {
    id: RunId,
    prompt: PromptName,
    version: Option<i32>,
    content_hash: ContentHash,
    suite: SuiteId,
    suite_name: String,
    revision: i32,
    provider: String,
    model: Option<String>,
    options: Json<RunOptions>,
    status: RunStatus,
    total: i32,
    done: i32,
    passed: i32,
    failed: i32,
    errors: i32,
    cost_usd: Option<f64>,
    failure: Option<String>,
    by: Json<Who>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl Row {
    fn run(self) -> Run {
        let (pass_rate, interval) = rate(self.passed.into(), self.done.into());
        Run {
            id: self.id,
            prompt: self.prompt,
            version: self.version,
            content_hash: self.content_hash,
            suite: self.suite,
            suite_name: self.suite_name,
            revision: self.revision,
            provider: self.provider,
            model: self.model.unwrap_or_default(),
            options: self.options.0,
            status: self.status,
            total: self.total.into(),
            done: self.done.into(),
            passed: self.passed.into(),
            failed: self.failed.into(),
            errors: self.errors.into(),
            pass_rate,
            interval,
            cost_usd: self.cost_usd,
            failure: self.failure,
            by: self.by.0,
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
        }
    }
}

/// What is to be run.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A saved version.
    Saved(i32),
    /// A content that is not saved: a pull request's.
    Candidate(Box<Content>),
}

/// A run to launch.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    /// The prompt.
    pub prompt: &'a PromptName,
    /// What of it.
    pub subject: Subject,
    /// On which suite.
    pub suite: SuiteId,
    /// How.
    pub options: RunOptions,
}

/// Launches a run. A draft starts testing by it.
pub async fn launch(
    store: &Store,
    by: &Actor,
    new: &NewRun<'_>,
    now: DateTime<Utc>,
) -> Result<Run> {
    by.may(Permission::RunEvals)?;
    let mut command = Command::begin(store, "launch_run", by, now).await?;
    let prompt = prompts::lock(command.db(), by, new.prompt).await?;
    let subject = load_subject(&mut command, by, new.prompt, prompt, &new.subject).await?;
    check_judge(&mut command, by, &new.options).await?;
    let selection = select_cases(&mut command, by, prompt, new.suite, &new.options).await?;
    let id = insert(
        &mut command,
        by,
        prompt,
        &subject,
        &selection,
        &new.options,
        now,
    )
    .await?;
    command.commit().await?;
    find(store, by, id).await?.ok_or(Error::NotFound("run"))
}

/// A content to run, loaded and locked.
pub(crate) struct Loaded {
    pub version: Option<(VersionId, i32)>,
    pub content: Content,
    pub hash: ContentHash,
    provider: ProviderId,
}

/// Loads what is to be run; a draft starts testing.
pub(crate) async fn load_subject(
    command: &mut Command,
    by: &Actor,
    name: &PromptName,
    prompt: PromptId,
    subject: &Subject,
) -> Result<Loaded> {
    let (version, content) = match subject {
        Subject::Saved(number) => {
            let row = sqlx::query!(
                r#"select version_id as "id: VersionId", status as "status: Status", content as "content: Json<Content>"
                   from version
                   where prompt_id = $1 and number = $2"#,
                prompt.0,
                number,
            )
            .fetch_optional(command.db())
            .await?
            .ok_or(Error::NotFound("version"))?;
            if row.status == Status::Draft {
                place::set_status(command, row.id, row.status.test()?).await?;
            }
            (Some((row.id, *number)), row.content.0)
        }
        Subject::Candidate(content) => (
            None,
            versions::compose(command.db(), by, name, content).await?,
        ),
    };
    let provider = match &content.model {
        Some(model) => provider_named(command, by, &model.provider).await?,
        None => {
            return Err(Error::conflict(
                "no_model",
                "this content names no model: save a version with a provider and a model, then run that",
            ));
        }
    };
    let hash = content.hash();
    Ok(Loaded {
        version,
        content,
        hash,
        provider,
    })
}

async fn provider_named(command: &mut Command, by: &Actor, name: &str) -> Result<ProviderId> {
    sqlx::query_scalar!(
        r#"select provider_id as "id: ProviderId" from provider where project_id = $1 and name = $2"#,
        by.project.0,
        name,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or_else(|| {
        Error::conflict(
            "provider_not_configured",
            format!(
                "no provider named {name} is configured: an admin adds it under Settings, Providers"
            ),
        )
    })
}

/// A judge nobody can ask would fail every model-graded score of the run.
pub(crate) async fn check_judge(
    command: &mut Command,
    by: &Actor,
    options: &RunOptions,
) -> Result<()> {
    if let Some(judge) = &options.judge {
        provider_named(command, by, &judge.provider).await?;
    }
    Ok(())
}

/// The cases of a run, and where they come from.
pub(crate) struct Selection {
    pub suite: SuiteId,
    pub revision: i32,
    cases: Vec<(CaseId, i32)>,
}

/// Picks the cases that the options ask for, of the suite as it is now.
pub(crate) async fn select_cases(
    command: &mut Command,
    by: &Actor,
    prompt: PromptId,
    suite: SuiteId,
    options: &RunOptions,
) -> Result<Selection> {
    let row = sqlx::query!(
        r#"select revision, prompt_id as "prompt: PromptId", name from suite
           where project_id = $1 and suite_id = $2
           for share"#,
        by.project.0,
        suite.0,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("suite"))?;
    if row.prompt != prompt {
        return Err(Error::invalid("suite", "is for another prompt"));
    }
    let found = sqlx::query!(
        r#"select case_id as "id: CaseId", position,
                  array(select jsonb_array_elements_text(coalesce(body -> 'tags', '[]'))) as "tags!"
           from suite_case
           where suite_id = $1 and until is null
             and (cardinality($2::text[]) = 0 or body -> 'tags' ?| $2)
           order by position"#,
        suite.0,
        &options.tags,
    )
    .fetch_all(command.db())
    .await?;
    let tags: Vec<Vec<String>> = found.iter().map(|case| case.tags.clone()).collect();
    let kept = options.limit.map_or_else(
        || (0..found.len()).collect(),
        |limit| smoke(&tags, limit as usize, options.seed.into()),
    );
    let cases: Vec<_> = kept
        .into_iter()
        .filter_map(|index| found.get(index))
        .map(|case| (case.id, case.position))
        .collect();
    if cases.is_empty() {
        let words = if options.tags.is_empty() {
            format!("the suite {} holds no cases yet", row.name)
        } else {
            format!(
                "no case of {} has the tag {}",
                row.name,
                options.tags.join(" or ")
            )
        };
        return Err(Error::conflict("no_cases", words));
    }
    let n_calls = cases.len().saturating_mul(options.repeats as usize);
    if n_calls > MAX_CALLS {
        return Err(Error::invalid(
            "repeats",
            format!("{n_calls} calls are more than the {MAX_CALLS} that one run may make"),
        ));
    }
    Ok(Selection {
        suite,
        revision: row.revision,
        cases,
    })
}

/// Writes the run and its open results.
pub(crate) async fn insert(
    command: &mut Command,
    by: &Actor,
    prompt: PromptId,
    subject: &Loaded,
    selection: &Selection,
    options: &RunOptions,
    now: DateTime<Utc>,
) -> Result<RunId> {
    let id: RunId = new_id();
    let n_calls = selection.cases.len() * options.repeats as usize;
    sqlx::query!(
        "insert into run
             (run_id, project_id, prompt_id, version_id, content, content_hash, suite_id, revision, provider_id,
              options, status, total, by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued', $11, $12, $13)",
        id.0,
        by.project.0,
        prompt.0,
        subject.version.map(|(version, _)| version.0),
        Json(&subject.content) as _,
        subject.hash.as_str(),
        selection.suite.0,
        selection.revision,
        subject.provider.0,
        json!(options),
        i32::try_from(n_calls).unwrap_or(i32::MAX),
        command.author(),
        now,
    )
    .execute(command.db())
    .await?;
    let (ids, positions): (Vec<_>, Vec<_>) = selection
        .cases
        .iter()
        .map(|(id, position)| (id.0, *position))
        .unzip();
    sqlx::query!(
        "insert into run_result (run_id, case_id, repeat, position)
         select $1, case_id, repeat, position
         from unnest($2::uuid[], $3::integer[]) as picked (case_id, position)
         cross join generate_series(0, $4::integer - 1) as repeat",
        id.0,
        &ids,
        &positions,
        i32::try_from(options.repeats).unwrap_or(1),
    )
    .execute(command.db())
    .await?;
    command.record(
        "run.launch",
        id.to_string(),
        json!({
            "prompt_id": prompt, "version": subject.version.map(|(_, number)| number),
            "content_hash": subject.hash, "suite_id": selection.suite, "revision": selection.revision,
            "options": options, "calls": n_calls,
        }),
    );
    command.tell("run", json!({ "run": id }));
    Ok(id)
}

/// Stops a run; what was found stays. A run that is over stays as it is.
pub async fn cancel(store: &Store, by: &Actor, id: RunId, now: DateTime<Utc>) -> Result<Run> {
    by.may(Permission::RunEvals)?;
    let mut command = Command::begin(store, "cancel_run", by, now).await?;
    let status = sqlx::query_scalar!(
        r#"select status as "status: RunStatus" from run where project_id = $1 and run_id = $2 for update"#,
        by.project.0,
        id.0,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("run"))?;
    if status.is_over() {
        return Err(Error::conflict(
            "run_over",
            format!("the run is {} already", status.word()),
        ));
    }
    sqlx::query!(
        "update run set status = 'cancelled', finished_at = $2 where run_id = $1",
        id.0,
        now
    )
    .execute(command.db())
    .await?;
    command.record("run.cancel", id.to_string(), json!({ "before": status }));
    command.tell("run", json!({ "run": id, "status": "cancelled" }));
    command.commit().await?;
    find(store, by, id).await?.ok_or(Error::NotFound("run"))
}
