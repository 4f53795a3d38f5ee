//! The evidence of a promotion as it is at this moment, and what is missing by it.

use chrono::{DateTime, Utc};
use domain::{
    actor::Who,
    cache::budget::CacheEvidence,
    content::ContentHash,
    gate::{GatePolicy, GateVerdict},
    id::{PromotionId, PromptId, RunId, SuiteId},
    release::{Evidence, ExperimentEvidence, GateEvidence, MAX_AGE_HOURS, Policy, missing},
};
use serde_json::json;
use sqlx::{PgConnection, types::Json};

use crate::Result;

/// What a promotion is decided on, and by what rules.
pub(super) struct Decided {
    pub evidence: Evidence,
    /// What is still missing.
    pub missing: Vec<String>,
    /// Whether approvals are missing, and nothing else is.
    pub waits_for_approval: bool,
    pub requester: Who,
    pub author: Who,
    pub prompt: PromptId,
}

impl Decided {
    /// The gate run that it is decided on, and its suite.
    pub fn gate_run(&self) -> Option<(SuiteId, RunId)> {
        self.evidence
            .gate
            .as_ref()
            .map(|gate| (gate.suite, gate.run_id))
    }
}

/// Reads the evidence as it is now. A gate run counts when it was judged by the policy that is set
/// for the prompt here, or by the default one where none is set: nobody brings their own. Where none
/// is set, only the prompt's largest suite counts: a suite of one case shows nothing.
pub(super) async fn load(
    db: &mut PgConnection,
    id: PromotionId,
    now: DateTime<Utc>,
) -> Result<Decided> {
    let row = sqlx::query!(
        r#"select requested_by as "requester: Json<Who>", version.author as "author: Json<Who>",
                  version.content_hash as "content_hash: ContentHash", environment.policy as "policy: Json<Policy>",
                  served.number as "serves?", prompt.latest_number as newest,
                  gate_policy.suite_id as "suite?: SuiteId", gate_policy.policy as "gate_policy?: Json<GatePolicy>",
                  prompt.prompt_id, cache_cost as "cache_cost: Json<CacheEvidence>",
                  promotion.experiment as "experiment: Json<ExperimentEvidence>"
           from promotion
           join version using (version_id)
           join environment using (environment_id)
           join prompt on prompt.prompt_id = promotion.prompt_id
           left join serving on serving.prompt_id = prompt.prompt_id
             and serving.environment_id = environment.environment_id
           left join version as served on served.version_id = serving.version_id
           left join gate_policy on gate_policy.prompt_id = prompt.prompt_id
             and gate_policy.environment_id = environment.environment_id
           where promotion_id = $1"#,
        id.0,
    )
    .fetch_one(&mut *db)
    .await?;
    let policy = row
        .gate_policy
        .map(|Json(policy)| policy)
        .unwrap_or_default();
    let suites = suites_that_count(&mut *db, row.prompt_id, row.suite).await?;
    let gate = sqlx::query!(
        r#"select run_id as "run_id: RunId", suite_id as "suite: SuiteId", suite.name as suite_name,
                  run.revision, suite.revision as revision_now, verdict as "verdict!: Json<GateVerdict>",
                  decided_at as "decided_at!"
           from gate
           join run using (run_id)
           join suite using (suite_id)
           where run.prompt_id = $1 and run.content_hash = $2 and verdict is not null
             and suite_id = any($3) and gate.policy = $4
           order by decided_at desc, run_id desc
           limit 1"#,
        row.prompt_id,
        row.content_hash.as_str(),
        &suites.ids,
        json!(policy),
    )
    .fetch_optional(&mut *db)
    .await?
    .map(|gate| GateEvidence {
        run_id: gate.run_id,
        suite: gate.suite,
        suite_name: gate.suite_name,
        revision: gate.revision,
        revision_now: gate.revision_now,
        n_cases: gate.verdict.n_cases,
        verdict: gate.verdict.verdict,
        sentence: domain::gate::sentence(&gate.verdict),
        decided_at: gate.decided_at,
    });
    let evidence = Evidence {
        content_hash: row.content_hash,
        serves: row.serves,
        newest: row.newest,
        gate,
        cache_cost: row.cache_cost.map(|Json(cost)| cost),
        experiment: row.experiment.map(|Json(experiment)| experiment),
    };
    let n_approvals = sqlx::query_scalar!(
        r#"select count(*) as "n!" from approval where promotion_id = $1 and evidence_hash = $2"#,
        id.0,
        evidence.hash(),
    )
    .fetch_one(db)
    .await?;
    let max_age = policy.max_age_hours.unwrap_or(MAX_AGE_HOURS);
    let n_approvals = usize::try_from(n_approvals).unwrap_or_default();
    let suite = suites.words.as_deref();
    let missing = missing(&row.policy.0, &evidence, suite, max_age, n_approvals, now);
    Ok(Decided {
        waits_for_approval: missing.len() == 1 && usize::from(row.policy.approvals) > n_approvals,
        missing,
        evidence,
        requester: row.requester.0,
        author: row.author.0,
        prompt: PromptId(row.prompt_id),
    })
}

/// The suites whose runs count as evidence, and how they are called.
struct Suites {
    ids: Vec<uuid::Uuid>,
    words: Option<String>,
}

/// The suite that is set, or else the prompt's largest; all that are equally large.
async fn suites_that_count(
    db: &mut PgConnection,
    prompt: uuid::Uuid,
    set: Option<SuiteId>,
) -> Result<Suites> {
    let rows = sqlx::query!(
        r#"select suite_id, name from suite
           where prompt_id = $1
             and case when $2::uuid is null
                 then n_cases = (select max(n_cases) from suite where prompt_id = $1)
                 else suite_id = $2
             end
           order by name"#,
        prompt,
        set.map(|suite| suite.0),
    )
    .fetch_all(db)
    .await?;
    let (ids, names): (Vec<_>, Vec<_>) =
        rows.into_iter().map(|row| (row.suite_id, row.name)).unzip();
    let words = match (names.as_slice(), set) {
        ([], _) => None,
        (names, Some(_)) => Some(names.join(" or ")),
        (names, None) => Some(format!("{}, the prompt's largest", names.join(" or "))),
    };
    Ok(Suites { ids, words })
}
