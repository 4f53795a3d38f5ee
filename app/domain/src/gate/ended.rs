//! Judging runs that are over, however they ended. A run that broke says nothing about a version:
//! neither may a candidate pass because its baseline was not there, nor fail because a provider was away.

use super::{CasePair, GatePolicy, GateVerdict, Verdict, cases, judge};
use crate::run::RunStatus;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Completed, failed or cancelled.
    pub status: RunStatus,
    /// Why it failed.
    pub failure: Option<String>,
    /// Cases that count as failed only because the provider gave no answer.
    pub n_unanswered: u64,
}

impl Ended {
    /// Why the whole run cannot be relied on.
    fn breakage(&self, whose: &str) -> Option<String> {
        if self.status == RunStatus::Completed {
            return None;
        }
        let why = self.failure.as_ref().map(|why| format!(": {why}"));
        Some(format!(
            "the {whose}'s run is {}{}",
            self.status.word(),
            why.unwrap_or_default()
        ))
    }
}

/// [`judge`] for runs that are over. Nothing is decided when one of them did not complete, when the
/// provider left cases of the baseline without an answer, or when the candidate fails only by cases
/// that the provider did not answer. `answered` are the pairs whose candidate got an answer.
pub fn judge_ended(
    policy: &GatePolicy,
    pairs: &[CasePair],
    answered: &[CasePair],
    candidate: &Ended,
    baseline: Option<&Ended>,
) -> GateVerdict {
    let mut found = judge(policy, pairs);
    let broken = candidate
        .breakage("candidate")
        .map(|why| format!("{why}, so nothing can be said of it"))
        .or_else(|| {
            let why = baseline?.breakage("baseline")?;
            Some(format!("{why}, so there is nothing to compare with"))
        })
        .or_else(|| {
            let n = baseline?.n_unanswered;
            (n > 0).then(|| {
                format!(
                    "the provider gave no answer to {n} {} of the baseline's run, so a loss there could not be seen: ask again",
                    cases(n)
                )
            })
        })
        .or_else(|| {
            let n = candidate.n_unanswered;
            let fails_anyhow =
                !answered.is_empty() && judge(policy, answered).verdict == Verdict::Fail;
            (n > 0 && found.verdict == Verdict::Fail && !fails_anyhow).then(|| {
                format!(
                    "the provider gave no answer to {n} of {} {}, and nothing else fails: ask again",
                    found.n_cases,
                    cases(found.n_cases)
                )
            })
        });
    if let Some(why) = broken {
        found.verdict = Verdict::Inconclusive;
        found.reasons.insert(0, why);
    }
    found
}
