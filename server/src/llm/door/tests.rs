//! Limits, pauses and patience, on a clock that the tests drive.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;

use super::*;
use crate::llm::{
    Retries,
    scripted::{self, Script},
};

const ANSWERED: &str = "ok";

fn settings(script: Script) -> Settings {
    Settings {
        retries: Retries {
            tries: 3,
            base: Duration::from_secs(1),
            longest: Duration::from_secs(8),
            longest_asked: Duration::from_mins(1),
        },
        ..Settings::new("scripted", Provider::Scripted(script))
    }
}

fn door(settings: Settings) -> Door {
    let clock = Clock::of(|| DateTime::from_timestamp(1_000, 0).unwrap());
    let door = Door::new(settings, clock).unwrap();
    // The longest wait that chance allows, every time.
    door.with_jitter(Arc::new(|| 1.0))
}

/// A script that says, one after the other, these errors, and then answers.
fn fails(errors: Vec<LlmError>) -> Script {
    let errors = Mutex::new(errors.into_iter());
    Script::new(move |ask| match errors.lock().unwrap().next() {
        Some(error) => Err(error),
        None => Ok(scripted::answer(ask, ANSWERED)),
    })
}

fn too_many(seconds: u64) -> LlmError {
    LlmError::RateLimited {
        retry_after: Some(Duration::from_secs(seconds)),
        n_tries: 1,
    }
}

fn broken() -> LlmError {
    LlmError::Refused {
        status: 500,
        message: String::new(),
    }
}

async fn ask(door: &Door) -> Result<Answer, LlmError> {
    door.ask(&Ask::default(), &CancellationToken::new()).await
}

#[track_caller]
fn assert_took(start: Instant, seconds: f64) {
    let took = start.elapsed().as_secs_f64();
    assert!(
        (took - seconds).abs() < 0.02,
        "took {took} s instead of {seconds} s"
    );
}

#[tokio::test(start_paused = true)]
async fn waits_double_until_an_answer_comes() {
    let door = door(settings(fails(vec![broken(), LlmError::ConnectionLost])));
    let start = Instant::now();
    let answer = ask(&door).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.n_tries), (ANSWERED, 3));
    assert_took(start, 3.0);
}

#[tokio::test(start_paused = true)]
async fn the_last_failure_is_the_result() {
    let n_asked = Arc::new(AtomicUsize::new(0));
    let counted = n_asked.clone();
    let door = door(settings(Script::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Err(broken())
    })));
    assert_eq!(ask(&door).await, Err(broken()));
    assert_eq!(n_asked.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn what_asking_again_cannot_help_is_asked_once() {
    let refusal = LlmError::Refused {
        status: 404,
        message: "no such model".to_owned(),
    };
    let door = door(settings(fails(vec![refusal.clone()])));
    let start = Instant::now();
    assert_eq!(ask(&door).await, Err(refusal));
    assert_took(start, 0.0);
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_pause_everybody_for_as_long_as_asked() {
    let door = door(settings(fails(vec![too_many(30)])));
    let start = Instant::now();
    let first = async {
        assert_eq!(ask(&door).await.unwrap().n_tries, 2);
        assert_took(start, 30.25);
    };
    let second = async {
        sleep(Duration::from_secs(10)).await;
        assert_eq!(door.paused_until(), DateTime::from_timestamp(1_020, 0));
        assert_eq!(ask(&door).await.unwrap().n_tries, 1);
        assert_took(start, 30.25);
        assert_eq!(door.paused_until(), None);
    };
    tokio::join!(first, second);
}

#[tokio::test(start_paused = true)]
async fn a_storm_ends_in_words_with_the_wait_that_was_asked_for() {
    let door = door(settings(Script::new(|_| Err(too_many(5)))));
    let answers = join_all((0..20).map(|_| ask(&door))).await;
    for answer in answers {
        let expected = LlmError::RateLimited {
            retry_after: Some(Duration::from_secs(5)),
            n_tries: 3,
        };
        assert_eq!(answer, Err(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn an_exaggerated_wait_is_heeded_only_so_far() {
    let door = door(settings(fails(vec![too_many(86_400)])));
    let start = Instant::now();
    assert_eq!(ask(&door).await.unwrap().n_tries, 2);
    assert_took(start, 60.25);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_in_vain_is_told_so_at_once() {
    let mut impatient = settings(Script::new(|_| Err(too_many(30))));
    impatient.timeouts.whole = Duration::from_secs(20);
    let door = door(impatient);
    let start = Instant::now();
    for n_tries in [1, 0] {
        let error = ask(&door).await.unwrap_err();
        assert!(
            matches!(error, LlmError::RateLimited { retry_after: Some(_), n_tries: n } if n == n_tries),
            "{error:?}"
        );
    }
    assert_took(start, 0.0);
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_are_under_way_than_agreed() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let script = Script::text(|_| ANSWERED.to_owned()).after(Duration::from_secs(1));
    let mut narrow = settings(script);
    narrow.max_concurrency = 4;
    let door = door(narrow);
    let start = Instant::now();
    let calls = (0..20).map(|_| async {
        let answer = ask(&door).await.unwrap();
        now.fetch_add(1, Ordering::SeqCst);
        most.fetch_max(now.load(Ordering::SeqCst), Ordering::SeqCst);
        answer.latency_ms
    });
    let latencies = join_all(calls).await;
    assert_took(start, 5.0);
    assert!(
        latencies
            .iter()
            .all(|latency| (latency - 1000.0).abs() < 1e-6)
    );
}

#[tokio::test(start_paused = true)]
async fn requests_are_spread_over_the_minute() {
    let asked_at = Arc::new(Mutex::new(Vec::new()));
    let noted = asked_at.clone();
    let mut slow = settings(Script::text(move |_| {
        noted.lock().unwrap().push(Instant::now());
        ANSWERED.to_owned()
    }));
    slow.requests_per_minute = Some(120);
    let door = door(slow);
    let start = Instant::now();
    join_all((0..150).map(|_| ask(&door))).await;
    assert!(start.elapsed() >= Duration::from_millis(149 * 500));
    let asked_at = asked_at.lock().unwrap();
    let within_a_minute = asked_at
        .windows(121)
        .filter(|window| window[120] - window[0] < Duration::from_mins(1));
    assert_eq!((asked_at.len(), within_a_minute.count()), (150, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_ends_wherever_it_is() {
    let answers_late = || Script::text(|_| ANSWERED.to_owned()).after(Duration::from_mins(5));
    let mut narrow = settings(answers_late());
    narrow.max_concurrency = 1;
    let mut slow = settings(fails(vec![]));
    slow.requests_per_minute = Some(1);
    let paused = settings(fails(vec![too_many(50); 2]));
    let waits = settings(fails(vec![broken(); 2]));
    for (case, settings) in [
        ("running or waiting for a place", narrow),
        ("waiting for its share of the minute", slow),
        ("waiting for the end of a pause", paused),
        ("waiting before it asks again", waits),
    ] {
        let door = door(settings);
        let cancelled = CancellationToken::new();
        let question = Ask::default();
        let calls = join_all((0..3).map(|_| door.ask(&question, &cancelled)));
        let start = Instant::now();
        let (answers, ()) = tokio::join!(calls, async {
            sleep(Duration::from_millis(500)).await;
            cancelled.cancel();
        });
        assert_took(start, 0.5);
        let cancelled = answers
            .iter()
            .filter(|answer| **answer == Err(LlmError::Cancelled));
        assert!(cancelled.count() >= 2, "{case}: {answers:?}");
        // Nothing was used up by those who went.
        let start = Instant::now();
        let answer = ask(&door).await;
        assert!(answer.is_ok(), "{case}: {answer:?}");
        assert!(start.elapsed() <= Duration::from_mins(5), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_takes_longer_than_everything_together_may() {
    let late = |waiting_for| {
        Err(LlmError::TimedOut {
            waiting_for,
            after: Duration::from_secs(20),
        })
    };
    let never = Script::text(|_| ANSWERED.to_owned()).after(Duration::from_hours(1));
    let script = Script::text(|_| ANSWERED.to_owned());
    for (script, per_minute, expected) in [
        (never, None, [late(Waiting::Whole), late(Waiting::Whole)]),
        (
            script.clone(),
            Some(1),
            [late(Waiting::Turn), late(Waiting::Turn)],
        ),
    ] {
        let mut impatient = settings(script);
        impatient.timeouts.whole = Duration::from_secs(20);
        impatient.requests_per_minute = per_minute;
        let door = door(impatient);
        if per_minute.is_some() {
            ask(&door).await.unwrap();
        }
        let start = Instant::now();
        let answers = join_all((0..2).map(|_| ask(&door))).await;
        assert_took(start, 20.0);
        assert_eq!(answers, expected);
    }
}

#[tokio::test]
async fn a_makers_own_host_is_not_asked_without_a_key() {
    let open = |url: &str, key: Option<&str>| {
        let provider = Provider::Remote {
            kind: Kind::OpenAi,
            base_url: BaseUrl::parse(url).unwrap(),
            key: key.map(Secret::from),
        };
        Door::new(Settings::new("p", provider), Clock::real()).map(drop)
    };
    assert!(open("http://127.0.0.1:1", None).is_ok());
    assert!(open("https://api.openai.com/v1", Some("sk-1\n")).is_ok());
    for key in [None, Some(" ")] {
        let error = open("https://api.openai.com/v1", key).unwrap_err();
        assert!(error.to_string().contains("OPENAI_API_KEY"), "{error}");
    }
    let error = open("http://127.0.0.1:1", Some("sk-\u{1}secret")).unwrap_err();
    assert!(error.to_string().contains("cannot be sent"), "{error}");
    assert!(!error.to_string().contains("secret"));
}
