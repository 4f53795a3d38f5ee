//! Drift in the demo's history: two prompts are checked every day for a while. What the model
//! answers in a check was recorded (see `data/README.md`); for the reviews, from some day on, a part
//! of the answers are those that the same model gave to an older version, as if its host had put
//! another model behind the name. Runs, scorers and verdicts are the product's own.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use domain::{
    actor::Actor,
    monitor::{Event, Kind},
    prompt::{PRODUCTION, PromptName},
    schedule::Schedule,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use store::{Store, drift, events, runs::work};
use uuid::Uuid;

use super::{
    evals::{Answer, FINGERPRINT, MODEL},
    experiments,
    player::Player,
    script::{Action, Step, moment},
};

/// What the host says once another model is behind the name.
const OTHER_FINGERPRINT: &str = "b1-unknown";
/// Claimed at a time.
const PORTION: i64 = 50;
/// Calls a day that are reported with their variables.
const CALLS_A_DAY: i64 = 40;

/// A prompt that is checked each day at that hour.
struct Tale {
    prompt: &'static str,
    /// The version that serves.
    version: i32,
    /// When somebody wanted it daily, and when that was enough.
    daily_from: &'static str,
    daily_until: &'static str,
    hour: u32,
    /// What the model answered to the version that serves, and to another one.
    own: &'static str,
    other: &'static str,
    /// By day, the first one first: how many cases get the other answer.
    n_others: &'static [usize],
    /// What people send: the variable, the texts, and since how many days it has been reported.
    variable: &'static str,
    inputs: &'static str,
    since_days: i64,
    /// What some of them send in the last week; nothing else where it is empty.
    lately: &'static [&'static str],
}

const TALES: [Tale; 2] = [
    Tale {
        prompt: "moderation/sms-spam",
        version: 3,
        daily_from: "7d 10:20",
        daily_until: "1d 09:30",
        hour: 3,
        own: include_str!("data/recorded/sms-spam-3.jsonl"),
        other: include_str!("data/recorded/sms-spam-2.jsonl"),
        n_others: &[0, 0, 4, 0, 2, 0],
        variable: "text",
        inputs: include_str!("data/sms_spam.jsonl"),
        since_days: 19,
        lately: &[],
    },
    Tale {
        prompt: "reviews/sentiment",
        version: 2,
        daily_from: "9d 16:40",
        daily_until: "1d 09:40",
        hour: 5,
        own: include_str!("data/recorded/sentiment-2.jsonl"),
        other: include_str!("data/recorded/sentiment-1.jsonl"),
        n_others: &[0, 0, 0, 50, 60, 60, 150, 150],
        variable: "review",
        inputs: include_str!("data/sentiment_yelp.jsonl"),
        since_days: 27,
        lately: &[
            "Das Zelt war in fünf Minuten aufgebaut und ist die ganze Woche trocken geblieben, sehr zu empfehlen.",
            "Leider ist der Reißverschluss nach zwei Nächten kaputt gegangen, und der Kundendienst antwortet nicht.",
            "La mochila es cómoda y ligera, pero las costuras se rompieron en la primera excursión por la montaña.",
        ],
    },
];

/// The steps of all of it.
pub fn steps(now: DateTime<Utc>) -> anyhow::Result<Vec<Step>> {
    let mut steps = Vec::new();
    for tale in &TALES {
        let prompt = PromptName::parse(tale.prompt)?;
        let mut step = |at: &str, action: Action| -> anyhow::Result<()> {
            steps.push(Step {
                at: moment(at, now)?,
                by: "editor".to_owned(),
                action,
            });
            Ok(())
        };
        let set = |schedule: Schedule| Action::Schedule {
            prompt: prompt.clone(),
            schedule,
        };
        let daily = Schedule {
            cron: format!("0 {} * * *", tale.hour),
            jitter_minutes: 0,
            ..Schedule::default()
        };
        step(tale.daily_from, set(daily))?;
        for (day, n_others) in tale.n_others.iter().enumerate() {
            let at = format!("{}d {:02}:00", tale.n_others.len() - day, tale.hour);
            let check = Action::Check {
                prompt: prompt.clone(),
                answers: answers(tale, *n_others)?,
            };
            step(&at, check)?;
        }
        // Six days from now at the earliest: nobody answers behind the demo's provider.
        let yesterday = (now - TimeDelta::days(1)).weekday().num_days_from_sunday();
        let weekly = Schedule {
            cron: format!("0 {} * * {yesterday}", tale.hour),
            ..Schedule::default()
        };
        step(tale.daily_until, set(weekly))?;
    }
    Ok(steps)
}

/// Each case's answer, and the fingerprint of who gave it.
fn answers(tale: &Tale, n_others: usize) -> anyhow::Result<Vec<(Answer, &'static str)>> {
    let own = tale.own.lines().map(|line| (line, FINGERPRINT));
    let other = tale.other.lines().map(|line| (line, OTHER_FINGERPRINT));
    other
        .take(n_others)
        .chain(own.skip(n_others))
        .map(|(line, fingerprint)| Ok((serde_json::from_str(line)?, fingerprint)))
        .collect()
}

impl Player<'_> {
    /// Plays a step that is about drift.
    pub async fn look_after(&self, by: &Actor, step: &Step) -> anyhow::Result<()> {
        match &step.action {
            Action::Schedule { prompt, schedule } => {
                drift::set_schedule(self.store, by, prompt, schedule, step.at).await?;
            }
            Action::Check { .. } => {
                drift::launch_due(self.store, step.at).await?;
                self.end_check(step).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Gives a check that was begun its answers, and has it judged.
    pub async fn end_check(&self, step: &Step) -> anyhow::Result<()> {
        let Action::Check { prompt, answers } = &step.action else {
            return Ok(());
        };
        let found = drift::find(self.store, self.operator, prompt, step.at).await?;
        // Taken up after its verdict was written: there is nothing left to end.
        let Some(run) = found.and_then(|found| found.watched.running) else {
            return Ok(());
        };
        let job = work::job(self.store, run)
            .await?
            .context("the run is not there")?;
        let (lease, lasts) = (Uuid::new_v4(), Duration::from_mins(1));
        let mut at = step.at;
        loop {
            let claimed = work::claim(self.store, run, lease, PORTION, lasts, at).await?;
            if claimed.is_empty() {
                break;
            }
            let mut took = TimeDelta::zero();
            let mut results = Vec::with_capacity(claimed.len());
            for claimed in &claimed {
                let (answer, fingerprint) = usize::try_from(claimed.position - 1)
                    .ok()
                    .and_then(|place| answers.get(place))
                    .with_context(|| format!("case {} has no answer", claimed.position))?;
                took += answer.took();
                results.push(answer.result_of(claimed, &job.scorers, fingerprint)?);
            }
            // Four at a time, as the model was asked.
            at += took / 4;
            work::finish(self.store, run, lease, &results, at).await?;
        }
        drift::judge_ended(self.store, at).await?;
        Ok(())
    }
}

/// What the prompts were asked, day by day. Ids are the same each time, so that a start that was
/// interrupted half-way counts nothing twice.
pub async fn fill(store: &Store, operator: &Actor, now: DateTime<Utc>) -> anyhow::Result<()> {
    for (seed, tale) in (1..).zip(&TALES) {
        let told = calls(tale, seed, now)?;
        for batch in told.chunks(1_000) {
            let batch: Vec<(usize, Event)> = batch.iter().cloned().enumerate().collect();
            let done = events::ingest(store, operator, &batch, now).await?;
            if let Some(rejected) = done.rejected.first() {
                anyhow::bail!("{}: {}", tale.prompt, rejected.reason);
            }
        }
    }
    while events::roll_up(store, now).await? > 0 {}
    Ok(())
}

fn calls(tale: &Tale, seed: u64, now: DateTime<Utc>) -> anyhow::Result<Vec<Event>> {
    let mut dice = StdRng::seed_from_u64(0xd21f_7000 + seed);
    let texts = tale
        .inputs
        .lines()
        .map(|line| {
            let case: Value = serde_json::from_str(line)?;
            let text = case["variables"][tale.variable].as_str();
            Ok(text.context("a case without its text")?.to_owned())
        })
        .collect::<anyhow::Result<Vec<String>>>()?;
    let mut told = Vec::new();
    for n in 0..tale.since_days * CALLS_A_DAY {
        let minutes = n * 24 * 60 / CALLS_A_DAY;
        let at = now - TimeDelta::minutes(minutes + 1);
        let is_late = minutes < 7 * 24 * 60;
        let text = if is_late && !tale.lately.is_empty() && dice.random_bool(0.4) {
            tale.lately[dice.random_range(0..tale.lately.len())]
        } else {
            texts[dice.random_range(0..texts.len())].as_str()
        };
        let mut call = experiments::call(900.0, &mut dice);
        // A model of the house: no cache that tells, no bill.
        call.model = Some(MODEL.to_owned());
        (
            call.cache_read_tokens,
            call.cache_write_tokens,
            call.cost_usd,
        ) = (None, None, None);
        told.push(Event {
            id: Uuid::from_u128(dice.random()),
            kind: Kind::Generation,
            at,
            prompt: Some(tale.prompt.to_owned()),
            version: Some(tale.version),
            environment: Some(PRODUCTION.to_owned()),
            unit: None,
            experiment: None,
            arm: None,
            metric: None,
            value: None,
            call,
            variables: Some(json!({ tale.variable: text })),
            output: None,
        });
    }
    Ok(told)
}
