//! The evidence of a promotion as it is at this moment, and what is missing by it.

use chrono::{DateTime, Utc};
use domain::{
    actor::Who,
    cache::budget::CacheEvidence,
    content::ContentHash,
    gate::{GatePolicy, GateVerdict},
    id::{PromotionId, PromptId, RunId, SuiteId},
    release::{Evidence, GateEvidence, MAX_AGE_HOURS, Policy, missing},
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

/// Reads the evidence as it is now. A gate run counts when it was judged by the policy that is set
/// for the prompt here, or by the default one where none is set: nobody brings their own.
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
                  prompt.prompt_id, cache_cost as "cache_cost: Json<CacheEvidence>"
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
    let gate = sqlx::query!(
        r#"select run_id as "run_id: RunId", suite_id as "suite: SuiteId", suite.name as suite_name,
                  run.revision, suite.revision as revision_now, verdict as "verdict!: Json<GateVerdict>",
                  decided_at as "decided_at!"
           from gate
           join run using (run_id)
           join suite using (suite_id)
           where run.prompt_id = $1 and run.content_hash = $2 and verdict is not null
             and ($3::uuid is null or suite_id = $3) and gate.policy = $4
           order by decided_at desc, run_id desc
           limit 1"#,
        row.prompt_id,
        row.content_hash.as_str(),
        row.suite.map(|suite| suite.0),
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
    let missing = missing(&row.policy.0, &evidence, max_age, n_approvals, now);
    Ok(Decided {
        waits_for_approval: missing.len() == 1 && usize::from(row.policy.approvals) > n_approvals,
        missing,
        evidence,
        requester: row.requester.0,
        author: row.author.0,
        prompt: PromptId(row.prompt_id),
    })
}
