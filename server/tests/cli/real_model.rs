//! A real language model on this machine, labelled real data, and the gate in between: the better of
//! two versions measurably wins, the poorer one is stopped. `.ci/test model` starts the model.

use std::env;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Api, Demo, Folder, KEY, check_contains, cueline, demo, run};

/// What the demo's own suite says of SMS; the labels are the data set's.
const DATA: &str = include_str!("../../src/demo/data/sms_spam.jsonl");
/// More than fifty: fewer would show less than the difference between the versions.
const N_CASES: usize = 52;

fn turn(role: &str, text: &str) -> Value {
    json!({ "role": role, "content": text })
}

/// A version of the prompt: without examples the small model talks instead of labelling.
fn content(examples: &[(&str, &str)]) -> Value {
    let mut messages = vec![turn(
        "system",
        "You label text messages. Answer with one word: spam or ham.",
    )];
    for (text, label) in examples {
        messages.push(turn("user", &format!("SMS: {text}\nLabel:")));
        messages.push(turn("assistant", label));
    }
    messages.push(turn("user", "SMS: {{text}}\nLabel:"));
    json!({
        "type": "chat", "messages": messages,
        "variables": [{ "name": "text", "type": "string", "max_length": 1000 }],
        "model": { "provider": "real", "name": "SmolLM2-135M-Instruct", "max_tokens": 8 },
    })
}

const EXAMPLES: [(&str, &str); 7] = [
    (
        "WINNER! You have won a 1000 pound prize. Call 09061701461 now to claim.",
        "spam",
    ),
    ("Ok, see you at lunch then", "ham"),
    ("FREE ringtone! Text TONE to 87121. 150p per msg.", "spam"),
    ("Can you pick up milk on the way home?", "ham"),
    (
        "URGENT! Your mobile number has been awarded a free holiday. Call now.",
        "spam",
    ),
    ("Im at the station, train is late again", "ham"),
    ("Happy birthday! Hope you have a great day", "ham"),
];

async fn finished(api: &Api, run: &str) -> Value {
    let begun = Instant::now();
    loop {
        let found = api.get(&format!("/runs/{run}")).await;
        if !["queued", "running"].contains(&found["status"].as_str().unwrap()) {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_mins(4), "{found}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn deploy(api: &Api, version: u32) {
    let body = json!({ "environment": "production", "version": version, "reason": "the test's" });
    api.post("/prompts/real%2Fspam/break-glass", body).await;
}

#[test]
#[ignore = "needs a model at CUELINE_TEST_MODEL: `.ci/test model` starts one"]
fn a_real_model_shows_which_prompt_is_better_and_the_gate_lets_only_that_one_pass() {
    let model =
        env::var("CUELINE_TEST_MODEL").expect("CUELINE_TEST_MODEL: where the model answers");
    let folder = Folder::new("model");
    let mut command = demo(&folder.0);
    command.env("CUELINE_DEMO_API_KEY", KEY);
    let running = Demo::start(command);
    let url = running.url();
    let gate = |arguments: &[&str]| {
        let mut command: Command = cueline(&folder.0);
        command
            .env("CUELINE_URL", &url)
            .env("CUELINE_API_KEY", KEY)
            .args(["gate", "real/spam", "--suite", "real spam"])
            .args(arguments);
        command
    };

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let api = Api::of(&running);
    let runs = runtime.block_on(async {
        let provider = json!({ "name": "real", "kind": "openai", "base_url": model, "max_concurrency": 4 });
        api.post("/providers", provider).await;
        api.post("/prompts", json!({ "name": "real/spam" })).await;
        for examples in [&EXAMPLES[..0], &EXAMPLES[..]] {
            let body = json!({ "content": content(examples), "change_description": "a try" });
            api.post("/prompts/real%2Fspam/versions", body).await;
        }
        let suite = json!({ "name": "real spam", "prompt": "real/spam", "scorers": [{ "type": "iequals" }] });
        let suite = api.post("/suites", suite).await;
        let cases: Vec<Value> = DATA
            .lines()
            .take(N_CASES)
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(cases.len(), N_CASES);
        let path = format!("/suites/{}/cases", suite["id"].as_str().unwrap());
        assert_eq!(api.post(&path, json!(cases)).await["added"], N_CASES);

        let mut runs = Vec::new();
        for version in [1, 2] {
            let body = json!({ "prompt": "real/spam", "version": version, "suite": "real spam" });
            let run = api.post("/runs", body).await["id"].as_str().unwrap().to_owned();
            let ended = finished(&api, &run).await;
            assert_eq!((&ended["status"], &ended["errors"]), (&json!("completed"), &json!(0)));
            runs.push(run);
        }
        runs
    });

    let (poor, better) = (&runs[0], &runs[1]);
    let (won, lost) = runtime.block_on(async {
        let compare =
            async |one: &str, other: &str| api.get(&format!("/runs/{one}/compare/{other}")).await;
        (compare(better, poor).await, compare(poor, better).await)
    });
    assert!(
        won["difference_interval"][0].as_f64().unwrap() > 0.2,
        "{won}"
    );
    // One-sided: how often chance alone would lose this much.
    assert!(lost["p_value"].as_f64().unwrap() < 0.001, "{lost}");

    // The poor one serves: the better one may replace it, and not the other way round.
    runtime.block_on(deploy(&api, 1));
    check_contains(&run(&mut gate(&["--version", "2"]), 0), "PASS: real/spam");
    runtime.block_on(deploy(&api, 2));
    // A pull request's file that nobody saved.
    let file = folder.0.join("spam.json");
    let text = json!({ "name": "real/spam", "content": content(&[]) });
    std::fs::write(&file, text.to_string()).unwrap();
    let blocked = run(&mut gate(&["--file", file.to_str().unwrap()]), 1);
    check_contains(&blocked, "FAIL: real/spam");
}
