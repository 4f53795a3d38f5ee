//! The change feed in the browser: one `EventSource` for each project, and signals that rise when
//! something changed. On the server and without script they stay at 0.

use std::{collections::BTreeMap, time::Duration};

use leptos::{ev, prelude::*, reactive::send_wrapper_ext::SendOption};
use serde::Deserialize;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{EventSource, MessageEvent};

/// How long to wait before connecting again, when the browser has given up by itself.
const PAUSE: Duration = Duration::from_secs(2);

/// What the project's feed has said so far. Provided by the frame.
#[derive(Clone, Copy)]
pub struct Feed {
    counts: RwSignal<Counts>,
    state: RwSignal<Connection>,
    /// In the browser only: what is never made on the server can be dropped by any of its threads.
    source: StoredValue<SendOption<EventSource>>,
    /// Whether it has been connected before: what happened in between was not heard.
    has_been: StoredValue<bool>,
}

#[derive(Clone, Default)]
struct Counts {
    of: BTreeMap<String, u64>,
    /// Gaps, after which everything may have changed.
    gaps: u64,
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
    /// The person wants the page to hold still.
    Paused,
}

#[derive(Deserialize)]
struct Change {
    kind: String,
}

impl Feed {
    /// A feed that hears nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            counts: RwSignal::default(),
            state: RwSignal::default(),
            source: StoredValue::new(SendOption::new_local(None)),
            has_been: StoredValue::new(false),
        }
    }

    /// The feed of the project that one is in; in the browser it connects.
    #[must_use]
    pub fn follow(project: Memo<String>) -> Self {
        let feed = Self::new();
        Effect::new(move |_| {
            feed.connect(&project.get());
            // Browsers keep few connections to one server: pages nobody sees do without.
            let handle = window_event_listener(ev::visibilitychange, move |_| {
                if document().hidden() {
                    feed.close();
                } else if feed.state.get_untracked() != Connection::Paused {
                    feed.connect(&project.get_untracked());
                }
            });
            on_cleanup(move || {
                handle.remove();
                feed.close();
            });
        });
        Effect::new(move |_| {
            if feed.state.get() == Connection::Reconnecting {
                let again = set_timeout_with_handle(
                    move || {
                        if feed.has_given_up() {
                            feed.connect(&project.get_untracked());
                        }
                    },
                    PAUSE,
                );
                on_cleanup(move || {
                    if let Ok(again) = again {
                        again.clear();
                    }
                });
            }
        });
        feed
    }

    /// How the connection is doing.
    #[must_use]
    pub fn connection(self) -> Signal<Connection> {
        self.state.into()
    }

    /// Rises whenever a change of one of these kinds is heard: `deployment`, `prompt`, `version`,
    /// `environment`, `key`, `member`, `promotion`, `clients`, `provider`, `suite`, `run`, `gate`,
    /// `alert`, `webhook`.
    /// Put it into a resource's source.
    #[must_use]
    pub fn heard(self, kinds: &'static [&'static str]) -> Memo<u64> {
        Memo::new(move |_| {
            self.counts.with(|counts| {
                counts.gaps
                    + kinds
                        .iter()
                        .filter_map(|kind| counts.of.get(*kind))
                        .sum::<u64>()
            })
        })
    }

    /// Holds still, or goes on.
    pub fn toggle(self) {
        if self.state.get_untracked() == Connection::Paused {
            self.state.set(Connection::Live);
            self.counts.update(|counts| counts.gaps += 1);
        } else {
            self.state.set(Connection::Paused);
        }
    }

    fn is_paused(self) -> bool {
        self.state.try_get_untracked() == Some(Connection::Paused)
    }

    fn has_given_up(self) -> bool {
        self.source
            .try_with_value(|source| {
                source
                    .as_ref()
                    .is_some_and(|source| source.ready_state() == EventSource::CLOSED)
            })
            .unwrap_or(false)
    }

    fn close(self) {
        self.source.try_update_value(|source| {
            if let Some(source) = (**source).take() {
                source.close();
            }
        });
    }

    fn connect(self, project: &str) {
        self.close();
        let address = format!("/live?project={project}");
        let Ok(source) = EventSource::new(&address) else {
            return;
        };

        let opened = Closure::<dyn Fn()>::new(move || {
            let is_again = self.has_been.get_value();
            self.has_been.set_value(true);
            if !self.is_paused() {
                self.state.set(Connection::Live);
                if is_again {
                    self.counts.update(|counts| counts.gaps += 1);
                }
            }
        });
        let failed = Closure::<dyn Fn()>::new(move || {
            if !self.is_paused() {
                self.state.set(Connection::Reconnecting);
                // Also when it was so before: another try may be due.
                self.state.notify();
            }
        });
        let changed = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            let Some(text) = event.data().as_string() else {
                return;
            };
            if let Ok(change) = serde_json::from_str::<Change>(&text)
                && !self.is_paused()
            {
                self.counts
                    .update(|counts| *counts.of.entry(change.kind).or_default() += 1);
            }
        });
        let reset = Closure::<dyn Fn()>::new(move || {
            if !self.is_paused() {
                self.counts.update(|counts| counts.gaps += 1);
            }
        });

        source.set_onopen(Some(opened.as_ref().unchecked_ref()));
        source.set_onerror(Some(failed.as_ref().unchecked_ref()));
        for (name, listener) in [
            ("change", changed.as_ref().unchecked_ref()),
            ("reset", reset.as_ref().unchecked_ref()),
        ] {
            // Refused only for a listener that is none.
            let _ = source.add_event_listener_with_callback(name, listener);
        }
        // They live as long as the page: one set for each connection.
        opened.forget();
        failed.forget();
        changed.forget();
        reset.forget();
        self.source.set_value(SendOption::new_local(Some(source)));
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
