//! What the demo's prompts did while they served: calls of the last days, reported as any
//! application's. Who served when is read from the releases; what a version is like follows from
//! what became of it: one that was rolled back had been slow and had failed more and more.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::Actor,
    cache::blocks,
    content::Content,
    monitor::{Call, Event, Kind, bucket::Resolution},
    page::PageRequest,
    prompt::{PRODUCTION, PromptName},
    release::{Deployment, DeploymentKind},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};
use store::{Store, events, prompts, releases, versions};
use uuid::Uuid;

use super::experiments::{TALES, activity, call};

/// So far back calls are told.
const DAYS: i64 = 12;
/// Calls in an afternoon's hour.
const ORDINARY: f64 = 5.0;
/// The same of prompts that everybody uses.
const BUSY: f64 = 22.0;
/// Prompts that everybody uses.
const BUSY_PROMPTS: [&str; 3] = [
    "support/triage",
    "onboarding/welcome-mail",
    "marketing/product-description",
];
/// So long before it was rolled back a version fails more and more.
const BURST: TimeDelta = TimeDelta::minutes(75);
/// When the provider had too many requests, for everybody: hours ago, and for how long.
const CROWDED: (i64, i64) = (53, 2);
/// Events in one request.
const BATCH: usize = 5_000;

/// What serves from a moment on, and whether that ends badly.
struct Reign {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    version: i32,
    is_rolled_back: bool,
    /// Tokens up to the last cache breakpoint, where there is one.
    prefix: Option<i64>,
}

/// Tells what has been called. Ids follow from prompt and time, so that a start that was interrupted
/// half-way counts nothing twice. Prompts with an experiment have told theirs.
pub async fn fill(store: &Store, operator: &Actor, now: DateTime<Utc>) -> anyhow::Result<()> {
    let filter = prompts::Filter::default();
    let page = PageRequest::first(100);
    let known = prompts::list(store, operator, &filter, prompts::Order::Name, &page).await?;
    let mut told: Vec<Event> = Vec::new();
    for prompt in known.items {
        if TALES.iter().any(|tale| tale.prompt == prompt.name.as_str()) {
            continue;
        }
        let all = PageRequest::first(200);
        let history =
            releases::list(store, operator, Some(&prompt.name), Some(PRODUCTION), &all).await?;
        for mut reign in reigns(&history.items, now) {
            let version = versions::find(store, operator, &prompt.name, reign.version).await?;
            reign.prefix = version.and_then(|version| cached_tokens(&version.content));
            told.extend(calls(&prompt.name, &reign, now));
        }
    }
    for batch in told.chunks(BATCH) {
        let batch: Vec<(usize, Event)> = batch.iter().cloned().enumerate().collect();
        let done = events::ingest(store, operator, &batch, now).await?;
        if let Some(rejected) = done.rejected.first() {
            anyhow::bail!("a call: {}", rejected.reason);
        }
    }
    while events::roll_up(store, now)
        .await
        .context("what was called cannot be added up")?
        > 0
    {}
    Ok(())
}

/// Who served when, of releases that come newest first.
fn reigns(releases: &[Deployment], now: DateTime<Utc>) -> Vec<Reign> {
    let mut to = now;
    let mut is_rolled_back = false;
    let mut reigns = Vec::new();
    for release in releases {
        reigns.push(Reign {
            from: release.deployed_at,
            to,
            version: release.version,
            is_rolled_back,
            prefix: None,
        });
        to = release.deployed_at;
        is_rolled_back = release.kind == DeploymentKind::Rollback;
    }
    reigns
}

/// What was called under one version.
fn calls(prompt: &PromptName, reign: &Reign, now: DateTime<Utc>) -> Vec<Event> {
    let began = reign.from.max(now - TimeDelta::days(DAYS));
    let busy = if BUSY_PROMPTS.contains(&prompt.as_str()) {
        BUSY
    } else {
        ORDINARY
    };
    let mut told = Vec::new();
    let mut hour = Resolution::Hour.start_of(began);
    while hour < reign.to {
        let seed = seed(prompt, hour);
        let mut dice = StdRng::from_seed(seed);
        // What came to a bad end was noticed because many saw it, whatever the hour.
        let wanted = if reign.is_rolled_back && reign.to - reign.from < TimeDelta::hours(12) {
            busy * 3.0
        } else {
            busy * activity(hour + TimeDelta::minutes(30))
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few dozen calls"
        )]
        let n_calls = (wanted * dice.random_range(0.7..1.3)).round() as u32;
        for _ in 0..n_calls {
            let at = hour + TimeDelta::milliseconds(dice.random_range(0..3_600_000));
            let events = one(prompt, reign, at, now, &mut dice);
            if (began..reign.to).contains(&at) {
                told.extend(events.into_iter().filter(|event| event.at <= now));
            }
        }
        hour += Resolution::Hour.length();
    }
    told
}

/// Chance that is the same whenever one asks.
fn seed(prompt: &PromptName, hour: DateTime<Utc>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(prompt.as_str());
    hash.update(hour.timestamp().to_be_bytes());
    hash.finalize().into()
}

/// A call, and sometimes what somebody thought of it.
fn one(
    prompt: &PromptName,
    reign: &Reign,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
    dice: &mut StdRng,
) -> Vec<Event> {
    let event = |id: u128, kind, at| Event {
        id: Uuid::from_u128(id),
        kind,
        at,
        prompt: Some(prompt.to_string()),
        version: Some(reign.version),
        environment: Some(PRODUCTION.to_owned()),
        unit: None,
        experiment: None,
        arm: None,
        metric: None,
        value: None,
        call: Call::default(),
        variables: None,
        output: None,
    };
    let mut generation = event(dice.random(), Kind::Generation, at);
    generation.unit = Some(format!("user-{:06x}", dice.random_range(0..0x00ff_ffff)));
    // Each prompt has its own pace; a longer one writes more.
    let pace = 600.0 + f64::from(u32::try_from(prompt.as_str().len()).unwrap_or_default()) * 22.0;
    let slow = if reign.is_rolled_back { 2.3 } else { 1.0 };
    let mut made = call(pace * slow, dice);
    made.error = failure(reign, at, now, dice);
    // The price table knows what it costs.
    made.cost_usd = None;
    cache(&mut made, reign, at);
    if made.error.is_some() {
        made.output_tokens = Some(0);
        made.ttft_ms = None;
    }
    let is_failed = made.error.is_some();
    generation.call = made;
    let mut told = vec![generation];
    let (thought, later) = (dice.random_bool(0.08), dice.random_range(20..900));
    let likes = if reign.is_rolled_back { 0.55 } else { 0.86 };
    let (id, value) = (dice.random(), dice.random_bool(likes));
    if thought && !is_failed {
        let mut feedback = event(id, Kind::Feedback, at + TimeDelta::seconds(later));
        feedback.metric = Some("thumbs".to_owned());
        feedback.value = Some(f64::from(u8::from(value)));
        told.push(feedback);
    }
    told
}

/// Why a call failed, if it did.
fn failure(
    reign: &Reign,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
    dice: &mut StdRng,
) -> Option<String> {
    let (chance, which): (f64, f64) = (dice.random(), dice.random());
    let crowded = now - TimeDelta::hours(CROWDED.0);
    if (crowded..crowded + TimeDelta::hours(CROWDED.1)).contains(&at) && chance < 0.22 {
        return Some("429 rate_limit_error: too many requests".to_owned());
    }
    let until_rolled_back = reign.to - at;
    let rate = match (reign.is_rolled_back, until_rolled_back < BURST) {
        (true, true) => 0.34,
        (true, false) => 0.04,
        (false, _) => 0.006,
    };
    (chance < rate).then(|| {
        let words = match which {
            which if which < 0.6 => "timeout after 10 s",
            which if which < 0.85 => "JSONDecodeError: the answer is cut off",
            _ => "529 overloaded_error",
        };
        words.to_owned()
    })
}

/// A version that has just begun to serve writes the provider's cache; later calls read it. At night
/// there are pauses in which it expires.
fn cache(made: &mut Call, reign: &Reign, at: DateTime<Utc>) {
    let rest = made.input_tokens.unwrap_or_default();
    let prefix = reign.prefix.unwrap_or(rest * 7 / 10);
    // What stands behind the breakpoint comes on top of it.
    if reign.prefix.is_some() {
        made.input_tokens = Some(prefix + rest / 4);
    }
    let is_warm = at - reign.from > TimeDelta::minutes(40)
        && made.latency_ms.is_some_and(|ms| ms % 5.0 >= 1.0);
    let (read, write) = if is_warm { (prefix, 0) } else { (0, prefix) };
    made.cache_read_tokens = Some(read);
    made.cache_write_tokens = Some(write);
}

/// What a provider counts up to the last breakpoint, at four characters a token; none without one.
fn cached_tokens(content: &Content) -> Option<i64> {
    let blocks = blocks(content);
    let last = blocks
        .iter()
        .rposition(|block| block.breakpoint.is_some())?;
    let n_characters: usize = blocks[..=last]
        .iter()
        .map(|block| block.text.chars().count())
        .sum();
    i64::try_from(n_characters / 4).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_told_is_the_same_each_time_and_within_its_reign() {
        let now = time("2026-11-20T15:20:00Z");
        let prompt = PromptName::parse("onboarding/welcome-mail").unwrap();
        let reign = Reign {
            from: time("2026-11-18T10:05:00Z"),
            to: time("2026-11-19T21:20:00Z"),
            version: 3,
            is_rolled_back: true,
            prefix: None,
        };
        let told = calls(&prompt, &reign, now);
        assert!(told.len() > 200 && told.iter().all(|event| event.at >= reign.from));
        let ids = |events: &[Event]| events.iter().map(|event| event.id).collect::<Vec<_>>();
        let again = calls(&prompt, &reign, now + TimeDelta::minutes(3));
        assert_eq!(ids(&told), ids(&again));
        let failed = |from: &str, to: &str| {
            let within = time(from)..time(to);
            let made: Vec<&Event> = told
                .iter()
                .filter(|event| event.kind == Kind::Generation && within.contains(&event.at))
                .collect();
            let n_failed = made
                .iter()
                .filter(|event| event.call.error.is_some())
                .count();
            (n_failed, made.len())
        };
        let (n_before, of_before) = failed("2026-11-18T10:05:00Z", "2026-11-19T20:05:00Z");
        let (n_burst, of_burst) = failed("2026-11-19T20:05:00Z", "2026-11-19T21:20:00Z");
        assert!(n_before * 8 < of_before && n_burst * 6 > of_burst);
    }
}
