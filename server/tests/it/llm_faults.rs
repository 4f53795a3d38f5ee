//! A provider that misbehaves in every way it can: each call ends in an answer or in the error
//! that names what happened, in time, with bounded memory, and without the key in sight.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::json;
use server::{
    llm::{
        Answer, Ask, BaseUrl, Door, Kind, LlmError, Provider, Retries, Settings, Timeouts, Waiting,
    },
    state::Clock,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{Act, BadProvider, eventually};

const KEY: &str = "sk-very-secret-0123456789";
const TRIES: u32 = 2;
const STEP: Duration = Duration::from_millis(150);
const WHOLE: Duration = Duration::from_secs(2);
const MB: usize = 1024 * 1024;

fn settings(url: &str, kind: Kind) -> Settings {
    let remote = Provider::Remote {
        kind,
        base_url: BaseUrl::parse(url).unwrap(),
        key: Some(KEY.into()),
    };
    Settings {
        timeouts: Timeouts {
            connect: STEP,
            first_byte: STEP,
            next_byte: STEP,
            whole: WHOLE,
        },
        retries: Retries {
            tries: TRIES,
            base: Duration::from_millis(5),
            longest: Duration::from_millis(20),
            longest_asked: Duration::from_millis(300),
        },
        ..Settings::new("bad", remote)
    }
}

fn door(url: &str, kind: Kind) -> Door {
    Door::new(settings(url, kind), Clock::real()).unwrap()
}

fn question() -> Ask {
    Ask {
        model: "small".to_owned(),
        ..Ask::default()
    }
}

/// How often this test asked: ports are used again, and what another test leaves behind may knock.
fn n_questions(provider: &BadProvider) -> usize {
    let questions = provider.questions();
    let ours = questions.iter().filter(|question| {
        let mut headers = question.headers.iter();
        headers.any(|(_, value)| value.contains("sk-very"))
    });
    ours.count()
}

async fn ask(door: &Door) -> Result<Answer, LlmError> {
    door.ask(&question(), &CancellationToken::new()).await
}

fn late(waiting_for: Waiting) -> LlmError {
    let after = if waiting_for == Waiting::Whole {
        WHOLE
    } else {
        STEP
    };
    LlmError::TimedOut { waiting_for, after }
}

fn answer_of(content_type: &str, body: &str) -> Act {
    Act::Answer {
        status: 200,
        headers: vec![("content-type", content_type.to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

fn redirect(to: &str) -> Act {
    Act::Answer {
        status: 307,
        headers: vec![("location", to.to_owned())],
        body: Vec::new(),
    }
}

type Fault = (Act, LlmError, bool);

/// What was sent before a stream ends too early, whichever protocol is spoken.
fn beginning() -> String {
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let start = "data: {\"type\":\"message_start\",\"message\":{}}\n\n";
    [event, start].concat()
}

/// Every fault, what it is called, and whether it is worth asking again.
fn faults() -> Vec<Fault> {
    let mut faults = faults_of_the_network();
    faults.extend(refusals());
    faults.extend(answers_that_are_none());
    faults
}

fn faults_of_the_network() -> Vec<Fault> {
    let silence = Act::StreamAndHang(vec![beginning()]);
    vec![
        (Act::Hang, late(Waiting::FirstByte), true),
        (Act::HangInBody, late(Waiting::NextByte), true),
        (silence, late(Waiting::NextByte), true),
        (Act::Drip, late(Waiting::Whole), true),
        (Act::Reset, LlmError::ConnectionLost, true),
        (Act::ResetInBody, LlmError::ConnectionLost, true),
        (Act::CutBody, LlmError::ConnectionLost, true),
    ]
}

fn refusals() -> Vec<Fault> {
    let refused = |status, message: &str| LlmError::Refused {
        status,
        message: message.to_owned(),
    };
    let says = |status, words: String| Act::json(status, &json!({"error": {"message": words}}));
    let page = Act::Answer {
        status: 502,
        headers: vec![("content-type", "text/html".to_owned())],
        body: b"<html>Bad gateway".to_vec(),
    };
    let redirect = redirect("http://elsewhere.example/v1");
    vec![
        (
            says(500, "no memory".to_owned()),
            refused(500, "no memory"),
            true,
        ),
        (page, refused(502, "Bad Gateway"), true),
        (
            says(401, format!("Wrong key: {KEY}")),
            refused(401, ""),
            false,
        ),
        (
            says(403, format!("{KEY} may not")),
            refused(403, "(key) may not"),
            false,
        ),
        (redirect, LlmError::Redirected { status: 307 }, false),
    ]
}

fn answers_that_are_none() -> Vec<Fault> {
    let json = |body: &str| answer_of("application/json", body);
    let stream = |body: &str| answer_of("text/event-stream", body);
    let truncated = |at_byte| LlmError::Truncated { at_byte };
    let invalid = |at_byte| LlmError::InvalidJson { at_byte };
    let wrong_type = |found: &str| LlmError::WrongContentType {
        found: found.to_owned(),
    };
    let limit_bytes = 8 * MB;
    let too_large = LlmError::TooLarge { limit_bytes };
    let untyped = Act::Answer {
        status: 200,
        headers: vec![],
        body: b"{}".to_vec(),
    };
    let beginning = beginning();
    let huge = |content_type| Act::Huge(content_type, 50 * MB);
    let page = answer_of("text/html; charset=utf-8", "<html>");
    vec![
        (json("{\"choices\": [{\"mess"), truncated(19), true),
        (stream(&beginning), truncated(beginning.len()), true),
        (stream("data: {\"choices\":[{\"del"), truncated(23), true),
        (stream(""), truncated(0), true),
        (json("{\"choices\": nope}"), invalid(14), false),
        (stream("data: nope\n\n"), invalid(12), false),
        (huge("application/json"), too_large.clone(), false),
        (huge("text/event-stream"), too_large, false),
        (page, wrong_type("text/html"), false),
        (untyped, wrong_type("no content type"), false),
    ]
}

#[tokio::test]
async fn every_fault_has_its_name_and_ends_in_time() {
    for kind in [Kind::OpenAi, Kind::Anthropic] {
        for (act, expected, is_retryable) in faults() {
            let case = format!("{kind:?} {:.60}", format!("{act:?}"));
            let provider = BadProvider::always(act).await;
            let start = Instant::now();
            let error = ask(&door(&provider.url(), kind)).await.unwrap_err();
            assert_eq!(error, expected, "{case}");
            assert_eq!(error.is_retryable(), is_retryable, "{case}");
            assert!(
                start.elapsed() < WHOLE + Duration::from_millis(500),
                "{case}"
            );
            // What lasts until everything is over leaves no time for another try.
            let is_asked_again = is_retryable && error != late(Waiting::Whole);
            let n_asked = if is_asked_again { TRIES as usize } else { 1 };
            assert_eq!(n_questions(&provider), n_asked, "{case}");
            // A connection buffers some megabytes; the rest was never taken.
            assert!(provider.n_bytes_sent() < 20 * MB, "{case}");
            assert!(!format!("{error:?} {error}").contains("sk-very"), "{case}");
        }
    }
}

#[tokio::test]
async fn a_fault_that_passes_is_not_seen() {
    for (act, error, is_retryable) in faults() {
        if !is_retryable || error == late(Waiting::Whole) {
            continue;
        }
        let provider = BadProvider::acts(vec![act, Act::completion_stream("At last.")]).await;
        let answer = ask(&door(&provider.url(), Kind::OpenAi)).await.unwrap();
        assert_eq!((answer.text.as_str(), answer.n_tries), ("At last.", 2));
    }
}

#[tokio::test]
async fn something_else_than_an_answer_is_told_apart_from_one() {
    let provider = BadProvider::always(Act::json(200, &json!({"hello": "world"}))).await;
    for (kind, missing) in [
        (Kind::OpenAi, "choices[0].message"),
        (Kind::Anthropic, "content"),
    ] {
        let error = ask(&door(&provider.url(), kind)).await.unwrap_err();
        assert_eq!(error, LlmError::Unexpected { missing });
    }
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = ask(&door(&url, Kind::OpenAi)).await.unwrap_err();
    assert!(matches!(error, LlmError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_redirect_takes_the_key_nowhere() {
    let other = BadProvider::always(Act::completion("stolen")).await;
    let provider = BadProvider::always(redirect(&other.url())).await;
    let error = ask(&door(&provider.url(), Kind::OpenAi)).await.unwrap_err();
    assert_eq!(error, LlmError::Redirected { status: 307 });
    assert!(other.questions().is_empty());
}

#[tokio::test]
async fn a_storm_of_429_pauses_everybody_and_loses_nobody() {
    // Ten refusals, whoever gets them; then the storm is over.
    let provider = BadProvider::start(|number, _| {
        if number < 10 {
            Act::too_many("1")
        } else {
            Act::completion_stream("ok")
        }
    })
    .await;
    let mut patient = settings(&provider.url(), Kind::OpenAi);
    patient.retries.tries = 12;
    patient.timeouts.whole = Duration::from_secs(20);
    patient.max_concurrency = 4;
    let door = Door::new(patient, Clock::real()).unwrap();
    let (answers, was_paused) = tokio::join!(
        futures::future::join_all((0..30).map(|_| ask(&door))),
        async {
            eventually("a pause", || door.paused_until().is_some()).await;
            true
        }
    );
    assert!(was_paused);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(provider.questions().len(), 40);
    assert!(provider.n_at_most() <= 4);
    assert_eq!(door.paused_until(), None);
}

#[tokio::test]
async fn a_storm_that_does_not_end_is_named_with_its_wait() {
    let provider = BadProvider::always(Act::too_many("30")).await;
    let error = ask(&door(&provider.url(), Kind::OpenAi)).await.unwrap_err();
    let expected = LlmError::RateLimited {
        retry_after: Some(Duration::from_secs(30)),
        n_tries: TRIES,
    };
    assert_eq!(error, expected);

    let empty =
        json!({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}});
    let provider = BadProvider::always(Act::json(429, &empty)).await;
    let error = ask(&door(&provider.url(), Kind::OpenAi)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the provider refused (429): You exceeded your quota"
    );
    assert_eq!(provider.questions().len(), 1);
}

#[tokio::test]
async fn cancelling_hangs_up_within_a_second() {
    for act in [Act::Hang, Act::HangInBody, Act::Drip] {
        let provider = BadProvider::always(act).await;
        let mut patient = settings(&provider.url(), Kind::OpenAi);
        patient.timeouts = Timeouts::default();
        let door = Door::new(patient, Clock::real()).unwrap();
        let (asked, cancelled) = (question(), CancellationToken::new());
        let calls = futures::future::join_all((0..20).map(|_| door.ask(&asked, &cancelled)));
        let (answers, start) = tokio::join!(calls, async {
            eventually("calls under way", || provider.n_at_most() == 8).await;
            cancelled.cancel();
            Instant::now()
        });
        assert!(start.elapsed() < Duration::from_secs(1));
        assert!(
            answers
                .iter()
                .all(|answer| *answer == Err(LlmError::Cancelled))
        );
        eventually("all hung up", || provider.n_hung_up() == 8).await;
        assert_eq!(provider.questions().len(), 8);
    }
}

#[tokio::test]
async fn concurrency_holds_on_the_network() {
    let slow = Act::completion_stream("ok").after(Duration::from_millis(20));
    let provider = BadProvider::always(slow).await;
    let mut narrow = settings(&provider.url(), Kind::OpenAi);
    narrow.max_concurrency = 5;
    let door = Door::new(narrow, Clock::real()).unwrap();
    let answers = futures::future::join_all((0..40).map(|_| ask(&door))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!((provider.n_at_most(), provider.questions().len()), (5, 40));
}

/// A log that the test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_most_talkative_log_shows_neither_key_nor_prompt() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for kind in [Kind::OpenAi, Kind::Anthropic] {
        let wrong_key = json!({"error": {"message": format!("Incorrect API key: {KEY}")}});
        let provider =
            BadProvider::acts(vec![Act::too_many("0.01"), Act::json(401, &wrong_key)]).await;
        let door = door(&provider.url(), kind);
        let mut asked = question();
        asked.stop = vec!["what-the-prompt-holds".to_owned()];
        let error = door
            .ask(&asked, &CancellationToken::new())
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the provider does not accept the API key (401)"
        );
        let shown = format!("{:?}", settings(&provider.url(), kind));
        assert!(
            shown.contains("bad") && !shown.contains("sk-very"),
            "{shown}"
        );
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("A model provider's rate limit is reached"),
        "{log}"
    );
    assert!(
        !log.contains("sk-very") && !log.contains("what-the-prompt-holds"),
        "{log}"
    );
}
