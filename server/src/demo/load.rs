//! Plays the demo's histories into a database, once. A start that was interrupted half-way is
//! taken up where it stopped: the trail's entries tell how far it came.

use anyhow::{Context, anyhow, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Scope},
    cache::budget::CacheSettings,
    field::Fields,
    page::PageRequest,
    prompt::{PRODUCTION, PromptName},
    provider::NewProvider,
    release::Policy,
};
use serde_json::json;
use store::{
    Store, audit, cache_cost, environments,
    keys::{self, NewKey},
    members, people, projects, providers,
    secret::Secret,
};

use super::{
    PEOPLE, PROJECT, PROJECT_NAME, PROVIDERS, credentials::API_KEY, drift, experiments,
    player::Player, script, serving,
};

/// How long ago Acme began, in days: before the first step of any script.
const BEGAN_DAYS: i64 = 91;
/// A key that scripts act with, or that people find in the settings. Nobody holds its secret.
struct Key {
    name: &'static str,
    scopes: &'static [Scope],
    /// Empty: all.
    environments: &'static [&'static str],
}

const KEYS: [Key; 3] = [
    Key {
        name: "ci pipeline",
        scopes: &[
            Scope::PromptsRead,
            Scope::DraftsWrite,
            Scope::PromotionsRequest,
        ],
        environments: &["staging", "development"],
    },
    Key {
        name: "support-api production",
        scopes: &[Scope::PromptsRead, Scope::EventsWrite],
        environments: &["production"],
    },
    Key {
        name: "nightly evals",
        scopes: &[Scope::PromptsRead, Scope::EvalsRun],
        environments: &[],
    },
];

/// Makes the project and its history unless they are there; answers the operator's place in it.
pub async fn load(store: &Store, now: DateTime<Utc>) -> anyhow::Result<Actor> {
    let operator = found(store, now).await?;
    // The demo's key is installed last. Once it is there, entries in the trail are people's own.
    let known = keys::list(store, &operator).await?;
    if known.iter().any(|key| key.name == API_KEY) {
        return Ok(operator);
    }
    // The project, its people, keys and providers, and production opened: one entry each.
    let n_before = i64::try_from(2 + PEOPLE.len() + KEYS.len() + PROVIDERS.len())?;
    let mut n_entries = count_entries(store, &operator).await?;
    if n_entries < n_before {
        // Acme's history is older than its rule that production asks for a gate and an approval.
        let at = now - TimeDelta::days(BEGAN_DAYS) + TimeDelta::minutes(30);
        environments::set_policy(store, &operator, PRODUCTION, Policy::default(), at).await?;
        n_entries += 1;
    }
    let steps = script::steps(now)?;
    let mut n_done = usize::try_from((n_entries - n_before).max(0))?;
    let player = Player::new(store, &operator).await?;
    for (index, step) in steps.iter().enumerate() {
        // What a run's answers make is not in the trail: the last step that was begun is ended.
        if n_done > step.n_entries() {
            n_done -= step.n_entries();
            continue;
        }
        if n_done > 0 {
            n_done = 0;
            player.end(step).await?;
            continue;
        }
        let told = || {
            format!(
                "the demo's history stopped at {}: {:?}",
                step.at, step.action
            )
        };
        player.play(index, step).await.with_context(told)?;
    }
    player.disconnect_all(now).await?;
    experiments::fill(store, &operator, now)
        .await
        .context("the demo's experiments")?;
    let handbook = PromptName::parse("support/shop-handbook")?;
    let budget = CacheSettings {
        budget_usd_per_day: Some(0.25),
        ..CacheSettings::default()
    };
    cache_cost::set(store, &operator, &handbook, budget, now).await?;
    serving::fill(store, &operator, now)
        .await
        .context("the demo's calls")?;
    drift::fill(store, &operator, now)
        .await
        .context("what the demo's prompts were asked")?;
    Ok(operator)
}

/// How far the trail goes.
async fn count_entries(store: &Store, operator: &Actor) -> anyhow::Result<i64> {
    let filter = audit::Filter::default();
    let newest = audit::list(store, operator, &filter, &PageRequest::first(1)).await?;
    Ok(newest.items.first().map_or(0, |entry| entry.sequence))
}

/// The project, its people and keys.
async fn found(store: &Store, now: DateTime<Utc>) -> anyhow::Result<Actor> {
    let began = now - TimeDelta::days(BEGAN_DAYS);
    let all = projects::all(store).await?;
    if !all.iter().any(|(_, slug)| slug == PROJECT) {
        ensure!(
            all.is_empty(),
            "this database holds other projects, and the demo's sign-ins are printed: give it a database of its own"
        );
        people::create_project_as_system(store, PROJECT, PROJECT_NAME, began).await?;
    }
    let operator = projects::operator(store, PROJECT).await?;
    let known = members::list(store, &operator).await?;
    for (index, person) in (1..).zip(PEOPLE) {
        if !known.iter().any(|member| member.email == person.email) {
            let at = began + TimeDelta::minutes(index);
            members::add(store, &operator, person.email, person.name, person.role, at).await?;
        }
    }
    let known = keys::list(store, &operator).await?;
    for (index, key) in (10..).zip(KEYS) {
        if known.iter().any(|known| known.name == key.name) {
            continue;
        }
        let environments: Vec<String> = key.environments.iter().map(ToString::to_string).collect();
        let new = NewKey {
            name: key.name.to_owned(),
            scopes: key.scopes.to_vec(),
            environments: (!environments.is_empty()).then_some(environments),
        };
        let at = began + TimeDelta::minutes(index);
        keys::create(store, &operator, new, &Secret::new_key()?, at).await?;
    }
    let known = providers::list(store, &operator).await?;
    for (index, provider) in (20..).zip(PROVIDERS) {
        if known.iter().any(|known| known.name == provider.name) {
            continue;
        }
        let new = json!({
            "name": provider.name, "kind": provider.kind, "base_url": provider.base_url,
            "max_concurrency": 4,
        });
        let new =
            NewProvider::parse(Fields::new("", new)).map_err(|errors| anyhow!("{errors:?}"))?;
        let seal = |_, _: &str| {
            Err(store::Error::conflict(
                "no_key",
                "the demo has no keys to seal",
            ))
        };
        let at = began + TimeDelta::minutes(index);
        providers::save(store, &operator, &new, &seal, at).await?;
    }
    Ok(operator)
}
