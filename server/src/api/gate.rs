//! The gate: whether a candidate may go on. What continuous integration asks.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use domain::{
    actor::Permission,
    content::Content,
    field::{FieldError, Fields},
    gate::{GatePolicy, GateVerdict, sentence},
    id::{RunId, SuiteId},
    page::Listing,
    prompt::PromptName,
    run::{Run, RunStatus},
};
use serde::Serialize;
use store::{
    gates::{self, NewGate, Rule},
    runs::Subject,
};
use utoipa::ToSchema;

use super::{
    auth::Caller,
    body::{Body, Submitted, built, number},
    error::Result,
    params::{EnvironmentOf, FromPath, Part, Query},
    runs,
};
use crate::state::AppState;

/// A candidate to hold against what serves production.
#[derive(ToSchema)]
pub struct Question {
    /// The prompt.
    prompt: PromptName,
    /// Which version, or which content that need not be saved: a pull request's.
    #[schema(value_type = Candidate, inline)]
    subject: Subject,
    /// The suite, by id or name; the one set for production when left out.
    suite: Option<String>,
    /// By what it is judged; what is set for production when left out. A policy given here does
    /// not count as evidence for a promotion unless it is the one that is set.
    policy: Option<GatePolicy>,
}

/// One of the two.
#[expect(dead_code, reason = "describes what stands in the question's body")]
#[derive(ToSchema)]
pub struct Candidate {
    /// A saved version.
    version: Option<i32>,
    /// A content.
    content: Option<Content>,
}

impl Submitted for Question {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let prompt = runs::prompt(&mut fields);
        let version = number(&mut fields, "version");
        let content = fields.take("content").and_then(|value| {
            Content::parse("content", value)
                .map_err(|errors| fields.absorb(errors))
                .ok()
        });
        match (&version, &content) {
            (Some(_), Some(_)) => fields.refuse("content", "give either `version` or `content`"),
            (None, None) => fields.refuse("version", "give a `version` or a `content`"),
            _ => {}
        }
        let suite = fields.text("suite").filter(|suite| !suite.is_empty());
        let policy = read_policy(&mut fields);
        let subject = match (version, content) {
            (Some(number), _) => Some(Subject::Saved(number)),
            (None, content) => content.map(|content| Subject::Candidate(Box::new(content))),
        };
        built(fields, || {
            Some(Self {
                prompt: prompt?,
                subject: subject?,
                suite,
                policy,
            })
        })
    }
}

fn read_policy(fields: &mut Fields) -> Option<GatePolicy> {
    let path = fields.path_of("policy");
    let value = fields.take("policy")?;
    GatePolicy::parse(&path, &value)
        .map_err(|errors| fields.absorb(errors))
        .ok()
}

/// A gate: how far its runs are and, once they are over, what was found.
#[derive(Serialize, ToSchema)]
pub struct GateView {
    /// The gate, which is the candidate's run.
    id: RunId,
    /// The candidate's run.
    run_id: RunId,
    /// The prompt.
    prompt: PromptName,
    /// The candidate's version; none for content that is not saved.
    version: Option<i32>,
    /// The baseline's run; none when nothing serves production yet.
    baseline_run_id: Option<RunId>,
    /// The version that it ran.
    baseline_version: Option<i32>,
    /// `completed` once there is a verdict.
    status: RunStatus,
    /// Calls with a result, of both runs.
    done: i64,
    /// Calls to make, of both runs.
    total: i64,
    /// By what it is judged.
    policy: GatePolicy,
    /// What was found; `verdict` is null until then.
    #[serde(flatten)]
    found: Found,
    /// What was found, in a sentence.
    sentence: Option<String>,
    /// When.
    decided_at: Option<DateTime<Utc>>,
    /// The run's page.
    run_url: String,
}

/// What was found, or that nothing is known yet.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Found {
    Decided(Box<GateVerdict>),
    Open { verdict: () },
}

/// Asks the gate: runs the candidate on the suite, and what serves production too unless that run
/// is there. Follow `Location` until `verdict` is there.
#[utoipa::path(post, path = "/gate", tag = "evals", request_body = Question,
    responses(
        (status = 202, description = "it is being found out; `Location` names it", body = GateView),
        (status = 409, description = "`no_cases`, `no_model` or `provider_not_configured`"),
    ))]
pub async fn ask(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(question): Body<Question>,
) -> Result<impl IntoResponse> {
    let suite = match &question.suite {
        Some(word) => Some(runs::suite(&state, &actor, word).await?),
        None => None,
    };
    let new = NewGate {
        prompt: &question.prompt,
        subject: question.subject,
        suite,
        policy: question.policy,
    };
    let run = gates::ask(&state.store, &actor, new, state.clock.now()).await?;
    let location = format!("/api/v1/gate/{run}");
    let view = show(State(state), Caller(actor), FromPath(run)).await?;
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], view))
}

/// One gate.
#[utoipa::path(get, path = "/gate/{id}", tag = "evals",
    params(("id" = String, Path, description = "the gate, which is the candidate's run")),
    responses((status = 200, description = "how far it is, or the verdict", body = GateView)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<RunId>,
) -> Result<Json<GateView>> {
    let gate = gates::find(&state.store, &actor, id)
        .await?
        .ok_or(store::Error::NotFound("gate"))?;
    let candidate = runs::find(&state, &actor, id).await?;
    let baseline = match gate.baseline {
        Some((run, _)) => Some(runs::find(&state, &actor, run).await?),
        None => None,
    };
    let sum = |count: fn(&Run) -> i64| count(&candidate) + baseline.as_ref().map_or(0, count);
    let status = match (&gate.verdict, candidate.status) {
        (Some(_), status) => status,
        (None, RunStatus::Queued) => RunStatus::Queued,
        (None, _) => RunStatus::Running,
    };
    Ok(Json(GateView {
        id,
        run_id: id,
        prompt: gate.prompt,
        version: gate.version,
        baseline_run_id: gate.baseline.map(|(run, _)| run),
        baseline_version: gate.baseline.map(|(_, version)| version),
        status,
        done: sum(|run| run.done),
        total: sum(|run| run.total),
        policy: gate.policy,
        sentence: gate.verdict.as_ref().map(sentence),
        found: match gate.verdict {
            Some(verdict) => Found::Decided(Box::new(verdict)),
            None => Found::Open { verdict: () },
        },
        decided_at: gate.decided_at,
        run_url: runs::page(&state, &actor, id).await?,
    }))
}

/// A prompt's gate in an environment.
#[derive(Serialize, ToSchema)]
pub struct RuleView {
    /// The environment.
    environment: String,
    /// The suite that is run.
    suite: SuiteId,
    /// Its name.
    suite_name: String,
    /// By what the runs are judged.
    policy: GatePolicy,
    /// Who set it.
    by: domain::actor::Who,
    /// When.
    at: DateTime<Utc>,
}

impl From<Rule> for RuleView {
    fn from(rule: Rule) -> Self {
        Self {
            environment: rule.environment,
            suite: rule.suite,
            suite_name: rule.suite_name,
            policy: rule.policy,
            by: rule.by,
            at: rule.at,
        }
    }
}

/// The gates of a prompt, in the order of environments.
#[utoipa::path(get, path = "/prompts/{name}/gates", tag = "evals",
    params(("name" = String, Path, description = "the prompt; `/` as %2F"), Part),
    responses((status = 200, description = "all of them", body = Listing<RuleView>)))]
pub async fn rules(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Query(part): Query<Part>,
) -> Result<Json<Listing<RuleView>>> {
    let rules = gates::rules(&state.store, &actor, &name).await?;
    let rules = rules.into_iter().map(RuleView::from).collect();
    part.slice(rules, |one: &RuleView| one.environment.clone())
}

/// What a prompt's way into an environment is to be measured by.
#[derive(ToSchema)]
pub struct NewRule {
    /// The suite, by id or name; one of this prompt's.
    suite: String,
    /// By what the runs are judged; the default when left out.
    #[schema(required = false)]
    policy: GatePolicy,
}

impl Submitted for NewRule {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let suite = fields.required_text("suite");
        let policy = read_policy(&mut fields).unwrap_or_default();
        fields.finish(|| Self { suite, policy })
    }
}

/// Sets the gate of a prompt in an environment.
#[utoipa::path(put, path = "/prompts/{name}/gates/{environment}", tag = "evals", request_body = NewRule,
    params(("name" = String, Path, description = "the prompt; `/` as %2F"),
           ("environment" = String, Path, description = "the environment")),
    responses((status = 200, description = "all gates of the prompt", body = Listing<RuleView>)))]
pub async fn set_rule(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    FromPath(EnvironmentOf(environment)): FromPath<EnvironmentOf>,
    Body(new): Body<NewRule>,
) -> Result<Json<Listing<RuleView>>> {
    // First: whoever may not do this need not be told which suites there are.
    actor.may_in(Permission::Administer, &environment)?;
    let suite = runs::suite(&state, &actor, &new.suite).await?;
    let now = state.clock.now();
    gates::set_rule(
        &state.store,
        &actor,
        &name,
        &environment,
        suite,
        &new.policy,
        now,
    )
    .await?;
    let whole = Query(Part::default());
    rules(State(state), Caller(actor), FromPath(name), whole).await
}
