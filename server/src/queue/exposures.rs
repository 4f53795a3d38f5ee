//! Exposures on their way to the database: resolving with a unit while an experiment runs says
//! that the unit was shown its arm. A full queue drops them rather than refuse the prompt.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Grant, Who},
    id::{ExperimentId, ProjectId},
    monitor::{Call, Event, Kind},
    prompt::PromptName,
};
use sha2::{Digest, Sha256};
use store::Store;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::state::Clock;

/// Exposures that may wait while the database is away; some tens of megabytes.
const CAPACITY: usize = 100_000;
/// Most in one batch.
const BATCH: usize = 5_000;
/// How long exposures are collected before they are written.
const PAUSE: Duration = Duration::from_millis(200);
/// After a failed write, this long until the next try.
const RETRY: Duration = Duration::from_millis(500);

/// A unit was shown its arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Exposure {
    /// The project.
    pub project: ProjectId,
    /// The experiment.
    pub experiment: ExperimentId,
    /// The arm's name.
    pub arm: String,
    /// The user, conversation or request.
    pub unit: String,
    /// The prompt.
    pub prompt: PromptName,
    /// The environment.
    pub environment: String,
    /// The arm's version.
    pub version: i32,
    /// When.
    pub at: DateTime<Utc>,
}

impl Exposure {
    /// The same for every time a unit is shown its arm: only the first one tells anything, and
    /// ingestion takes an id once.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(b"exposure:");
        hash.update(self.experiment.0.as_bytes());
        for part in [self.arm.as_str(), self.unit.as_str()] {
            hash.update(b":");
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    fn event(&self) -> Event {
        Event {
            id: self.id(),
            kind: Kind::Exposure,
            at: self.at,
            prompt: Some(self.prompt.as_str().to_owned()),
            version: Some(self.version),
            environment: Some(self.environment.clone()),
            unit: Some(self.unit.clone()),
            experiment: Some(self.experiment.0),
            arm: Some(self.arm.clone()),
            metric: None,
            value: None,
            call: Call::default(),
            variables: None,
            output: None,
        }
    }
}

/// Where requests put exposures.
#[derive(Clone)]
pub struct Exposures(mpsc::Sender<Exposure>);

/// What the writing task takes them from.
pub struct Inbox(mpsc::Receiver<Exposure>);

/// The two ends.
pub fn channel() -> (Exposures, Inbox) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Exposures(sender), Inbox(receiver))
}

impl Exposures {
    /// Puts one in. What finds no place is dropped and counted: the unit will be shown its arm
    /// again.
    pub fn record(&self, exposure: Exposure) {
        if self.0.try_send(exposure).is_err() {
            metrics::counter!("cueline_exposures_dropped_total").increment(1);
        }
    }
}

impl Inbox {
    /// Writes until every sender is gone; what cannot be written is kept and tried again.
    pub async fn write(mut self, store: Store, clock: Clock) {
        let mut batch = Vec::new();
        while self.0.recv_many(&mut batch, BATCH).await > 0 {
            tokio::time::sleep(PAUSE).await;
            while batch.len() < BATCH
                && let Ok(exposure) = self.0.try_recv()
            {
                batch.push(exposure);
            }
            let mut seen = HashSet::new();
            batch.retain(|exposure| seen.insert(exposure.id()));
            while let Err(error) = hand_over(&store, &batch, clock.now()).await {
                if let store::Error::Unavailable(_) = error {
                    tracing::warn!(%error, n_waiting = batch.len(), "exposures wait for the database");
                } else {
                    // Something in one of them cannot be written: the others need not wait for it.
                    tracing::error!(%error, "exposures cannot be written together");
                    drop_unwritable(&store, &mut batch, clock.now()).await;
                    continue;
                }
                if self.0.is_closed() {
                    return;
                }
                tokio::time::sleep(RETRY).await;
            }
            batch.clear();
        }
    }
}

/// Writes them one by one and keeps those for which the database was away; what it refuses is
/// dropped and counted.
async fn drop_unwritable(store: &Store, batch: &mut Vec<Exposure>, now: DateTime<Utc>) {
    for exposure in std::mem::take(batch) {
        match hand_over(store, std::slice::from_ref(&exposure), now).await {
            Ok(()) => {}
            Err(store::Error::Unavailable(_)) => batch.push(exposure),
            Err(error) => {
                tracing::error!(%error, experiment.id = %exposure.experiment, "an exposure cannot be written");
                metrics::counter!("cueline_exposures_dropped_total").increment(1);
            }
        }
    }
}

/// Hands exposures over to ingestion, project by project. The one place where they are written.
async fn hand_over(store: &Store, exposures: &[Exposure], now: DateTime<Utc>) -> store::Result<()> {
    let mut by_project: HashMap<ProjectId, Vec<(usize, Event)>> = HashMap::new();
    for (index, exposure) in exposures.iter().enumerate() {
        by_project
            .entry(exposure.project)
            .or_default()
            .push((index, exposure.event()));
    }
    for (project, events) in by_project {
        let server = Actor {
            who: Who::System {
                name: "assignment".to_owned(),
            },
            project,
            grant: Grant::Operator,
        };
        let done = store::events::ingest(store, &server, &events, now).await?;
        if let Some(first) = done.rejected.first() {
            tracing::warn!(n_rejected = done.rejected.len(), reason = %first.reason, "exposures were rejected");
        }
    }
    Ok(())
}
