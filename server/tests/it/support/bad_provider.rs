//! A model provider of the tests' own, on a port of the loopback device: it answers what it is
//! told to, as well or as badly as it is told to, and remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// What is done with one request.
#[derive(Clone, Debug)]
pub enum Act {
    /// A proper HTTP answer.
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Pieces of an event stream, with a wait before each, then a proper end.
    Stream { wait: Duration, pieces: Vec<String> },
    /// The same, but after the last piece nothing more comes, not even the end.
    StreamAndHang(Vec<String>),
    /// The request is read, and that is all.
    Hang,
    /// Headers, half of the promised body, and nothing more.
    HangInBody,
    /// The connection is reset instead of an answer.
    Reset,
    /// The connection is reset in the middle of the body.
    ResetInBody,
    /// The connection ends properly, in the middle of the promised body.
    CutBody,
    /// This many bytes of this content type, without saying how many beforehand.
    Huge(&'static str, usize),
    /// One byte every few milliseconds, for ever.
    Drip,
    /// Something else, after a while.
    After(Duration, Box<Act>),
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Question {
    pub path: String,
    /// In lower case.
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// The provider. Ends with the test's runtime.
pub struct BadProvider {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    questions: Mutex<Vec<Question>>,
    n_now: AtomicUsize,
    n_at_most: AtomicUsize,
    n_hung_up: AtomicUsize,
    n_connections: AtomicUsize,
    n_bytes_sent: AtomicUsize,
}

type Plan = dyn Fn(usize, &Question) -> Act + Send + Sync;

impl BadProvider {
    /// Does to each request what `plan` says for its number, from 0 on.
    pub async fn start(plan: impl Fn(usize, &Question) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (plan, watched): (Arc<Plan>, _) = (Arc::new(plan), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (plan, seen) = (plan.clone(), watched.clone());
                seen.n_connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    // A client that hangs up is what many tests are about.
                    if serve(stream, &*plan, &seen).await.is_err() {
                        seen.n_hung_up.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { address, seen }
    }

    /// Always the same.
    pub async fn always(act: Act) -> Self {
        Self::start(move |_, _| act.clone()).await
    }

    /// One act after the other; the last one from then on.
    pub async fn acts(acts: Vec<Act>) -> Self {
        Self::start(move |number, _| acts[number.min(acts.len() - 1)].clone()).await
    }

    /// Its address, to which the protocols' paths are added.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked, in order.
    pub fn questions(&self) -> Vec<Question> {
        self.seen.questions.lock().unwrap().clone()
    }

    /// How many requests were under way at once, at most.
    pub fn n_at_most(&self) -> usize {
        self.seen.n_at_most.load(Ordering::SeqCst)
    }

    /// How many clients went before they had everything.
    pub fn n_hung_up(&self) -> usize {
        self.seen.n_hung_up.load(Ordering::SeqCst)
    }

    /// How many connections were made.
    pub fn n_connections(&self) -> usize {
        self.seen.n_connections.load(Ordering::SeqCst)
    }

    /// How much of its huge bodies was taken.
    pub fn n_bytes_sent(&self) -> usize {
        self.seen.n_bytes_sent.load(Ordering::SeqCst)
    }
}

impl Question {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Act {
    /// JSON with this status.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    /// "Too many requests", to be tried again after so many seconds.
    pub fn too_many(retry_after: &str) -> Self {
        let body = json!({"error": {"message": "slow down", "type": "rate_limit"}});
        match Self::json(429, &body) {
            Self::Answer {
                status,
                mut headers,
                body,
            } => {
                headers.push(("retry-after", retry_after.to_owned()));
                Self::Answer {
                    status,
                    headers,
                    body,
                }
            }
            other => other,
        }
    }

    /// A chat completion in one piece.
    pub fn completion(text: &str) -> Self {
        Self::json(200, &completion(text))
    }

    /// A chat completion as a stream of words.
    pub fn completion_stream(text: &str) -> Self {
        Self::Stream {
            wait: Duration::ZERO,
            pieces: completion_events(text),
        }
    }

    /// The same, later.
    pub fn after(self, wait: Duration) -> Self {
        Self::After(wait, Box::new(self))
    }
}

/// A chat completion as `OpenAI` sends it.
pub fn completion(text: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "small-1",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
            "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 8}},
    })
}

/// The same as events, to the `[DONE]`.
pub fn completion_events(text: &str) -> Vec<String> {
    let chunk = |choices: Value, usage: Value| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "small-1",
            "system_fingerprint": "fp_1", "choices": choices, "usage": usage})
    };
    let choice = |delta: Value, reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        chunk(json!([choice]), Value::Null)
    };
    let mut chunks = vec![choice(
        json!({"role": "assistant", "content": ""}),
        Value::Null,
    )];
    for word in text.split_inclusive(' ') {
        chunks.push(choice(json!({"content": word}), Value::Null));
    }
    chunks.push(choice(json!({}), json!("stop")));
    let usage = completion(text)["usage"].clone();
    chunks.push(chunk(json!([]), usage));
    let events = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    events.chain(["data: [DONE]\n\n".to_owned()]).collect()
}

/// Answers what comes on one connection, as long as its answers are proper ones.
async fn serve(stream: TcpStream, plan: &Plan, seen: &Seen) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(question) = read(&mut stream).await? {
        let act = {
            let mut questions = seen.questions.lock().unwrap();
            let act = plan(questions.len(), &question);
            questions.push(question);
            act
        };
        let closes = matches!(act, Act::Reset | Act::ResetInBody | Act::CutBody);
        let n_now = seen.n_now.fetch_add(1, Ordering::SeqCst) + 1;
        seen.n_at_most.fetch_max(n_now, Ordering::SeqCst);
        let done = perform(&mut stream, act, seen).await;
        seen.n_now.fetch_sub(1, Ordering::SeqCst);
        done?;
        if closes {
            break;
        }
    }
    Ok(())
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Question>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let headers: Vec<_> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    stream.read_exact(&mut body).await?;
    Ok(Some(Question {
        path: lines[0].split(' ').nth(1).unwrap_or_default().to_owned(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }))
}

async fn perform(
    stream: &mut BufReader<TcpStream>,
    mut act: Act,
    seen: &Seen,
) -> std::io::Result<()> {
    while let Act::After(wait, then) = act {
        tokio::select! {
            () = sleep(wait) => {}
            hung_up = wait_for_the_end(stream) => return hung_up,
        }
        act = *then;
    }
    let promised = "content-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"choices\": [";
    match act {
        Act::Answer {
            status,
            headers,
            body,
        } => {
            let mut head = format!("HTTP/1.1 {status} Said\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
        }
        Act::Stream { wait, pieces } => {
            begin_chunks(stream, "text/event-stream; charset=utf-8").await?;
            for piece in pieces {
                sleep(wait).await;
                chunk(stream, piece.as_bytes()).await?;
            }
            stream.write_all(b"0\r\n\r\n").await?;
        }
        Act::StreamAndHang(pieces) => {
            begin_chunks(stream, "text/event-stream").await?;
            for piece in pieces {
                chunk(stream, piece.as_bytes()).await?;
            }
            wait_for_the_end(stream).await?;
        }
        Act::Hang => wait_for_the_end(stream).await?,
        Act::HangInBody => {
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\n{promised}").as_bytes())
                .await?;
            wait_for_the_end(stream).await?;
        }
        Act::Reset => stream.get_ref().set_zero_linger()?,
        Act::ResetInBody => {
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\n{promised}").as_bytes())
                .await?;
            stream.flush().await?;
            sleep(Duration::from_millis(20)).await;
            stream.get_ref().set_zero_linger()?;
        }
        Act::CutBody => {
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\n{promised}").as_bytes())
                .await?;
        }
        Act::Huge(content_type, n_bytes) => {
            begin_chunks(stream, content_type).await?;
            let piece = vec![b' '; 64 * 1024];
            while seen.n_bytes_sent.load(Ordering::SeqCst) < n_bytes {
                chunk(stream, &piece).await?;
                seen.n_bytes_sent.fetch_add(piece.len(), Ordering::SeqCst);
            }
            stream.write_all(b"0\r\n\r\n").await?;
        }
        Act::Drip => {
            begin_chunks(stream, "text/event-stream").await?;
            loop {
                chunk(stream, b":").await?;
                sleep(Duration::from_millis(5)).await;
            }
        }
        Act::After(..) => {}
    }
    stream.flush().await
}

async fn begin_chunks(
    stream: &mut BufReader<TcpStream>,
    content_type: &str,
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await
}

async fn chunk(stream: &mut BufReader<TcpStream>, bytes: &[u8]) -> std::io::Result<()> {
    stream
        .write_all(format!("{:x}\r\n", bytes.len()).as_bytes())
        .await?;
    stream.write_all(bytes).await?;
    stream.write_all(b"\r\n").await?;
    stream.flush().await
}

/// Says nothing until the client goes, and counts that as an error.
async fn wait_for_the_end(stream: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    let mut byte = [0];
    stream.read_exact(&mut byte).await?;
    Err(std::io::ErrorKind::InvalidData.into())
}
