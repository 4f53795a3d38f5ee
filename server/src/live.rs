//! One listening connection to Postgres; from it the snapshot is brought up to date and everybody
//! who follows is told: streams of applications, and pages in browsers.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use domain::id::ProjectId;
use store::{
    CHANGE_CHANNEL, CONFIRMATION_CHANNEL, Store, changes::Change, events::RESULT_CHANNEL,
    runs::RUN_CHANNEL,
};
use tokio::sync::{Notify, broadcast};

use crate::snapshot::{Serving, Update};

/// Messages a follower may be behind before it gets a snapshot instead.
const BUFFER: usize = 1_024;
/// How often the feed's heads are compared, in case an announcement was lost.
const RECONCILE: Duration = Duration::from_secs(2);
/// How often pages are told that eval runs went on or events were counted.
const PROGRESS: Duration = Duration::from_millis(400);
/// How long to wait before listening again after the connection was lost.
const PAUSE: Duration = Duration::from_millis(250);

/// Something followers hear.
#[derive(Debug)]
pub enum Message {
    /// A committed change.
    Change(ChangeMessage),
    /// Clients came, went or confirmed; only pages care.
    Clients,
    /// Eval runs went on; only pages care.
    Runs,
    /// Events of experiments were counted; only pages care.
    Results,
    /// The feed had a gap: everything may have changed.
    Reset,
}

/// A change, with what applications are sent about it prepared once for all of them.
#[derive(Debug)]
pub struct ChangeMessage {
    /// The change.
    pub change: Change,
    /// The payload as text.
    pub payload: String,
    /// The payload with the whole prompt in it, made when the first stream asks for it.
    pub with_content: OnceLock<String>,
}

impl ChangeMessage {
    fn new(change: Change) -> Self {
        let payload = change.payload.to_string();
        Self {
            change,
            payload,
            with_content: OnceLock::new(),
        }
    }

    /// A member of the payload.
    #[must_use]
    pub fn text(&self, member: &str) -> Option<&str> {
        self.change.payload.get(member)?.as_str()
    }
}

/// What a project's followers share.
struct Channel {
    sender: broadcast::Sender<Arc<Message>>,
    /// The last changes, for streams that resume.
    recent: VecDeque<Arc<Message>>,
}

/// Everybody who follows.
#[derive(Default)]
pub struct Live {
    channels: Mutex<HashMap<ProjectId, Channel>>,
    /// Rung when there may be work for the jobs.
    pub work: Arc<Notify>,
    /// Rung when there are events to roll up.
    pub events: Arc<Notify>,
}

/// A follower's place: what it missed, if that is still known, and what comes.
pub struct Following {
    /// What happened after the place it named; none when that is no longer known.
    pub missed: Option<Vec<Arc<Message>>>,
    /// What happens from now on.
    pub receiver: broadcast::Receiver<Arc<Message>>,
}

impl Live {
    /// Starts following a project; `after` is the last change the follower knows.
    #[must_use]
    pub fn follow(&self, project: ProjectId, after: Option<i64>) -> Following {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.entry(project).or_insert_with(Channel::new);
        let missed = after.and_then(|after| channel.since(after));
        Following {
            missed,
            receiver: channel.sender.subscribe(),
        }
    }

    fn send(&self, project: ProjectId, message: Message) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.entry(project).or_insert_with(Channel::new);
        let message = Arc::new(message);
        match &*message {
            Message::Change(_) => {
                if channel.recent.len() == BUFFER {
                    channel.recent.pop_front();
                }
                channel.recent.push_back(Arc::clone(&message));
            }
            Message::Reset => channel.recent.clear(),
            Message::Clients | Message::Runs | Message::Results => {}
        }
        // Nobody following is no error.
        let _ = channel.sender.send(message);
    }

    /// Tells a project's followers what an update brought. The snapshot already holds it, so
    /// whoever asks on hearing this gets the new state.
    pub fn announce(&self, update: Update) {
        match update.changes {
            None => self.send(update.project, Message::Reset),
            Some(changes) => {
                for change in changes {
                    if change.kind == "run" {
                        self.work.notify_one();
                    }
                    self.send(update.project, Message::Change(ChangeMessage::new(change)));
                }
            }
        }
    }
}

impl Channel {
    fn new() -> Self {
        Self {
            sender: broadcast::channel(BUFFER).0,
            recent: VecDeque::new(),
        }
    }

    /// What came after `after`, if none of it has been forgotten.
    fn since(&self, after: i64) -> Option<Vec<Arc<Message>>> {
        let sequence = |message: &Message| match message {
            Message::Change(message) => Some(message.change.sequence),
            Message::Clients | Message::Runs | Message::Results | Message::Reset => None,
        };
        let first = self.recent.front().and_then(|message| sequence(message))?;
        let last = self.recent.back().and_then(|message| sequence(message))?;
        if after + 1 < first || after > last {
            return None;
        }
        Some(
            self.recent
                .iter()
                .filter(|message| sequence(message).is_some_and(|sequence| sequence > after))
                .cloned()
                .collect(),
        )
    }
}

/// Listens until told to stop. The only task that updates the snapshot. After a lost connection
/// it listens again first and catches up then, so that nothing falls between.
pub async fn keep_up(
    store: Store,
    serving: Arc<Serving>,
    live: Arc<Live>,
    stopping: tokio_util::sync::CancellationToken,
) {
    while !stopping.is_cancelled() {
        let lost = tokio::select! {
            () = stopping.cancelled() => return,
            lost = listen(&store, &serving, &live) => lost,
        };
        if let Err(error) = lost {
            serving.set_stale(true);
            tracing::debug!(%error, "the listening connection is lost");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen(store: &Store, serving: &Serving, live: &Live) -> store::Result<()> {
    let mut listener = store
        .listen(&[
            CHANGE_CHANNEL,
            CONFIRMATION_CHANNEL,
            RUN_CHANNEL,
            RESULT_CHANNEL,
        ])
        .await?;
    catch_up(store, serving, live).await?;
    serving.set_stale(false);
    let mut reconcile = tokio::time::interval(RECONCILE);
    reconcile.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // A run announces every few results; pages need no more than people can read.
    let mut going_on = HashSet::new();
    let mut counted = HashSet::new();
    let mut progress = tokio::time::interval(PROGRESS);
    progress.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            heard = listener.try_recv() => {
                // None: the connection was lost, and announcements with it.
                let Some(notice) = heard? else {
                    return Err(store::Error::Unavailable(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()));
                };
                let project = notice.payload().split(' ').next().and_then(|word| word.parse().ok());
                let Some(project) = project else {
                    tracing::warn!(payload = notice.payload(), "an announcement nobody understands");
                    continue;
                };
                if notice.channel() == CONFIRMATION_CHANNEL {
                    live.send(project, Message::Clients);
                } else if notice.channel() == RUN_CHANNEL {
                    going_on.insert(project);
                } else if notice.channel() == RESULT_CHANNEL {
                    counted.insert(project);
                } else if let Some(update) = serving.update(store, project).await? {
                    live.announce(update);
                }
            }
            _ = progress.tick() => {
                for project in going_on.drain() {
                    live.send(project, Message::Runs);
                }
                for project in counted.drain() {
                    live.send(project, Message::Results);
                }
            }
            _ = reconcile.tick() => catch_up(store, serving, live).await?,
        }
    }
}

async fn catch_up(store: &Store, serving: &Serving, live: &Live) -> store::Result<()> {
    for update in serving.catch_up(store).await? {
        live.announce(update);
    }
    Ok(())
}
