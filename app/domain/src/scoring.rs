//! What scorers say of an output. Native kinds are decided here; for model-graded ones and
//! webhooks here is the question to send and how to read the answer, not the sending.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::suite::Scorer;

#[cfg(feature = "eval")]
mod distance;
#[cfg(feature = "eval")]
mod json;
pub mod judge;
#[cfg(feature = "eval")]
mod native;
#[cfg(feature = "eval")]
mod refusal;
#[cfg(feature = "eval")]
mod texts;
#[cfg(feature = "eval")]
mod tools;
pub mod webhook;

#[cfg(feature = "eval")]
pub use native::score;

/// The longest reason, in characters; longer ones are cut.
pub const MAX_REASON: usize = 1_000;

/// What a model answered, as far as scorers look at it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ModelOutput))]
pub struct Output {
    /// The answer's text; empty where the model only called tools.
    pub text: String,
    /// The calls it made, in the provider's form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<Value>,
    /// Why it stopped, in the provider's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// From sending the request to the last byte, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// What the call cost, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// What one scorer says of one output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Score {
    /// The scorer's word, with `not-` where it is inverted.
    #[serde(rename = "type")]
    pub kind: String,
    /// From 0 to 1.
    pub score: f64,
    /// Whether the output passes.
    pub passed: bool,
    /// Why, in words for a person.
    pub reason: String,
    /// Who judged, where a model did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Judge>,
}

/// Which model judged, asked how: two scores compare only where both are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Judge {
    /// The model's name, with its provider or fingerprint as far as known.
    pub model: String,
    /// The hash of the judge's template: see [`judge::prompt_hash`].
    pub prompt_hash: String,
}

/// Whether a case passed, and how well.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseOutcome {
    /// Whether it passed.
    pub passed: bool,
    /// The mean of the scores by weight, 0 to 1; 0 when nothing counts.
    pub score: f64,
}

impl Score {
    /// A score for `scorer` before `not` is applied: this applies it, cuts the reason and keeps
    /// the score within 0 and 1.
    pub fn of(scorer: &Scorer, passed: bool, score: f64, reason: impl Into<String>) -> Self {
        let score = if score.is_finite() {
            score.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let (passed, score) = if scorer.not {
            (!passed, 1.0 - score)
        } else {
            (passed, score)
        };
        Self {
            kind: scorer.word(),
            score,
            passed,
            reason: cut(&reason.into(), MAX_REASON),
            judge: None,
        }
    }

    /// A score of 0 that fails whether the scorer is inverted or not: what could not be looked
    /// at is never in order.
    pub fn failed(scorer: &Scorer, reason: impl Into<String>) -> Self {
        Self {
            kind: scorer.word(),
            score: 0.0,
            passed: false,
            reason: cut(&reason.into(), MAX_REASON),
            judge: None,
        }
    }
}

/// Whether a case passes, by the scores of the scorers [`crate::suite::scorers_of`] named: with
/// every scorer whose weight is above 0 passing or, where the suite has a `threshold`, with the
/// mean by weight at least that. A case nothing decides about does not pass.
pub fn outcome(scored: &[(Scorer, Score)], threshold: Option<f64>) -> CaseOutcome {
    let counting = || scored.iter().filter(|(scorer, _)| scorer.counts());
    let weight: f64 = counting().map(|(scorer, _)| scorer.weight()).sum();
    if weight <= 0.0 {
        return CaseOutcome {
            passed: false,
            score: 0.0,
        };
    }
    let total: f64 = counting()
        .map(|(scorer, score)| scorer.weight() * score.score)
        .sum();
    let score = (total / weight).clamp(0.0, 1.0);
    let passed = match threshold {
        // A mean of exact thirds may miss its threshold by the last digit only.
        Some(threshold) => score >= threshold - 1e-12,
        None => counting().all(|(_, score)| score.passed),
    };
    CaseOutcome { passed, score }
}

/// At most so many characters, with a sign that something is missing.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A text as reasons quote it: short, on one line.
#[cfg(feature = "eval")]
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", cut(text, 80))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::suite::ScorerKind;

    fn scored(weight: f64, score: f64, passed: bool) -> (Scorer, Score) {
        let mut scorer = Scorer::new(ScorerKind::Contains, Some(json!("x")));
        scorer.weight = Some(weight);
        let score = Score::of(&scorer, passed, score, "");
        (scorer, score)
    }

    #[test]
    fn every_scorer_that_counts_must_pass() {
        let good = scored(1.0, 1.0, true);
        let bad = scored(3.0, 0.2, false);
        let shown_only = scored(0.0, 0.0, false);
        let check = |scored: &[(Scorer, Score)], threshold, passed, score: f64| {
            let found = outcome(scored, threshold);
            assert_eq!(found.passed, passed);
            assert!((found.score - score).abs() < 1e-12, "{found:?}");
        };
        check(&[good.clone(), shown_only.clone()], None, true, 1.0);
        check(&[good.clone(), bad.clone()], None, false, 0.4);
        check(&[good, bad], Some(0.4), true, 0.4);
        check(&[shown_only], None, false, 0.0);
        check(&[], Some(0.0), false, 0.0);
    }

    #[test]
    fn not_inverts_but_a_failure_stays_one() {
        let mut scorer = Scorer::new(ScorerKind::IsJson, None);
        scorer.not = true;
        let inverted = Score::of(&scorer, true, 0.75, "it is");
        assert_eq!((inverted.passed, inverted.score), (false, 0.25));
        assert!(!Score::failed(&scorer, "no output").passed);
        assert!(Score::of(&scorer, true, f64::NAN, "").score.is_finite());
    }

    #[test]
    fn a_score_has_the_apis_shape() {
        let score = scored(1.0, 1.0, true).1;
        assert_eq!(
            serde_json::to_value(&score).unwrap(),
            json!({"type": "contains", "score": 1.0, "passed": true, "reason": ""})
        );
        assert_eq!(
            cut(&"ä".repeat(2_000), MAX_REASON).chars().count(),
            MAX_REASON + 1
        );
    }
}
