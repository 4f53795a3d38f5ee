//! What a promotion is decided on, and what it still needs. An approval counts for exactly the
//! evidence it was given on: a new gate run, a newer version or another version that serves makes
//! other evidence, and with it the approvals begin again.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Policy, PromotionStatus};
use crate::{
    actor::Who,
    cache::budget::CacheEvidence,
    content::ContentHash,
    experiment::{self, ArmResult, ComparisonResult, Results},
    gate::Verdict,
    id::{ExperimentId, RunId, SuiteId},
};

/// What a promotion is decided on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// What is to serve.
    pub content_hash: ContentHash,
    /// The version that serves now: what the difference is taken from.
    pub serves: Option<i32>,
    /// The newest version of the prompt.
    pub newest: i32,
    /// The gate run that counts, if there is one.
    pub gate: Option<GateEvidence>,
    /// What the change costs in cache misses, as it was reckoned when the promotion was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_cost: Option<CacheEvidence>,
    /// What the experiment came to that the version won, as it stood when the promotion was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<ExperimentEvidence>,
}

/// An experiment in which the version was an arm, frozen with the request: what it comes to later
/// does not change what was decided on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentEvidence {
    /// The experiment.
    pub id: ExperimentId,
    /// Its name.
    pub name: String,
    /// The primary metric.
    pub metric: String,
    /// The arm whose version is to serve.
    pub arm: String,
    /// What it came to.
    pub verdict: experiment::Verdict,
    /// What every arm counted, the control first.
    pub arms: Vec<ArmResult>,
    /// The arm against the control; none where it is the control itself.
    pub comparison: Option<ComparisonResult>,
    /// When it was read.
    pub frozen_at: DateTime<Utc>,
}

impl ExperimentEvidence {
    /// From the results of now, for the arm of that name.
    #[must_use]
    pub fn of(
        id: ExperimentId,
        name: &str,
        metric: &str,
        arm: &str,
        results: Results,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            name: name.to_owned(),
            metric: metric.to_owned(),
            arm: arm.to_owned(),
            verdict: results.verdict,
            arms: results.arms,
            comparison: results.comparisons.into_iter().find(|one| one.arm == arm),
            frozen_at: now,
        }
    }

    /// Everything that the other numbers are worked out from.
    fn named(&self) -> serde_json::Value {
        let counts: Vec<_> = self
            .arms
            .iter()
            .map(|arm| (&arm.name, arm.version, arm.units, arm.successes))
            .collect();
        serde_json::json!([
            self.id,
            self.arm,
            self.verdict.kind,
            self.verdict.sentence,
            counts,
            self.frozen_at
        ])
    }
}

/// A decided gate run on the same content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateEvidence {
    /// The candidate's run.
    pub run_id: RunId,
    /// On which suite.
    pub suite: SuiteId,
    /// The suite's name.
    pub suite_name: String,
    /// What the suite held.
    pub revision: i32,
    /// What the suite holds now: another one makes the run outdated.
    pub revision_now: i32,
    /// How many cases ran; 0 where that was not written down.
    #[serde(default)]
    pub n_cases: u64,
    /// What was found.
    pub verdict: Verdict,
    /// In words.
    pub sentence: String,
    /// When.
    pub decided_at: DateTime<Utc>,
}

/// For how long a gate run counts unless the gate's policy says otherwise, in hours.
pub const MAX_AGE_HOURS: u32 = 7 * 24;

impl Evidence {
    /// Names the evidence: SHA-256 over its JSON, lower-case hex. What only ages does not change it,
    /// and the cache's cost is frozen with the request.
    #[must_use]
    pub fn hash(&self) -> String {
        let gate = self
            .gate
            .as_ref()
            .map(|gate| (gate.run_id, gate.verdict, gate.revision_now));
        let mut named = vec![serde_json::json!([
            self.content_hash,
            self.serves,
            self.newest,
            gate
        ])];
        named.extend(self.experiment.as_ref().map(ExperimentEvidence::named));
        // Without an experiment the name is what it was before there were any here.
        let named = match named.as_slice() {
            [only] => only.to_string(),
            all => serde_json::json!(all).to_string(),
        };
        crate::audit::hex(&Sha256::digest(named))
    }

    fn gate_missing(
        &self,
        suite: Option<&str>,
        max_age_hours: u32,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let Some(gate) = &self.gate else {
            let on = suite.map(|suite| format!(" with the suite {suite}"));
            let on = on.unwrap_or_default();
            return Some(format!("a passed gate run on this content{on}"));
        };
        if gate.verdict != Verdict::Pass {
            return Some(format!(
                "a passed gate run: the last one on {} says {}",
                gate.suite_name,
                gate.verdict.word()
            ));
        }
        if gate.revision != gate.revision_now {
            return Some(format!(
                "a gate run on {} as it is now: revision {} was run, it is at {}",
                gate.suite_name, gate.revision, gate.revision_now
            ));
        }
        if now - gate.decided_at > TimeDelta::hours(max_age_hours.into()) {
            return Some(format!(
                "a newer gate run: the last one is older than {max_age_hours} hours"
            ));
        }
        None
    }
}

/// An approval of a promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Approval {
    /// Who gave it.
    pub by: Who,
    /// What they said.
    pub comment: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it counts for the evidence as it is now.
    pub counts: bool,
}

/// Something said about a promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Comment {
    /// Who said it.
    pub by: Who,
    /// What.
    pub text: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What a promotion still needs, in words; nothing means that it can be executed. `suite` is the one
/// whose runs count.
#[must_use]
pub fn missing(
    policy: &Policy,
    evidence: &Evidence,
    suite: Option<&str>,
    max_age_hours: u32,
    n_approvals: usize,
    now: DateTime<Utc>,
) -> Vec<String> {
    let gate = policy
        .gate
        .then(|| evidence.gate_missing(suite, max_age_hours, now))
        .flatten();
    let wanted = usize::from(policy.approvals).saturating_sub(n_approvals);
    let approvals = match wanted {
        0 => None,
        1 => Some("1 approval by an approver who neither wrote nor asked for it".to_owned()),
        _ => Some(format!(
            "{wanted} approvals by approvers who neither wrote nor asked for it"
        )),
    };
    gate.into_iter().chain(approvals).collect()
}

/// An open promotion's status, from what it still needs.
#[must_use]
pub const fn open_status(missing: &[String]) -> PromotionStatus {
    if missing.is_empty() {
        PromotionStatus::Approved
    } else {
        PromotionStatus::Waiting
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn evidence(verdict: Option<Verdict>) -> Evidence {
        Evidence {
            content_hash: serde_json::from_value("ab".repeat(32).into()).unwrap(),
            serves: Some(8),
            newest: 9,
            gate: verdict.map(|verdict| GateEvidence {
                run_id: RunId(Uuid::nil()),
                suite: SuiteId(Uuid::nil()),
                suite_name: "golden".to_owned(),
                revision: 3,
                revision_now: 3,
                n_cases: 50,
                verdict,
                sentence: String::new(),
                decided_at: at(0),
            }),
            cache_cost: None,
            experiment: None,
        }
    }

    #[track_caller]
    fn check(evidence: &Evidence, n_approvals: usize, hours: i64, expected: &[&str]) {
        let suite = Some("golden");
        let found = missing(
            &Policy::guarded(),
            evidence,
            suite,
            24,
            n_approvals,
            at(hours),
        );
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_missing_is_said() {
        let approval = "1 approval by an approver who neither wrote nor asked for it";
        check(
            &evidence(None),
            0,
            1,
            &[
                "a passed gate run on this content with the suite golden",
                approval,
            ],
        );
        check(&evidence(Some(Verdict::Pass)), 0, 1, &[approval]);
        check(&evidence(Some(Verdict::Pass)), 1, 24, &[]);
        check(
            &evidence(Some(Verdict::Pass)),
            1,
            25,
            &["a newer gate run: the last one is older than 24 hours"],
        );
        check(
            &evidence(Some(Verdict::Fail)),
            1,
            1,
            &["a passed gate run: the last one on golden says fail"],
        );
        let mut outdated = evidence(Some(Verdict::Pass));
        if let Some(gate) = &mut outdated.gate {
            gate.revision_now = 4;
        }
        check(
            &outdated,
            2,
            1,
            &["a gate run on golden as it is now: revision 3 was run, it is at 4"],
        );
    }

    #[test]
    fn other_evidence_has_another_hash() {
        let first = evidence(Some(Verdict::Pass));
        let mut later = first.clone();
        later.newest = 10;
        let mut served = first.clone();
        served.serves = None;
        assert_eq!(first.hash(), first.clone().hash());
        assert_ne!(first.hash(), later.hash());
        assert_ne!(first.hash(), served.hash());
        assert_ne!(first.hash(), evidence(None).hash());
        let shipped = |sentence: &str| Evidence {
            experiment: Some(ExperimentEvidence {
                id: ExperimentId(Uuid::nil()),
                name: "shorter".to_owned(),
                metric: "resolved".to_owned(),
                arm: "B".to_owned(),
                verdict: experiment::Verdict {
                    kind: experiment::VerdictKind::Better,
                    sentence: sentence.to_owned(),
                    arm: Some("B".to_owned()),
                },
                arms: Vec::new(),
                comparison: None,
                frozen_at: at(0),
            }),
            ..first.clone()
        };
        assert_ne!(first.hash(), shipped("B wins.").hash());
        assert_ne!(shipped("B wins.").hash(), shipped("A wins.").hash());
        let read: Evidence = serde_json::from_value(serde_json::json!(shipped("B wins."))).unwrap();
        assert_eq!(read.hash(), shipped("B wins.").hash());
    }
}
