//! One request to a provider and what comes back: JSON in one piece or a stream of events, or the
//! reason why neither came. What the JSON means is for the protocols.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap},
    redirect,
};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    Answer,
    body::{self, Body},
    error::{LlmError, Waiting},
    keys::Secret,
    retry,
    settings::{Settings, Timeouts},
    sse,
};

/// Why a try failed, and what only the door needs to know about it.
#[derive(Debug)]
pub struct Setback {
    pub error: LlmError,
    /// How long the provider asks to wait.
    pub asked: Option<Duration>,
    /// The body of a refusal, for what it says about parameters.
    pub refusal: Value,
}

impl From<LlmError> for Setback {
    fn from(error: LlmError) -> Self {
        let asked = match error {
            LlmError::RateLimited { retry_after, .. } => retry_after,
            _ => None,
        };
        Self {
            error,
            asked,
            refusal: Value::Null,
        }
    }
}

/// The way to one provider.
pub struct Wire {
    client: Client,
    timeouts: Timeouts,
    max_answer_bytes: usize,
    /// Sent with every request; the key among them is marked as sensitive.
    headers: HeaderMap,
    /// Known here to be taken out of what the provider says.
    key: Option<Secret>,
}

/// What came.
pub enum Reply {
    Whole(Value),
    Events(Box<Events>),
}

impl Wire {
    pub fn new(
        settings: &Settings,
        headers: HeaderMap,
        key: Option<Secret>,
    ) -> Result<Self, LlmError> {
        // Refused only where one is installed already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .user_agent(concat!("cueline/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.timeouts.connect)
            .pool_max_idle_per_host(settings.max_concurrency)
            // The key must not follow wherever a provider, or whoever speaks for it, points.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| LlmError::NotConfigured(cause(&error)))?;
        Ok(Self {
            client,
            timeouts: settings.timeouts,
            max_answer_bytes: settings.max_answer_bytes,
            headers,
            key,
        })
    }

    /// Asks. `now` serves to read a `Retry-After` that is a date.
    pub async fn post(
        &self,
        url: Url,
        question: &Value,
        now: impl Fn() -> DateTime<Utc>,
    ) -> Result<Reply, Setback> {
        let request = self
            .client
            .post(url)
            .headers(self.headers.clone())
            .json(question);
        let response = timeout(self.timeouts.first_byte, request.send())
            .await
            .map_err(|_| self.late(Waiting::FirstByte))?
            .map_err(|error| self.unsent(&error))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(LlmError::Redirected {
                status: status.as_u16(),
            }
            .into());
        }
        if !status.is_success() {
            return Err(self.refused(response, now()).await);
        }
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|text| text.split(';').next());
        let essence = essence
            .unwrap_or("no content type")
            .trim()
            .to_ascii_lowercase();
        let limits = (self.timeouts.next_byte, self.max_answer_bytes);
        if essence == "text/event-stream" {
            let body = Body::new(response, limits.0, limits.1)?;
            let events = Events::new(body, self.key.clone());
            return Ok(Reply::Events(Box::new(events)));
        }
        if essence == "application/json" || essence.ends_with("+json") {
            let body = Body::new(response, limits.0, limits.1)?;
            return Ok(Reply::Whole(body.json().await?));
        }
        Err(LlmError::WrongContentType {
            found: body::clean(&essence, self.key.as_ref()),
        }
        .into())
    }

    async fn refused(&self, response: Response, now: DateTime<Utc>) -> Setback {
        let status = response.status();
        let asked = retry::asked_wait(response.headers(), now);
        let refusal = body::refusal(response, self.timeouts.next_byte).await;
        Setback {
            error: refused(status.as_u16(), &refusal, asked, self.key.as_ref()),
            asked,
            refusal,
        }
    }

    fn unsent(&self, error: &reqwest::Error) -> LlmError {
        if !error.is_connect() {
            LlmError::ConnectionLost
        } else if error.is_timeout() {
            self.late(Waiting::Connection)
        } else {
            LlmError::Unreachable(body::clean(&cause(error), self.key.as_ref()))
        }
    }

    const fn late(&self, waiting_for: Waiting) -> LlmError {
        LlmError::TimedOut {
            waiting_for,
            after: match waiting_for {
                Waiting::Connection => self.timeouts.connect,
                Waiting::FirstByte => self.timeouts.first_byte,
                Waiting::NextByte => self.timeouts.next_byte,
                Waiting::Turn | Waiting::Whole => self.timeouts.whole,
            },
        }
    }
}

/// What a status that is no success means.
fn refused(
    status: u16,
    refusal: &Value,
    asked: Option<Duration>,
    key: Option<&Secret>,
) -> LlmError {
    // An empty purse also comes as 429, but does not fill by waiting.
    let is_empty_purse =
        refusal.pointer("/error/code").and_then(Value::as_str) == Some("insufficient_quota");
    if status == 429 && !is_empty_purse {
        return LlmError::RateLimited {
            retry_after: asked,
            n_tries: 1,
        };
    }
    let message = match (status, body::refusal_text(refusal)) {
        // These words like to repeat half of the key, and say no more than the number does.
        (401, _) => String::new(),
        (_, Some(text)) => body::clean(text, key),
        (_, None) => StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default()
            .to_owned(),
    };
    LlmError::Refused { status, message }
}

/// The innermost reason: the outer ones repeat the address.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if std::ptr::addr_eq(innermost, error) {
        return "the request could not be sent".to_owned();
    }
    innermost.to_string()
}

/// How long a finished stream gets to end, so that its connection can be used again.
const FAREWELL: Duration = Duration::from_millis(100);

/// The events of a streamed answer.
pub struct Events {
    body: Body,
    reader: sse::Reader,
    ready: VecDeque<sse::Event>,
    is_over: bool,
    key: Option<Secret>,
}

impl Events {
    fn new(body: Body, key: Option<Secret>) -> Self {
        Self {
            body,
            reader: sse::Reader::default(),
            ready: VecDeque::new(),
            is_over: false,
            key,
        }
    }

    /// The next event; none at the stream's end.
    pub async fn next(&mut self) -> Result<Option<sse::Event>, LlmError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.is_over {
                return Ok(None);
            }
            if let Some(piece) = self.body.piece().await? {
                self.ready.extend(self.reader.take(&piece));
            } else {
                self.is_over = true;
                self.ready.extend(self.reader.finish());
            }
        }
    }

    /// Reads what follows the last event, usually nothing but the stream's end: a connection that
    /// is left in the middle cannot carry the next question.
    pub async fn leave(mut self) {
        let rest = async { while let Ok(Some(_)) = self.body.piece().await {} };
        // Whoever talks on is hung up on.
        drop(timeout(FAREWELL, rest).await);
    }

    /// An event's JSON. What breaks off at the stream's end was cut, everything else is wrong.
    pub fn json(&self, event: &sse::Event) -> Result<Value, LlmError> {
        let at_byte = self.body.n_bytes();
        serde_json::from_str(&event.text).map_err(|error| {
            if error.is_eof() && self.is_over {
                LlmError::Truncated { at_byte }
            } else {
                LlmError::InvalidJson { at_byte }
            }
        })
    }

    /// The stream ended before the answer did.
    pub const fn cut(&self) -> LlmError {
        LlmError::Truncated {
            at_byte: self.body.n_bytes(),
        }
    }

    /// What an error within the stream means.
    pub fn refused(&self, status: u16, event: &Value) -> Setback {
        Setback {
            error: refused(status, event, None, self.key.as_ref()),
            asked: None,
            refusal: Value::Null,
        }
    }
}

/// How long an answer takes, and when it begins.
pub struct Stopwatch {
    start: Instant,
    first: Option<Instant>,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
            first: None,
        }
    }

    /// The first piece of the answer itself is here.
    pub fn first_token(&mut self) {
        self.first.get_or_insert_with(Instant::now);
    }

    /// Writes both times into the finished answer.
    pub fn stop(self, answer: &mut Answer) {
        let ms = |span: Duration| span.as_secs_f64() * 1000.0;
        answer.latency_ms = ms(self.start.elapsed());
        answer.ttft_ms = self.first.map(|first| ms(first - self.start));
    }
}
