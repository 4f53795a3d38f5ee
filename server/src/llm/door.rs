//! The door to one provider: its limits, its patience, and the pause it asked for. Everybody who
//! asks this provider must go through the same door, or the limits do not hold.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{
    Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, zeroize::Zeroizing};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    Answer, Ask, LlmError, Waiting, anthropic,
    keys::Secret,
    openai,
    pace::{Pace, Pause},
    quirk::{Memory, Quirk, Quirks},
    retry,
    scripted::Script,
    settings::{BaseUrl, Kind, Provider, Settings},
    wire::{Setback, Stopwatch, Wire},
};
use crate::state::Clock;

/// A number from 0 to 1, another one each time: waits are spread with it.
pub type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;

/// The way to one provider.
pub struct Door {
    settings: Settings,
    way: Way,
    places: Semaphore,
    pace: Option<Pace>,
    pause: Pause,
    quirks: Memory,
    clock: Clock,
    jitter: Jitter,
}

enum Way {
    Remote {
        kind: Kind,
        url: Url,
        wire: Box<Wire>,
    },
    Scripted(Script),
}

impl Door {
    /// Opens a door. Refused where a key is needed and missing, or cannot be sent.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, LlmError> {
        let way = match &settings.provider {
            Provider::Remote {
                kind,
                base_url,
                key,
            } => remote(&settings, *kind, base_url, key.as_ref())?,
            Provider::Scripted(script) => Way::Scripted(script.clone()),
        };
        let n_places = settings.max_concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            way,
            places: Semaphore::new(n_places),
            pace: settings.requests_per_minute.map(Pace::per_minute),
            pause: Pause::default(),
            quirks: Memory::default(),
            clock,
            jitter: Arc::new(rand::random::<f64>),
            settings,
        })
    }

    /// Takes chance from elsewhere, for tests.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The provider's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Until when nobody asks, because the provider said "too many requests".
    pub fn paused_until(&self) -> Option<DateTime<Utc>> {
        let left = self
            .pause
            .until()?
            .saturating_duration_since(Instant::now());
        Some(self.clock.now() + TimeDelta::from_std(left).ok()?)
    }

    /// Asks, when it is this call's turn, as often as is sensible and no longer than the settings
    /// allow. Once `cancelled`, waiting or running, it ends at once and hangs up.
    pub async fn ask(&self, ask: &Ask, cancelled: &CancellationToken) -> Result<Answer, LlmError> {
        let whole = self.settings.timeouts.whole;
        let deadline = Instant::now() + whole;
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(LlmError::Cancelled),
            answer = self.persist(ask, deadline) => answer,
            () = sleep_until(deadline) => Err(LlmError::TimedOut {
                waiting_for: Waiting::Whole,
                after: whole,
            }),
        }
    }

    /// Asks until there is an answer or no use in asking.
    async fn persist(&self, ask: &Ask, deadline: Instant) -> Result<Answer, LlmError> {
        let mut quirks = self.quirks.of(&ask.model);
        let (mut n_tries, mut n_failed) = (0, 0);
        loop {
            let turn = self.turn(deadline, n_tries).await?;
            n_tries += 1;
            let setback = match self.try_once(ask, &mut quirks).await {
                Ok(answer) => return Ok(Answer { n_tries, ..answer }),
                Err(Try::LeaveOut) => continue,
                Err(Try::Failed(setback)) => setback,
            };
            drop(turn);
            n_failed += 1;
            let wait = self.wait_after(&setback, n_failed);
            let is_in_time = Instant::now() + wait < deadline;
            let may_ask_again = n_failed < self.settings.retries.tries && is_in_time;
            if !setback.error.is_retryable() || !may_ask_again {
                return Err(match setback.error {
                    LlmError::RateLimited { retry_after, .. } => LlmError::RateLimited {
                        retry_after,
                        n_tries,
                    },
                    error => error,
                });
            }
            tracing::debug!(
                provider.name = self.name(),
                error.code = setback.error.code(),
                n_tries,
                wait_ms = wait.as_millis(),
                "A model provider did not answer and is asked again"
            );
            // A rate limit's wait is everybody's pause, and comes with the next turn.
            if !matches!(setback.error, LlmError::RateLimited { .. }) {
                sleep(wait).await;
            }
        }
    }

    /// How long this call waits; where the provider asks for fewer requests, all others with it.
    fn wait_after(&self, setback: &Setback, n_failed: u32) -> Duration {
        let retries = &self.settings.retries;
        let wait = retry::wait(retries, n_failed, setback.asked, (self.jitter)());
        if matches!(setback.error, LlmError::RateLimited { .. }) {
            tracing::info!(
                provider.name = self.name(),
                wait_ms = wait.as_millis(),
                "A model provider's rate limit is reached; nobody asks it for a while"
            );
            self.pause.extend(Instant::now() + wait);
        }
        wait
    }

    /// Waits for a free place, the end of a pause, and this request's share of the minute.
    async fn turn(&self, deadline: Instant, n_tries: u32) -> Result<SemaphorePermit<'_>, LlmError> {
        let waiting = async {
            let place = self.places.acquire().await;
            let place = place.expect("the places are never closed");
            loop {
                // Whoever would wait in vain is told so now.
                if let Some(until) = self.pause.until().filter(|until| *until >= deadline) {
                    return Err(LlmError::RateLimited {
                        retry_after: Some(until.saturating_duration_since(Instant::now())),
                        n_tries,
                    });
                }
                self.pause.end(&*self.jitter).await;
                if let Some(pace) = &self.pace {
                    pace.turn().await;
                }
                if self.pause.until().is_none() {
                    return Ok(place);
                }
            }
        };
        timeout_at(deadline, waiting).await.unwrap_or_else(|_| {
            Err(LlmError::TimedOut {
                waiting_for: Waiting::Turn,
                after: self.settings.timeouts.whole,
            })
        })
    }

    async fn try_once(&self, ask: &Ask, quirks: &mut Quirks) -> Result<Answer, Try> {
        match &self.way {
            Way::Remote { kind, url, wire } => self.try_remote(ask, quirks, *kind, url, wire).await,
            Way::Scripted(script) => {
                let answer = script.answer(ask).await;
                answer.map_err(|error| Try::Failed(error.into()))
            }
        }
    }

    async fn try_remote(
        &self,
        ask: &Ask,
        quirks: &mut Quirks,
        kind: Kind,
        url: &Url,
        wire: &Wire,
    ) -> Result<Answer, Try> {
        let (question, mut left_out) = match kind {
            Kind::OpenAi => openai::question(ask, quirks),
            Kind::Anthropic => anthropic::question(ask, quirks),
        };
        let watch = Stopwatch::start();
        let asked = wire.post(url.clone(), &question, || self.clock.now()).await;
        let reply = match asked {
            Ok(reply) => reply,
            Err(setback) => {
                let shown = match &setback.error {
                    LlmError::Refused { status, .. } => {
                        Quirk::shown_by(*status, &setback.refusal, &question)
                    }
                    _ => None,
                };
                // Seen before and refused all the same: leaving it out did not help.
                let Some(quirk) = shown.filter(|quirk| quirks.insert(*quirk)) else {
                    return Err(Try::Failed(setback));
                };
                self.quirks.add(&ask.model, quirk);
                return Err(Try::LeaveOut);
            }
        };
        let answer = match kind {
            Kind::OpenAi => openai::read(reply, watch).await,
            Kind::Anthropic => anthropic::read(reply, watch).await,
        };
        let mut answer = answer.map_err(Try::Failed)?;
        left_out.extend(quirks.iter().filter_map(|quirk| quirk.missing_from(ask)));
        left_out.sort_unstable();
        left_out.dedup();
        answer.left_out = left_out.into_iter().map(str::to_owned).collect();
        Ok(answer)
    }
}

/// Why a try brought no answer.
enum Try {
    /// The model does not take a parameter; without it, it may answer.
    LeaveOut,
    Failed(Setback),
}

fn remote(
    settings: &Settings,
    kind: Kind,
    base_url: &BaseUrl,
    key: Option<&Secret>,
) -> Result<Way, LlmError> {
    // Pasted keys bring line ends along; an empty one is none.
    let key = key
        .map(|key| Secret::from(key.expose_secret().trim()))
        .filter(|key| !key.expose_secret().is_empty());
    if key.is_none() && base_url.is_makers_own(kind) {
        let variable = kind.key_variable();
        return Err(LlmError::NotConfigured(format!(
            "it has no API key; save one, or set {variable} in the server's environment"
        )));
    }
    let mut headers = HeaderMap::new();
    if let Some(key) = &key {
        let (name, before) = match kind {
            Kind::OpenAi => (AUTHORIZATION, "Bearer "),
            Kind::Anthropic => (HeaderName::from_static("x-api-key"), ""),
        };
        let value = Zeroizing::new(format!("{before}{}", key.expose_secret()));
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| {
            let why = "its API key holds characters that cannot be sent";
            LlmError::NotConfigured(why.to_owned())
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let path = match kind {
        Kind::OpenAi => openai::PATH,
        Kind::Anthropic => {
            let version = HeaderValue::from_static(anthropic::VERSION);
            headers.insert("anthropic-version", version);
            anthropic::PATH
        }
    };
    Ok(Way::Remote {
        kind,
        url: base_url.below_v1(kind, path),
        wire: Box::new(Wire::new(settings, headers, key)?),
    })
}

#[cfg(test)]
mod tests;
