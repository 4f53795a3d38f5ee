//! The binary as people run it: the demo starts with what it printed, commands beside it reach the
//! same database, a rollback from the command line reaches every client, and an edited entry of
//! the audit trail is found.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails the test that called it"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use axum::Json;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

const KEY: &str = "clk_the_key_of_this_test";
const PASSWORD: &str = "a password of this test";

/// A folder in a place that every user may enter, removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("cueline-cli-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// `cueline` without anything from this process's environment that would change what it does.
fn cueline(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cueline"));
    for (name, _) in env::vars() {
        if name.starts_with("CUELINE_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
        .env("CUELINE_DATA_DIR", data_dir)
        .current_dir(data_dir);
    command
}

fn demo(data_dir: &Path) -> Command {
    let mut command = cueline(data_dir);
    command.args(["demo", "--listen", "127.0.0.1:0"]);
    command
}

/// A demo that runs, and what it printed.
struct Demo {
    child: Child,
    printed: Vec<String>,
}

impl Demo {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut printed = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            printed.push(line.unwrap());
            if printed.last().unwrap().contains("API key") {
                break;
            }
        }
        Self { child, printed }
    }

    /// The word that follows these in what was printed.
    fn said(&self, before: &str) -> String {
        self.printed
            .iter()
            .find_map(|line| line.split_once(before))
            .unwrap_or_else(|| panic!("{before:?} was not printed: {:?}", self.printed))
            .1
            .trim()
            .to_owned()
    }

    fn url(&self) -> String {
        self.said("demo is at")
    }

    fn stop(&mut self) -> ExitStatus {
        kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGTERM,
        )
        .unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.stop();
        }
    }
}

#[track_caller]
fn run(command: &mut Command, code: i32) -> String {
    told(&command.output().unwrap(), code)
}

#[track_caller]
fn told(output: &Output, code: i32) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn run_with_input(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    told(&child.wait_with_output().unwrap(), 0)
}

#[track_caller]
fn check_contains(text: &str, words: &str) {
    assert!(text.contains(words), "{words:?} is not in {text:?}");
}

fn execute(data_dir: &Path, statement: &'static str) {
    let socket = data_dir.join("demo/postgres");
    let socket = socket.to_str().unwrap().replace('/', "%2F");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url = format!("postgres://cueline@{socket}/cueline");
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    });
}

/// One start of the demo is all that the rest needs: they are told as one story.
#[test]
fn the_demo_and_every_command_beside_it() {
    let folder = Folder::new("story");
    let data_dir = &folder.0;
    let mut command = demo(data_dir);
    command
        .env("CUELINE_DEMO_PASSWORD", PASSWORD)
        .env("CUELINE_DEMO_API_KEY", KEY);
    let mut running = Demo::start(command);
    assert_eq!(running.said("password"), PASSWORD);
    assert_eq!(running.said("API key"), KEY);
    for role in ["viewer", "editor", "approver", "admin"] {
        running.said(&format!("{role}@demo.local"));
    }
    let url = running.url();
    let client = || {
        let mut command = cueline(data_dir);
        command.env("CUELINE_URL", &url).env("CUELINE_API_KEY", KEY);
        command
    };

    verdicts(&url);
    roll_back(&client);
    pull_and_push(&client, data_dir);
    operate(data_dir, &url);

    assert!(running.stop().success());
    start_again(data_dir);
    find_the_edited_entry(data_dir);
}

fn roll_back(client: &dyn Fn() -> Command) {
    // All ten clients of production are there within moments, and each confirms.
    let begun = Instant::now();
    let mut to = ["7", "8"].iter().cycle();
    loop {
        let text = run(
            client()
                .args(["rollback", "support/triage", "--reason", "a test"])
                .args(["--to", to.next().unwrap()]),
            0,
        );
        if text.contains("for 10 clients in production") {
            check_contains(&text, "10 of 10 clients confirmed, the slowest after");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{text}");
        thread::sleep(Duration::from_millis(200));
    }
    let refused = run(
        client().args(["rollback", "support/triage", "--to", "9"]),
        1,
    );
    check_contains(&refused, "never served production");
    check_contains(
        &run(client().args(["rollback", "no/such"]), 1),
        "no such prompt",
    );
    let wrong = run(
        client()
            .args(["rollback", "support/triage"])
            .env("CUELINE_API_KEY", "clk_wrong"),
        2,
    );
    check_contains(&wrong, "unknown or was revoked");
    let missing = run(
        client()
            .args(["rollback", "support/triage"])
            .env_remove("CUELINE_URL"),
        2,
    );
    check_contains(&missing, "CUELINE_URL");
    let away = run(
        client()
            .args(["rollback", "support/triage"])
            .env("CUELINE_URL", "http://127.0.0.1:9"),
        2,
    );
    check_contains(&away, "does not answer");
}

fn pull_and_push(client: &dyn Fn() -> Command, data_dir: &Path) {
    let files = data_dir.join("files");
    let pull = || run(client().arg("pull").arg(&files), 0);
    check_contains(&pull(), "17 of 17 files changed");
    check_contains(&pull(), "0 of 17 files changed");
    let push = |code| {
        run(
            client().arg("push").arg(&files).args(["-m", "by test"]),
            code,
        )
    };
    check_contains(&push(0), "0 of 17 prompts differed");

    let triage = files.join("support/triage.json");
    let pulled = fs::read_to_string(&triage).unwrap();
    // What was pulled includes the snippet by name.
    check_contains(&pulled, "{{> snippets/safety@3}}");
    let changed = pulled.replace("online shop for outdoor gear", "outdoor shop");
    assert_ne!(changed, pulled);
    fs::write(&triage, &changed).unwrap();
    let new = r#"{"name":"support/new","content":{"type":"text","messages":[{"role":"user","content":"Hi"}]}}"#;
    fs::write(files.join("support/new.json"), new).unwrap();
    let dry = run(client().arg("push").arg(&files).arg("--dry-run"), 0);
    check_contains(&dry, "would save support/triage v10");
    check_contains(&dry, "would create support/new");
    let saved = push(0);
    check_contains(&saved, "save support/triage v10");
    check_contains(&saved, "create support/new");
    check_contains(&push(0), "0 of 18 prompts differed");

    // Somebody else's version is not overwritten: this file still says that it was pulled at 9.
    fs::write(&triage, pulled.replace("outdoor gear", "boots")).unwrap();
    let refused = push(1);
    check_contains(&refused, "nothing was pushed");
    check_contains(
        &refused,
        "pulled at version 9, and version 10 was saved since",
    );

    fs::write(&triage, changed.replace("{{ticket}}", "{{tiket}}")).unwrap();
    check_contains(&push(1), "`tiket` is not declared");
}

/// While the server runs, commands of the operator talk to its Postgres.
fn operate(data_dir: &Path, url: &str) {
    let demo_dir = data_dir.join("demo");
    let operator = || {
        let mut command = cueline(data_dir);
        command
            .env("CUELINE_DATA_DIR", &demo_dir)
            .env("CUELINE_PUBLIC_URL", url);
        command
    };
    check_contains(&run(operator().arg("migrate"), 0), "up to date");
    let add = ["user", "add", "ines@acme.example", "--name", "Ines"];
    let added = run(operator().args(add).args(["--role", "editor"]), 0);
    check_contains(&added, &format!("{url}/set-up/"));
    check_contains(
        &run(operator().args(add), 1),
        "belongs to this project already",
    );
    let passwd = ["user", "passwd", "ines@acme.example", "--password-stdin"];
    run_with_input(operator().args(passwd), "correct horse battery\n");
    let nobody = ["user", "passwd", "nobody@acme.example"];
    check_contains(&run(operator().args(nobody), 1), "nobody has an account");

    let create = ["key", "create", "--name", "from the terminal"];
    let output = operator()
        .args(create)
        .args(["--scope", "prompts:read,promotions:request"])
        .output()
        .unwrap();
    let key = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(key.starts_with("clk_") && key.len() == 68, "{key}");
    // It works within moments.
    let begun = Instant::now();
    while !cueline(data_dir)
        .args(["rollback", "sql/helper", "--environment", "staging"])
        .env("CUELINE_URL", url)
        .env("CUELINE_API_KEY", &key)
        .output()
        .unwrap()
        .status
        .success()
    {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "the key does not work"
        );
        thread::sleep(Duration::from_millis(100));
    }

    check_contains(
        &run(operator().args(["audit", "verify"]), 0),
        "entries hold",
    );
    let jsonl = run(operator().args(["audit", "export", "--format", "jsonl"]), 0);
    let csv = run(operator().args(["audit", "export", "--format", "csv"]), 0);
    check_contains(&jsonl, "\"deployment.rollback\"");
    check_contains(
        &csv,
        "sequence,at,actor_kind,actor_id,actor,action,subject,detail",
    );
    check_contains(&csv, "key.create,from the terminal");
}

/// A start without wishes keeps what works, prints it, and is quick.
fn start_again(data_dir: &Path) {
    let begun = Instant::now();
    let mut running = Demo::start(demo(data_dir));
    let took = begun.elapsed();
    // It takes less than two seconds; more than that is left for what runs beside this test.
    assert!(
        took < Duration::from_secs(10),
        "the second start took {took:?}"
    );
    let (password, key) = (running.said("password"), running.said("API key"));
    assert_ne!(password, PASSWORD);
    assert_ne!(key, KEY);
    let read = |key: &str| {
        let files = data_dir.join("again");
        cueline(data_dir)
            .arg("pull")
            .arg(files)
            .env("CUELINE_URL", running.url())
            .env("CUELINE_API_KEY", key)
            .output()
            .unwrap()
    };
    told(&read(&key), 0);
    told(&read(KEY), 2);
    assert!(running.stop().success());

    // The printed ones stay, and a wish that was replaced can come back.
    let mut again = demo(data_dir);
    again.env("CUELINE_DEMO_API_KEY", KEY);
    let mut running = Demo::start(again);
    assert_eq!(running.said("password"), password);
    assert_eq!(running.said("API key"), KEY);
    let back = cueline(data_dir)
        .arg("pull")
        .arg(data_dir.join("again"))
        .env("CUELINE_URL", running.url())
        .env("CUELINE_API_KEY", KEY)
        .output()
        .unwrap();
    told(&back, 0);
    // Somebody with the database at hand changes history, past the triggers.
    execute(
        data_dir,
        "alter table audit_entry disable trigger user;
         update audit_entry set detail = '{\"edited\": true}' where sequence = 42;
         alter table audit_entry enable trigger user;",
    );
    assert!(running.stop().success());
}

/// Also without a server: the command starts the embedded Postgres itself.
fn find_the_edited_entry(data_dir: &Path) {
    let verify = || {
        let mut command = cueline(data_dir);
        command
            .env("CUELINE_DATA_DIR", data_dir.join("demo"))
            .args(["audit", "verify", "--project", "demo"]);
        command
    };
    check_contains(&run(&mut verify(), 1), "entry 42 was edited");
    let anchor = format!("7:{}", "0".repeat(64));
    let forged = run(verify().args(["--anchor", &anchor]), 1);
    check_contains(
        &forged,
        "entry 7 does not have the hash that was kept for it",
    );
}

#[test]
fn the_demo_is_not_shown_to_other_machines_unless_told_to() {
    let folder = Folder::new("loopback");
    let refused = run(
        cueline(&folder.0).args(["demo", "--listen", "0.0.0.0:0"]),
        1,
    );
    check_contains(&refused, "--expose");
    assert_eq!(
        fs::read_dir(&folder.0).unwrap().count(),
        0,
        "nothing was made"
    );
}

/// A model that says again what it hears, after a while; counts what it is asked.
async fn start_echo(n_asked: Arc<AtomicUsize>) -> String {
    let answer = move |Json(body): Json<Value>| {
        n_asked.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(80)).await;
            let text = body["messages"][0]["content"].clone();
            Json(json!({
                "model": "echo", "usage": { "prompt_tokens": 1, "completion_tokens": 1 },
                "choices": [{ "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
            }))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

struct Api {
    http: reqwest::Client,
    url: String,
}

impl Api {
    fn of(demo: &Demo) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        Self {
            http: reqwest::Client::new(),
            url: demo.url(),
        }
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request.bearer_auth(KEY).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(self.http.get(format!("{}/api/v1{path}", self.url)))
            .await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(
            self.http
                .post(format!("{}/api/v1{path}", self.url))
                .json(&body),
        )
        .await
    }
}

/// `kill -9` at ten moments of a run: each time it goes on where it was, and in the end there is
/// exactly one result for each case.
#[test]
fn a_run_survives_a_server_that_is_killed_again_and_again() {
    const N_CASES: usize = 500;
    let folder = Folder::new("crash");
    let start = || {
        let mut command = demo(&folder.0);
        command
            .env("CUELINE_DEMO_API_KEY", KEY)
            .env("CUELINE_LEASE_SECONDS", "1");
        Demo::start(command)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let n_asked = Arc::new(AtomicUsize::new(0));
    let provider = runtime.block_on(start_echo(Arc::clone(&n_asked)));

    let mut running = start();
    let run = runtime.block_on(async {
        let api = Api::of(&running);
        api.post("/providers", json!({ "name": "echo", "kind": "openai", "base_url": provider })).await;
        api.post("/prompts", json!({ "name": "crash/echo" })).await;
        let content = json!({
            "type": "text", "messages": [{ "role": "user", "content": "{{text}}" }],
            "variables": [{ "name": "text", "type": "string", "max_length": 100 }],
            "model": { "provider": "echo", "name": "echo" },
        });
        api.post("/prompts/crash%2Fecho/versions", json!({ "content": content })).await;
        let suite = json!({ "name": "crash", "prompt": "crash/echo", "scorers": [{ "type": "equals" }] });
        let suite = api.post("/suites", suite).await;
        let cases: Vec<Value> = (0..N_CASES)
            .map(|n| json!({ "variables": { "text": format!("case {n}") }, "expected": format!("case {n}") }))
            .collect();
        api.post(&format!("/suites/{}/cases", suite["id"].as_str().unwrap()), json!(cases)).await;
        let launch = json!({ "prompt": "crash/echo", "version": 1, "suite": "crash" });
        let run = api.post("/runs", launch).await;
        run["id"].as_str().unwrap().to_owned()
    });

    for _ in 0..10 {
        let moment = Duration::from_millis(100 + rand::random::<u64>() % 500);
        thread::sleep(moment);
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        running = start();
    }

    runtime.block_on(async {
        let api = Api::of(&running);
        let begun = Instant::now();
        let ended = loop {
            let found = api.get(&format!("/runs/{run}")).await;
            if found["status"] == "completed" || begun.elapsed() > Duration::from_mins(1) {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(
            (&ended["status"], &ended["done"]),
            (&json!("completed"), &json!(N_CASES))
        );
        let mut cases = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let page = api
                .get(&format!("/runs/{run}/results?limit=200&cursor={cursor}"))
                .await;
            for result in page["items"].as_array().unwrap() {
                assert_eq!(result["passed"], true, "{result}");
                assert!(
                    cases.insert(result["case"].to_string()),
                    "{result} is there twice"
                );
            }
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(cases.len(), N_CASES);
    });
    // What was finished is not asked again: only what was out at a kill is.
    let n_asked = n_asked.load(Ordering::SeqCst);
    assert!(
        n_asked <= N_CASES + 10 * 16,
        "{n_asked} calls for {N_CASES} cases"
    );
}

/// Writers that keep sending while the server is killed under them: what was answered with 202 is
/// there afterwards, and what was not counts once when it is sent again.
#[test]
fn no_acknowledged_event_is_lost_when_the_server_is_killed() {
    const N_WRITERS: usize = 4;
    const N_BATCHES: usize = 30;
    let folder = Folder::new("events");
    let start = || {
        let mut command = demo(&folder.0);
        command.env("CUELINE_DEMO_API_KEY", KEY);
        Demo::start(command)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut running = start();
    let (experiment, before) = runtime.block_on(async {
        let api = Api::of(&running);
        let found = api.get("/experiments?status=running").await;
        let found = found["items"].as_array().unwrap();
        let found = found
            .iter()
            .find(|one| one["name"] == "Shorter subject lines")
            .unwrap();
        let id = found["id"].as_str().unwrap().to_owned();
        (id.clone(), n_units(&api, &id).await)
    });
    let batches: Vec<Value> = (0..N_WRITERS * N_BATCHES)
        .map(|batch| {
            let event = |n: usize| {
                json!({
                    "id": uuid::Uuid::new_v4(), "type": "exposure", "experiment": experiment,
                    "unit": format!("crash-{batch}-{n}"), "arm": "today",
                })
            };
            (0..20).map(event).collect()
        })
        .collect();
    let batches = Arc::new(batches);

    // The address changes with every start.
    let url = Arc::new(std::sync::Mutex::new(running.url()));
    let writers: Vec<_> = (0..N_WRITERS)
        .map(|writer| {
            let (batches, url) = (Arc::clone(&batches), Arc::clone(&url));
            runtime.spawn(async move {
                let http = reqwest::Client::new();
                let mut acknowledged = Vec::new();
                for place in (writer * N_BATCHES)..((writer + 1) * N_BATCHES) {
                    let url = url.lock().unwrap().clone();
                    let request = http
                        .post(format!("{url}/api/v1/events"))
                        .bearer_auth(KEY)
                        .json(&batches[place]);
                    match request.send().await {
                        Ok(answer) if answer.status() == 202 => acknowledged.push(place),
                        Ok(_) | Err(_) => {}
                    }
                    tokio::time::sleep(Duration::from_millis(60)).await;
                }
                acknowledged
            })
        })
        .collect();
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(150 + rand::random::<u64>() % 300));
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        running = start();
        *url.lock().unwrap() = running.url();
    }

    runtime.block_on(async {
        let mut acknowledged = BTreeSet::new();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
        assert!(!acknowledged.is_empty() && acknowledged.len() < batches.len());
        let api = Api::of(&running);
        for (place, batch) in batches.iter().enumerate() {
            let again = api.post("/events", batch.clone()).await;
            let n_there = again["duplicates"].as_u64().unwrap();
            assert_eq!(n_there + again["accepted"].as_u64().unwrap(), 20, "{again}");
            // A batch is there whole or not at all, whatever its sender heard.
            assert!(n_there == 0 || n_there == 20, "{again}");
            assert!(
                n_there == 20 || !acknowledged.contains(&place),
                "lost: {again}"
            );
        }
        let begun = Instant::now();
        let expected = before + 20 * u64::try_from(batches.len()).unwrap();
        while n_units(&api, &experiment).await != expected {
            let found = n_units(&api, &experiment).await;
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{found} of {expected}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

/// Units in all arms of an experiment.
async fn n_units(api: &Api, experiment: &str) -> u64 {
    let results = api.get(&format!("/experiments/{experiment}/results")).await;
    let arms = results["arms"].as_array().unwrap();
    arms.iter().map(|arm| arm["units"].as_u64().unwrap()).sum()
}

/// The demo's four experiments say what they are there to show.
fn verdicts(url: &str) {
    const EXPECTED: [(&str, &str); 4] = [
        ("Glossary in UI translations", "trust_problem"),
        ("Refund answers that offer the next step", "better"),
        ("Shorter subject lines", "too_early"),
        ("Thread summaries with quotes", "guardrail_broken"),
    ];
    drop(rustls::crypto::ring::default_provider().install_default());
    let api = Api {
        http: reqwest::Client::new(),
        url: url.to_owned(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let found = api.get("/experiments?status=running").await;
        let found = found["items"].as_array().unwrap();
        for (name, kind) in EXPECTED {
            let experiment = found.iter().find(|one| one["name"] == name).unwrap();
            let id = experiment["id"].as_str().unwrap();
            // The fixed rule's counts are frozen soon after the start, and decide then.
            let begun = Instant::now();
            loop {
                let results = api.get(&format!("/experiments/{id}/results")).await;
                if results["verdict"]["kind"] == kind {
                    break;
                }
                let has_time = begun.elapsed() < Duration::from_secs(10);
                assert!(has_time, "{name}: {}", results["verdict"]);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
}
