//! The demo's experiments, in four states: a clear winner, one that is too early to tell, one whose
//! split is broken and one that breaks a guardrail. Their units are assigned by the rules that
//! clients use, and their events taken in and rolled up as anybody's.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use domain::{
    actor::Actor,
    experiment::{Assignment, Experiment, Plan, Rules, Status},
    monitor::{Call, Event, Kind},
    page::PageRequest,
    prompt::PRODUCTION,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use store::{Store, events, experiments};
use uuid::Uuid;

use super::script::{Action, Step};

/// Events in one request.
const BATCH: usize = 2_500;

/// What an experiment is about, and what its arms are really like.
#[derive(Debug)]
pub struct Tale {
    /// As people call it.
    pub name: &'static str,
    hypothesis: &'static str,
    pub prompt: &'static str,
    /// Versions: what serves, and what is tried against it.
    arms: [(&'static str, i32); 2],
    primary_metric: &'static str,
    decision: &'static str,
    minimum_effect: f64,
    units_per_day: u32,
    days: u32,
    /// How long it has been running.
    began_hours: i64,
    /// Units that have come so far.
    n_units: usize,
    pub behaviour: Behaviour,
}

/// What the arms are really like, control first.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// The chance of a success.
    pub rates: [f64; 2],
    /// The median time of an answer.
    pub latency_ms: [f64; 2],
    /// The share of the challenger's exposures that are never reported.
    lost: f64,
}

/// What nobody told is ordinary.
pub const ORDINARY: Behaviour = Behaviour {
    rates: [0.60, 0.64],
    latency_ms: [900.0, 920.0],
    lost: 0.0,
};

/// All of them.
pub const TALES: [Tale; 4] = [
    Tale {
        name: "Refund answers that offer the next step",
        hypothesis: "Naming the next step at the end of the answer resolves more refund questions without a second mail.",
        prompt: "support/refund-policy",
        arms: [("today", 5), ("next step", 7)],
        primary_metric: "resolved",
        decision: "fixed",
        minimum_effect: 0.06,
        units_per_day: 300,
        days: 10,
        began_hours: 180,
        n_units: 2_400,
        behaviour: Behaviour {
            rates: [0.615, 0.72],
            latency_ms: [910.0, 930.0],
            lost: 0.0,
        },
    },
    Tale {
        name: "Shorter subject lines",
        hypothesis: "Subject lines under 40 characters are opened more often on phones.",
        prompt: "marketing/subject-lines",
        arms: [("today", 4), ("short", 5)],
        primary_metric: "opened",
        decision: "fixed",
        minimum_effect: 0.03,
        units_per_day: 450,
        days: 21,
        began_hours: 48,
        n_units: 900,
        behaviour: Behaviour {
            rates: [0.31, 0.33],
            latency_ms: [620.0, 600.0],
            lost: 0.0,
        },
    },
    Tale {
        name: "Glossary in UI translations",
        hypothesis: "With the glossary in the prompt, fewer translated strings are corrected by hand.",
        prompt: "translate/ui-strings",
        arms: [("today", 5), ("glossary", 6)],
        primary_metric: "kept",
        decision: "sequential",
        minimum_effect: 0.04,
        units_per_day: 420,
        days: 14,
        began_hours: 140,
        n_units: 2_400,
        behaviour: Behaviour {
            rates: [0.78, 0.81],
            latency_ms: [740.0, 760.0],
            // Its longer answers run into the old app's time limit, which then reports nothing.
            // Enough of them that the alarm does not hang on how the salt happens to split.
            lost: 0.26,
        },
    },
    Tale {
        name: "Thread summaries with quotes",
        hypothesis: "Summaries that quote the decisive sentence are accepted without opening the thread.",
        prompt: "support/summarise-thread",
        arms: [("today", 4), ("with quotes", 5)],
        primary_metric: "accepted",
        decision: "sequential",
        minimum_effect: 0.05,
        units_per_day: 400,
        days: 14,
        began_hours: 96,
        n_units: 1_600,
        behaviour: Behaviour {
            rates: [0.66, 0.69],
            latency_ms: [1_150.0, 1_720.0],
            lost: 0.0,
        },
    },
];

impl Tale {
    /// What was planned.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        let arms: Vec<_> = self
            .arms
            .iter()
            .map(|(name, version)| json!({ "name": name, "version": version, "weight": 1 }))
            .collect();
        let plan = json!({
            "name": self.name, "hypothesis": self.hypothesis, "prompt": self.prompt,
            "environment": PRODUCTION, "arms": arms, "traffic": 1, "unit": "user",
            "primary_metric": self.primary_metric, "decision": self.decision,
            "alpha": 0.05, "power": 0.8, "baseline": self.behaviour.rates[0],
            "minimum_effect": self.minimum_effect, "units_per_day": self.units_per_day, "days": self.days,
            "guardrails": [
                { "metric": "latency_ms", "direction": "lower", "margin": 200 },
                { "metric": "cost_usd", "direction": "lower", "margin": 0.002 },
                { "metric": "error_rate", "direction": "lower", "margin": 0.02 },
            ],
        });
        Plan::parse(plan).map_err(|errors| {
            let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
            anyhow!("{}: {}", self.name, words.join("; "))
        })
    }
}

/// How they came to run: two entries in the trail for each.
pub fn steps(now: DateTime<Utc>) -> impl Iterator<Item = Step> {
    TALES.iter().flat_map(move |tale| {
        let started = now - TimeDelta::hours(tale.began_hours);
        let step = |at, action| Step {
            at,
            by: "editor".to_owned(),
            action,
        };
        [
            step(started - TimeDelta::minutes(25), Action::Plan(tale)),
            step(started, Action::Start(tale)),
        ]
    })
}

/// Starts what was planned.
pub async fn start(
    store: &Store,
    by: &Actor,
    tale: &Tale,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let found = find(store, by, Status::Draft).await?;
    let draft = found.get(tale.name).context("it was not planned")?;
    experiments::start(store, by, draft.id, at).await?;
    Ok(())
}

async fn find(
    store: &Store,
    by: &Actor,
    status: Status,
) -> anyhow::Result<HashMap<String, Experiment>> {
    let filter = experiments::Filter {
        status: Some(status),
        ..experiments::Filter::default()
    };
    let found = experiments::list(store, by, &filter, &PageRequest::first(100)).await?;
    Ok(found
        .items
        .into_iter()
        .map(|experiment| (experiment.plan.name.clone(), experiment))
        .collect())
}

/// Everything their units did until now. Ids are the same each time, so that a start that was
/// interrupted half-way counts nothing twice.
pub async fn fill(store: &Store, operator: &Actor, now: DateTime<Utc>) -> anyhow::Result<()> {
    let running = find(store, operator, Status::Running).await?;
    for (seed, tale) in (1..).zip(&TALES) {
        let Some(experiment) = running.get(tale.name) else {
            continue;
        };
        let told = history(tale, experiment, seed, now);
        for batch in told.chunks(BATCH) {
            let batch: Vec<(usize, Event)> = batch.iter().cloned().enumerate().collect();
            let done = events::ingest(store, operator, &batch, now).await?;
            if let Some(rejected) = done.rejected.first() {
                anyhow::bail!("{}: {}", tale.name, rejected.reason);
            }
        }
    }
    while events::roll_up(store, now).await? > 0 {}
    Ok(())
}

/// What the units of an experiment did, in order.
fn history(tale: &Tale, experiment: &Experiment, seed: u64, now: DateTime<Utc>) -> Vec<Event> {
    let mut dice = StdRng::seed_from_u64(seed);
    let rules = experiment.rules();
    let began = experiment.started_at.unwrap_or(now);
    let seconds = i32::try_from((now - began).num_seconds()).unwrap_or(i32::MAX);
    let mut told = Vec::with_capacity(tale.n_units * 3);
    let mut n_in_arm = vec![0.0; rules.arms.len()];
    for _ in 0..tale.n_units {
        let (unit, arm) = a_unit(&rules, &mut n_in_arm, &mut dice);
        let at = loop {
            let at = began + TimeDelta::seconds(dice.random_range(1..seconds.max(2)).into());
            if dice.random_bool(activity(at)) {
                break at;
            }
        };
        let is_lost = arm == 1 && dice.random_bool(tale.behaviour.lost);
        let visit = visit(tale, experiment, &unit, arm, at, &mut dice);
        if !is_lost {
            told.extend(visit.into_iter().filter(|event| event.at <= now));
        }
    }
    told.sort_by_key(|event| event.at);
    told
}

/// A unit that takes part, and its arm. An experiment's salt is its id, new in each demo, and one salt
/// in a thousand splits these few units so unevenly that the alarm sounds, and rightly: units of an
/// arm that is more than two standard deviations ahead are passed over.
fn a_unit(rules: &Rules, n_in_arm: &mut [f64], dice: &mut impl Rng) -> (String, usize) {
    let weights: f64 = rules.arms.iter().map(|arm| arm.weight).sum();
    loop {
        let unit = format!("user-{:08x}", dice.random::<u32>());
        let Assignment::Arm(arm) = rules.assign(&unit) else {
            continue;
        };
        let n_units = n_in_arm.iter().sum::<f64>() + 1.0;
        let share = rules.arms[arm].weight / weights;
        let ahead = n_in_arm[arm] + 1.0 - share * n_units;
        if ahead <= 1.0 + 2.0 * (n_units * share * (1.0 - share)).sqrt() {
            n_in_arm[arm] += 1.0;
            return (unit, arm);
        }
    }
}

/// How much is going on at this hour: most in the afternoon, little at night.
pub fn activity(at: DateTime<Utc>) -> f64 {
    let hour = f64::from(at.hour()) + f64::from(at.minute()) / 60.0;
    0.15 + 0.85 * ((hour - 2.0) / 24.0 * std::f64::consts::PI).sin().powi(2)
}

/// One unit's visit: it is shown an arm, a model is called, and something comes of it.
fn visit(
    tale: &Tale,
    experiment: &Experiment,
    unit: &str,
    arm: usize,
    at: DateTime<Utc>,
    dice: &mut StdRng,
) -> [Event; 3] {
    let plan = &experiment.plan;
    let mut event = |kind, at| Event {
        id: Uuid::from_u128(dice.random()),
        kind,
        at,
        prompt: Some(tale.prompt.to_owned()),
        version: plan.arms.get(arm).map(|arm| arm.version),
        environment: Some(PRODUCTION.to_owned()),
        unit: Some(unit.to_owned()),
        experiment: Some(experiment.id.0),
        arm: plan.arms.get(arm).map(|arm| arm.name.clone()),
        metric: None,
        value: None,
        call: Call::default(),
        variables: None,
        output: None,
    };
    let exposure = event(Kind::Exposure, at);
    let answered = at + TimeDelta::milliseconds(1_500);
    let mut generation = event(Kind::Generation, answered);
    let mut outcome = event(Kind::Outcome, answered);
    generation.call = call(tale.behaviour.latency_ms[arm.min(1)], dice);
    outcome.at += TimeDelta::seconds(dice.random_range(20..1_800));
    outcome.metric = Some(tale.primary_metric.to_owned());
    outcome.value = Some(f64::from(u8::from(
        dice.random_bool(tale.behaviour.rates[arm.min(1)]),
    )));
    [exposure, generation, outcome]
}

/// A model's call, as calls are: most near the median, some much slower, a few failed.
pub fn call(median_ms: f64, dice: &mut impl Rng) -> Call {
    // Box and Muller's way to the normal distribution.
    let (one, other): (f64, f64) = (dice.random_range(f64::EPSILON..1.0), dice.random());
    let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
    let latency_ms = (median_ms * (0.35 * normal).exp()).round();
    let (input, output) = (dice.random_range(600..1_400), dice.random_range(60..260));
    Call {
        latency_ms: Some(latency_ms),
        ttft_ms: Some((latency_ms * 0.3).round()),
        input_tokens: Some(input),
        output_tokens: Some(output),
        cache_read_tokens: Some(input / 2),
        cache_write_tokens: Some(0),
        cost_usd: Some(f64::from(i32::try_from(3 * input + 15 * output).unwrap_or_default()) / 1e6),
        model: Some("claude-sonnet-4-6".to_owned()),
        error: dice.random_bool(0.004).then(|| "timeout".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_is_one() {
        for tale in &TALES {
            let plan = tale.plan().unwrap();
            assert_eq!(plan.arms.len(), 2, "{}", tale.name);
        }
    }

    #[test]
    fn units_are_split_as_planned_whatever_the_salt() {
        let arm = |name: &str, version| domain::experiment::Arm {
            name: name.to_owned(),
            version,
            weight: 1.0,
        };
        for seed in 0..300 {
            let rules = Rules {
                id: Uuid::nil().into(),
                prompt: domain::prompt::PromptName::parse("p").unwrap(),
                environment: PRODUCTION.to_owned(),
                unit: domain::experiment::Unit::User,
                salt: format!("salt {seed}"),
                layer: None,
                traffic_from: 0.0,
                traffic: 1.0,
                arms: vec![arm("A", 1), arm("B", 2)],
            };
            let mut n_in_arm = vec![0.0; 2];
            let mut dice = StdRng::seed_from_u64(seed);
            for _ in 0..900 {
                a_unit(&rules, &mut n_in_arm, &mut dice);
            }
            assert!(
                (n_in_arm[0] - n_in_arm[1]).abs() <= 62.0,
                "{seed}: {n_in_arm:?}"
            );
        }
    }
}
