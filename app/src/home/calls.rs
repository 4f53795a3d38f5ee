//! What the overview asks of the server.

use chrono::{DateTime, Utc};
use domain::{
    alert::Alert,
    experiment::ExperimentRow,
    prompt::Prompt,
    release::{Consumer, Deployment, Promotion},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{error::UiError, monitor::Day};

/// Everything on the overview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// What wants somebody's attention, the most urgent first.
    pub needs: Vec<Need>,
    /// The last deployments, newest first.
    pub deployments: Vec<Recent>,
    /// Experiments that run now, each with what can be said of it.
    pub experiments: Vec<ExperimentRow>,
    /// Clients connected now.
    pub clients: Vec<Consumer>,
    /// Prompts with what they did in the last 24 hours in production, none where nobody called:
    /// those that fail first, then the busiest, then those that changed last.
    pub prompts: Vec<(Prompt, Option<Day>)>,
    /// Whether there is any prompt at all.
    pub is_empty: bool,
    /// Whether the one who looks may roll back.
    pub may_roll_back: bool,
    /// Whether the one who looks may write drafts.
    pub may_write: bool,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// A deployment with how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    /// The deployment.
    pub deployment: Deployment,
    /// Clients connected when it happened, or heard from since.
    pub n_clients: i64,
    /// Those that confirmed it.
    pub n_confirmed: i64,
    /// Whether it still serves and something served before it.
    pub can_roll_back: bool,
}

/// Something that wants attention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Need {
    /// An alert fires, and nobody takes care of it.
    Fires(Box<Alert>),
    /// An alert rolled a deployment back by itself.
    TakenBack(Deployment),
    /// A promotion waits for nothing but the approval of the one who looks.
    Approval(Promotion),
    /// The newest version of a prompt failed its last gate.
    GateFailed {
        /// The prompt.
        prompt: String,
        /// Its newest version.
        version: i32,
        /// The candidate's run.
        run: String,
        /// What was found, in a sentence.
        sentence: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// Clients were told of a deployment and have not confirmed it.
    ClientsBehind {
        /// The environment they follow.
        environment: String,
        /// One of them.
        consumer: String,
        /// How many they are.
        n_clients: usize,
    },
    /// Somebody deployed past the policy.
    GlassBroken(Deployment),
    /// A newer version serves staging than production.
    Ahead {
        /// The prompt.
        prompt: String,
        /// Where the newer version serves.
        environment: String,
        /// The newer version.
        version: i32,
        /// What serves production.
        production: i32,
        /// Since when the newer one serves there.
        since: DateTime<Utc>,
    },
}

/// Everything on the overview, in one call.
#[server]
pub async fn read_overview(project: String) -> Result<Overview, UiError> {
    use domain::{actor::Permission, page::PageRequest};

    let cx = crate::context::member(&project).await?;
    let (store, actor) = (&cx.store, &cx.actor);
    let history = store::releases::list(store, actor, None, None, &PageRequest::first(12))
        .await?
        .items;
    let clients = store::consumers::connected(store, actor, cx.now).await?;
    let filter = store::prompts::Filter::default();
    let prompts = store::prompts::list(
        store,
        actor,
        &filter,
        store::prompts::Order::Changed,
        &PageRequest::first(50),
    )
    .await?;
    let is_empty = prompts.items.is_empty();

    let waiting = store::promotions::waiting_for(store, actor, cx.now).await?;
    let failing = store::gates::failing(store, actor).await?;
    let mut needs: Vec<Need> = taken_back(&history, cx.now).collect();
    needs.extend(firing(&cx, &waiting, &failing).await?);
    needs.extend(behind(&clients));
    needs.extend(broken_glass(&history, cx.now));
    needs.extend(waiting.into_iter().map(Need::Approval));
    needs.extend(failing.into_iter().map(gate_failed));
    needs.extend(prompts.items.iter().filter_map(ahead));
    needs.truncate(8);

    let running = store::experiments::Filter {
        status: Some(domain::experiment::Status::Running),
        ..store::experiments::Filter::default()
    };
    let experiments =
        store::experiments::rows(store, actor, &running, &PageRequest::first(5), cx.now).await?;

    let ids: Vec<_> = history
        .iter()
        .map(|deployment| deployment.deployment_id)
        .collect();
    let tallies = store::consumers::tallies(store, actor, &ids).await?;
    let serving: std::collections::HashSet<_> = prompts
        .items
        .iter()
        .flat_map(|prompt| &prompt.serving)
        .map(|serving| serving.deployment_id)
        .collect();
    let deployments = history
        .into_iter()
        .map(|deployment| {
            let tally = tallies
                .iter()
                .find(|tally| tally.deployment == deployment.deployment_id);
            Recent {
                n_clients: tally.map_or(0, |tally| tally.n_clients),
                n_confirmed: tally.map_or(0, |tally| tally.n_confirmed),
                can_roll_back: deployment.from_version.is_some()
                    && serving.contains(&deployment.deployment_id),
                deployment,
            }
        })
        .collect();
    let prompts = days(&cx, prompts.items).await?;
    Ok(Overview {
        needs,
        deployments,
        experiments: experiments.items,
        clients,
        prompts,
        is_empty,
        may_roll_back: actor.may(Permission::RollBack).is_ok(),
        may_write: actor.may(Permission::WriteDrafts).is_ok(),
        now: cx.now,
    })
}

/// The prompts of the overview with their last 24 hours in production.
#[cfg(feature = "ssr")]
async fn days(
    cx: &crate::context::Cx,
    prompts: Vec<Prompt>,
) -> Result<Vec<(Prompt, Option<Day>)>, UiError> {
    let mut found = crate::monitor::day::of(cx, &prompts).await?;
    let mut all: Vec<_> = prompts
        .into_iter()
        .map(|prompt| {
            let day = found.remove(&prompt.name);
            (prompt, day)
        })
        .collect();
    // Stable: what is called as often stays in the order of the last change.
    all.sort_by_key(|(_, day)| {
        std::cmp::Reverse(day.as_ref().map(|day| (day.is_bad, day.n_requests)))
    });
    all.truncate(10);
    Ok(all)
}

/// Clients that have not confirmed what serves, an environment at a time: many that hang together
/// are one thing to look at.
#[cfg(feature = "ssr")]
fn behind(clients: &[Consumer]) -> Vec<Need> {
    let mut by_environment = std::collections::BTreeMap::<&str, Vec<&Consumer>>::new();
    for client in clients.iter().filter(|client| client.n_behind > 0) {
        by_environment
            .entry(&client.environment)
            .or_default()
            .push(client);
    }
    by_environment
        .into_iter()
        .filter_map(|(environment, clients)| {
            Some(Need::ClientsBehind {
                environment: environment.to_owned(),
                consumer: clients.first()?.consumer.clone(),
                n_clients: clients.len(),
            })
        })
        .collect()
}

/// Deployments past the policy stay on the first screen for a week.
#[cfg(feature = "ssr")]
fn broken_glass(history: &[Deployment], now: DateTime<Utc>) -> impl Iterator<Item = Need> + '_ {
    use domain::release::DeploymentKind;

    let week = chrono::TimeDelta::days(7);
    history
        .iter()
        .filter(move |deployment| {
            deployment.kind == DeploymentKind::BreakGlass && now - deployment.deployed_at < week
        })
        .cloned()
        .map(Need::GlassBroken)
}

/// The alerts that fire and that nobody takes care of, but for those that say what stands here anyway.
#[cfg(feature = "ssr")]
async fn firing(
    cx: &crate::context::Cx,
    waiting: &[Promotion],
    failing: &[store::gates::Failing],
) -> Result<Vec<Need>, UiError> {
    use domain::{alert::Kind, page::PageRequest};

    let filter = store::alerts::Filter {
        is_firing: Some(true),
        ..store::alerts::Filter::default()
    };
    let found = store::alerts::list(&cx.store, &cx.actor, &filter, &PageRequest::first(50)).await?;
    let is_said = |alert: &Alert| match alert.kind {
        Kind::GateFailed => failing
            .iter()
            .any(|gate| Some(&gate.prompt) == alert.prompt.as_ref()),
        Kind::ApprovalWaiting => waiting
            .iter()
            .any(|promotion| alert.href.ends_with(&promotion.id.to_string())),
        Kind::Drifted
        | Kind::Guardrail
        | Kind::Srm
        | Kind::PropagationStuck
        | Kind::ErrorRate
        | Kind::LatencyP95
        | Kind::CostPerDay => false,
    };
    Ok(found
        .items
        .into_iter()
        .filter(|alert| alert.acknowledged_at.is_none() && !is_said(alert))
        .take(4)
        .map(|alert| Need::Fires(Box::new(alert)))
        .collect())
}

/// What an alert rolled back by itself stays on the first screen for a week.
#[cfg(feature = "ssr")]
fn taken_back(history: &[Deployment], now: DateTime<Utc>) -> impl Iterator<Item = Need> + '_ {
    use domain::release::DeploymentKind;

    let week = chrono::TimeDelta::days(7);
    history
        .iter()
        .filter(move |deployment| {
            deployment.kind == DeploymentKind::Rollback
                && deployment.by.kind() == "system"
                && deployment.by.name() == "alerts"
                && now - deployment.deployed_at < week
        })
        .cloned()
        .map(Need::TakenBack)
}

#[cfg(feature = "ssr")]
fn gate_failed(gate: store::gates::Failing) -> Need {
    Need::GateFailed {
        prompt: gate.prompt.to_string(),
        version: gate.version,
        run: gate.run.to_string(),
        sentence: domain::gate::sentence(&gate.verdict),
        at: gate.decided_at,
    }
}

#[cfg(feature = "ssr")]
fn ahead(prompt: &Prompt) -> Option<Need> {
    let production = prompt
        .serving
        .iter()
        .find(|serving| serving.environment == domain::prompt::PRODUCTION)?;
    let staging = prompt
        .serving
        .iter()
        .find(|serving| serving.environment == "staging")?;
    (staging.version > production.version).then(|| Need::Ahead {
        prompt: prompt.name.to_string(),
        environment: staging.environment.clone(),
        version: staging.version,
        production: production.version,
        since: staging.deployed_at,
    })
}
