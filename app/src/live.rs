//! The change feed in the browser: one `EventSource` for each project, and signals that rise when
//! something changed. On the server and without script they stay at 0.

use leptos::prelude::*;

/// What the project's feed has said so far. Provided by the frame.
#[derive(Clone, Copy)]
pub struct Feed {
    counts: RwSignal<std::collections::BTreeMap<String, u64>>,
    state: RwSignal<Connection>,
}

/// How the feed's connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Connection {
    /// Not yet, or never: no script.
    #[default]
    Off,
    /// Changes arrive as they happen.
    Live,
    /// The connection was lost and is being made again.
    Reconnecting,
}

impl Feed {
    /// A feed that has heard nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            counts: RwSignal::default(),
            state: RwSignal::default(),
        }
    }

    /// How the connection is doing.
    #[must_use]
    pub fn connection(self) -> Signal<Connection> {
        self.state.into()
    }

    /// Rises whenever a change of one of these kinds is heard: `deployment`, `prompt`, `version`,
    /// `environment`, `key`, `member`, `promotion`, `clients`. Put it into a resource's source.
    #[must_use]
    pub fn heard(self, kinds: &'static [&'static str]) -> Memo<u64> {
        Memo::new(move |_| {
            self.counts
                .with(|counts| kinds.iter().filter_map(|kind| counts.get(*kind)).sum())
        })
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

/// The feed of the project one is in.
#[must_use]
pub fn use_feed() -> Feed {
    use_context::<Feed>().unwrap_or_default()
}
