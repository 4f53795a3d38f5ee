//! Bounded queues between the data plane and the database: sightings of clients, their
//! confirmations, and exposures. A request puts its word in and goes; one task writes them in batches.

pub mod exposures;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use store::{
    Store,
    consumers::{Applied, Sighting},
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::state::Clock;
use exposures::Exposures;

/// Words that may wait; more are refused with 503, so that memory stays bounded.
const CAPACITY: usize = 20_000;
/// Most rows in one statement.
const BATCH: usize = 2_000;
/// How long words are collected before they are written. Short: people watch confirmations arrive.
const PAUSE: Duration = Duration::from_millis(15);
/// How often open streams are written down again; well under the store's idea of silence.
const RENEWAL: Duration = Duration::from_secs(15);
/// After a failed write, this long until the next try.
const RETRY: Duration = Duration::from_millis(500);

/// Words on their way to the database.
enum Word {
    Sighting(Sighting),
    Applied(Applied),
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server cannot take more of these right now")]
pub struct Full;

/// Where requests put their words.
#[derive(Clone)]
pub struct Queues {
    words: mpsc::Sender<Word>,
    /// Units that were shown their arm.
    pub exposures: Exposures,
    /// Streams that are open in this process.
    open: Arc<Mutex<HashMap<Uuid, Sighting>>>,
}

/// What the writing task takes them from.
pub struct Inbox {
    words: mpsc::Receiver<Word>,
    exposures: exposures::Inbox,
    open: Arc<Mutex<HashMap<Uuid, Sighting>>>,
}

/// The two ends.
#[must_use]
pub fn queues() -> (Queues, Inbox) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let (exposures, exposed) = exposures::channel();
    let open = Arc::new(Mutex::new(HashMap::new()));
    (
        Queues {
            words: sender,
            exposures,
            open: Arc::clone(&open),
        },
        Inbox {
            words: receiver,
            exposures: exposed,
            open,
        },
    )
}

impl Queues {
    /// A stream opened.
    pub fn opened(&self, sighting: Sighting) -> Result<(), Full> {
        self.words
            .try_send(Word::Sighting(sighting.clone()))
            .map_err(|_| Full)?;
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(sighting.connection, sighting);
        Ok(())
    }

    /// A stream closed.
    pub fn closed(&self, connection: Uuid, clock: &Clock) {
        let known = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&connection);
        if let Some(sighting) = known {
            let goodbye = Sighting {
                open: false,
                at: clock.now(),
                ..sighting
            };
            // A goodbye that finds no place is made up for by silence.
            if self.words.try_send(Word::Sighting(goodbye)).is_err() {
                tracing::warn!("the queue is full: a client's goodbye was dropped");
            }
        }
    }

    /// A client applied a deployment.
    pub fn applied(&self, applied: Applied) -> Result<(), Full> {
        self.words
            .try_send(Word::Applied(applied))
            .map_err(|_| Full)
    }

    /// Streams open in this process.
    #[must_use]
    pub fn n_open(&self) -> usize {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

impl Inbox {
    /// Writes until every sender is gone.
    pub async fn write(self, store: Store, clock: Clock) {
        let Self {
            words,
            exposures,
            open,
        } = self;
        tokio::join!(
            Words { words, open }.write(store.clone(), clock.clone()),
            exposures.write(store, clock)
        );
    }
}

/// Sightings and confirmations.
struct Words {
    words: mpsc::Receiver<Word>,
    open: Arc<Mutex<HashMap<Uuid, Sighting>>>,
}

impl Words {
    /// What cannot be written is kept and tried again; meanwhile the channel fills up, and full
    /// means 503: memory stays bounded.
    async fn write(mut self, store: Store, clock: Clock) {
        let mut renewal = tokio::time::interval(RENEWAL);
        loop {
            let mut words = Vec::new();
            let mut batch = Batch::default();
            tokio::select! {
                n = self.words.recv_many(&mut words, BATCH) => {
                    if n == 0 {
                        return;
                    }
                    tokio::time::sleep(PAUSE).await;
                    while words.len() < BATCH
                        && let Ok(word) = self.words.try_recv()
                    {
                        words.push(word);
                    }
                }
                _ = renewal.tick() => batch.sightings = self.still_open(&clock),
            }
            batch.extend(words);
            while let Err(error) = batch.flush(&store).await {
                tracing::warn!(%error, n_waiting = batch.len(), "clients' words wait for the database");
                if self.words.is_closed() {
                    return;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    fn still_open(&self, clock: &Clock) -> Vec<Sighting> {
        let now = clock.now();
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values()
            .map(|sighting| Sighting {
                at: now,
                ..sighting.clone()
            })
            .collect()
    }
}

/// Words taken together.
#[derive(Default)]
struct Batch {
    sightings: Vec<Sighting>,
    applied: Vec<Applied>,
}

impl Batch {
    fn extend(&mut self, words: Vec<Word>) {
        for word in words {
            match word {
                Word::Sighting(sighting) => self.sightings.push(sighting),
                Word::Applied(applied) => self.applied.push(applied),
            }
        }
    }

    fn len(&self) -> usize {
        self.sightings.len() + self.applied.len()
    }

    async fn flush(&mut self, store: &Store) -> store::Result<()> {
        // Who is there first, then what they said.
        if !self.sightings.is_empty() {
            store::consumers::sighted(store, &self.sightings).await?;
            self.sightings.clear();
        }
        if !self.applied.is_empty() {
            store::consumers::applied(store, &self.applied).await?;
            self.applied.clear();
        }
        Ok(())
    }
}
