//! Who gets which version while an experiment runs: decided from memory, by the rules that
//! `domain` and the stream's `experiment` event hold, so that a client may decide by itself.

use std::{collections::HashMap, sync::Arc};

use axum::{body::Bytes, http::HeaderValue};
use domain::experiment::{Assignment, Rules};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::serving::RunningExperiment;

use crate::snapshot::ServedPrompt;

/// A running experiment with its arms ready to be sent.
pub struct Running {
    /// Who gets which arm.
    pub rules: Rules,
    arms: Vec<Arc<ServedPrompt>>,
}

/// What runs in one environment, by prompt.
type Environment = HashMap<Box<str>, Arc<Running>>;

/// The experiments that run in a project, by environment and prompt.
#[derive(Clone, Default)]
pub struct Experiments(Arc<HashMap<Box<str>, Environment>>);

/// What one request gets while an experiment runs.
pub struct Choice {
    /// The version; none where it is what everybody gets.
    pub served: Option<Arc<ServedPrompt>>,
    /// What the answer says about the experiment.
    pub experiment: Value,
    /// The arm the unit takes part in.
    pub arm: Option<usize>,
}

impl Running {
    /// Decides for one request. Never at random: without a unit it is the control.
    #[must_use]
    pub fn choose(&self, unit: Option<&str>) -> Choice {
        let Some(unit) = unit else {
            return self.control(Value::Null, "no unit");
        };
        match self.rules.assign(unit) {
            Assignment::LeftOut => self.control(json!(unit), "not in traffic"),
            Assignment::Arm(position) => Choice {
                served: self.arms.get(position).cloned(),
                experiment: json!({
                    "id": self.rules.id,
                    "arm": self.rules.arms.get(position).map(|arm| &arm.name),
                    "unit": unit,
                }),
                arm: Some(position),
            },
        }
    }

    /// Puts each arm's whole prompt into rules as they are sent, for clients that decide by
    /// themselves: the members of a resolve, as `content` of the arm.
    pub fn put_contents(&self, rules: &mut Value) {
        let arms = rules.get_mut("arms").and_then(Value::as_array_mut);
        for (arm, served) in arms.into_iter().flatten().zip(&self.arms) {
            if let Ok(content) = serde_json::from_slice(&served.body) {
                arm["content"] = content;
            }
        }
    }

    fn control(&self, unit: Value, reason: &str) -> Choice {
        Choice {
            served: None,
            experiment: json!({ "id": self.rules.id, "arm": null, "unit": unit, "reason": reason }),
            arm: None,
        }
    }
}

impl Experiments {
    /// Prepares what runs.
    #[must_use]
    pub fn new(running: Vec<RunningExperiment>) -> Self {
        let mut by_environment: HashMap<Box<str>, Environment> = HashMap::new();
        for RunningExperiment { rules, arms } in running {
            let prompt = Box::from(rules.prompt.as_str());
            let arms = arms
                .into_iter()
                .map(|arm| Arc::new(ServedPrompt::new(arm)))
                .collect();
            by_environment
                .entry(Box::from(rules.environment.as_str()))
                .or_default()
                .insert(prompt, Arc::new(Running { rules, arms }));
        }
        Self(Arc::new(by_environment))
    }

    /// The experiment that runs on a prompt there.
    #[must_use]
    pub fn of(&self, environment: &str, prompt: &str) -> Option<&Arc<Running>> {
        self.0.get(environment)?.get(prompt)
    }

    /// All that run in an environment, for streams.
    pub fn in_environment<'e>(&'e self, environment: &str) -> impl Iterator<Item = &'e Running> {
        self.0
            .get(environment)
            .into_iter()
            .flat_map(HashMap::values)
            .map(|running| &**running)
    }
}

/// The answer to a resolve with what it says about an experiment, and its tag.
#[must_use]
pub fn body_with(served: &ServedPrompt, experiment: &Value) -> (Bytes, HeaderValue) {
    // The prepared body ends with `"experiment":null}`.
    const TAIL: &[u8] = b"null}";
    let said = experiment.to_string();
    let start = served.body.strip_suffix(TAIL).unwrap_or(&served.body);
    let mut body = Vec::with_capacity(start.len() + said.len() + 1);
    body.extend_from_slice(start);
    body.extend_from_slice(said.as_bytes());
    body.push(b'}');
    // The version's tag covers the rest: hashing the whole prompt for every unit would cost more
    // than everything else here.
    let tag = served.etag.to_str().unwrap_or_default().trim_matches('"');
    let etag = format!(
        "\"{tag}-{}\"",
        hex::encode(&Sha256::digest(said.as_bytes())[..8])
    );
    (
        Bytes::from(body),
        HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\"")),
    )
}
