//! The demo's suites and what came of running them: real labelled data, and the answers a real small
//! model gave to it (`make model`), recorded by the product. See `data/README.md`.

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    prompt::PromptName,
    run::{AnsweredBy, CaseResult},
    scoring::{self, Output},
    suite::{self, Case, NewSuite, Origin, Scorer},
};
use serde::Deserialize;
use serde_json::{Value, json};
use store::runs::work::Claimed;

use super::script::{Action, Step, moment};

/// Which model answered.
pub const MODEL: &str = "SmolLM2-135M-Instruct";
/// What its server said that changes with the model behind the name.
pub const FINGERPRINT: &str = "b0-unknown";

/// A suite, and what was run on it.
struct Script {
    prompt: &'static str,
    name: &'static str,
    /// The kind of scorer that applies to every case.
    scorer: &'static str,
    data: &'static str,
    at: &'static str,
    /// Since when production asks for this suite.
    gated: &'static str,
    runs: &'static [RunScript],
}

/// A run whose answers were recorded.
struct RunScript {
    version: i32,
    at: &'static str,
    /// Whether the gate was asked, or just an eval launched.
    is_gate: bool,
    answers: &'static str,
}

macro_rules! run {
    ($version:literal, $at:literal, $is_gate:literal, $file:literal) => {
        RunScript {
            version: $version,
            at: $at,
            is_gate: $is_gate,
            answers: include_str!(concat!("data/recorded/", $file)),
        }
    };
}

const SUITES: &[Script] = &[
    Script {
        prompt: "moderation/sms-spam",
        name: "SMS spam, 120 labelled messages",
        scorer: "iequals",
        data: include_str!("data/sms_spam.jsonl"),
        at: "39d 10:00",
        gated: "13d 17:20",
        runs: &[
            run!(1, "39d 11:30", false, "sms-spam-1.jsonl"),
            run!(2, "38d 14:20", false, "sms-spam-2.jsonl"),
            run!(3, "12d 10:45", true, "sms-spam-3.jsonl"),
            run!(4, "2d 16:55", true, "sms-spam-4.jsonl"),
        ],
    },
    Script {
        prompt: "reviews/sentiment",
        name: "Yelp sentiment, 150 labelled sentences",
        scorer: "icontains",
        data: include_str!("data/sentiment_yelp.jsonl"),
        at: "29d 14:10",
        gated: "20d 09:30",
        runs: &[
            run!(1, "29d 14:40", false, "sentiment-1.jsonl"),
            run!(2, "20d 14:00", true, "sentiment-2.jsonl"),
            run!(3, "5h", true, "sentiment-3.jsonl"),
        ],
    },
];

/// A case's answer, as it was recorded.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer(String, Option<String>, f64, Option<f64>, i32, i32);

/// The steps of all suites.
pub fn steps(now: DateTime<Utc>) -> anyhow::Result<Vec<Step>> {
    let mut steps = Vec::new();
    for script in SUITES {
        script
            .play(now, &mut steps)
            .with_context(|| format!("the suite {:?}", script.name))?;
    }
    Ok(steps)
}

impl Script {
    fn play(&self, now: DateTime<Utc>, steps: &mut Vec<Step>) -> anyhow::Result<()> {
        let mut step = |at: &str, by: &str, action: Action| -> anyhow::Result<()> {
            steps.push(Step {
                at: moment(at, now)?,
                by: by.to_owned(),
                action,
            });
            Ok(())
        };
        let prompt = PromptName::parse(self.prompt)?;
        let new = json!({
            "name": self.name, "prompt": prompt, "scorers": [{ "type": self.scorer }],
        });
        let new = NewSuite::parse(&new).map_err(words)?;
        step(self.at, "editor", Action::Suite(new))?;
        let cases = self
            .data
            .lines()
            .map(|line| Case::parse(&serde_json::from_str(line)?, Origin::Import).map_err(words))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let n_cases = cases.len();
        let suite = self.name;
        step(self.at, "editor", Action::Cases { suite, cases })?;
        step(
            self.gated,
            "admin",
            Action::GateRule {
                prompt: prompt.clone(),
                suite,
            },
        )?;
        for run in self.runs {
            let answers = run
                .answers
                .lines()
                .map(serde_json::from_str)
                .collect::<Result<Vec<Answer>, _>>()?;
            ensure!(
                answers.len() == n_cases,
                "version {} has {} answers to {n_cases} cases",
                run.version,
                answers.len()
            );
            step(
                run.at,
                "editor",
                Action::Run {
                    prompt: prompt.clone(),
                    version: run.version,
                    suite,
                    is_gate: run.is_gate,
                    answers,
                },
            )?;
        }
        Ok(())
    }
}

fn words(errors: Vec<domain::field::FieldError>) -> anyhow::Error {
    let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(words.join("; "))
}

impl Answer {
    /// How long it took.
    pub fn took(&self) -> TimeDelta {
        TimeDelta::microseconds(micros(self.2))
    }

    /// The result it makes, judged by the product's own scorers.
    pub fn result(&self, claimed: &Claimed, scorers: &[Scorer]) -> anyhow::Result<CaseResult> {
        self.result_of(claimed, scorers, FINGERPRINT)
    }

    /// The same from a host that gives another fingerprint.
    pub fn result_of(
        &self,
        claimed: &Claimed,
        scorers: &[Scorer],
        fingerprint: &str,
    ) -> anyhow::Result<CaseResult> {
        let Self(text, finish_reason, latency_ms, ttft_ms, input_tokens, output_tokens) = self;
        let output = Output {
            text: text.clone(),
            tool_calls: Vec::new(),
            finish_reason: finish_reason.clone(),
            latency_ms: Some(*latency_ms),
            cost_usd: None,
        };
        let expected = claimed.case.expected.as_ref();
        let scored: Vec<_> = suite::scorers_of(scorers, &claimed.case)
            .map_err(words)?
            .into_iter()
            .map(|scorer| {
                let score = scoring::score(&scorer, expected, &output, None::<&[Value]>);
                (scorer, score)
            })
            .collect();
        let outcome = scoring::outcome(&scored, None);
        Ok(CaseResult {
            case: claimed.id,
            repeat: claimed.repeat,
            position: claimed.position,
            output: Some(output.text),
            tool_calls: None,
            finish_reason: finish_reason.clone(),
            passed: outcome.passed,
            score: Some(outcome.score),
            scores: scored.into_iter().map(|(_, score)| score).collect(),
            error: None,
            latency_ms: Some(*latency_ms),
            ttft_ms: *ttft_ms,
            input_tokens: Some(*input_tokens),
            output_tokens: Some(*output_tokens),
            cache_read_tokens: None,
            cache_write_tokens: None,
            cost_usd: None,
            answered_by: Some(AnsweredBy {
                model: MODEL.to_owned(),
                fingerprint: Some(fingerprint.to_owned()),
                left_out: Vec::new(),
                n_tries: 1,
            }),
        })
    }
}

/// Milliseconds as whole microseconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "recorded times are below a minute"
)]
fn micros(ms: f64) -> i64 {
    (ms * 1_000.0) as i64
}
