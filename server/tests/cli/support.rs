//! The binary as a child process, and what a test says to it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::{env, process};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

pub const KEY: &str = "clk_the_key_of_this_test";

/// A folder in a place that every user may enter, removed at the end of the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
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
pub fn cueline(data_dir: &Path) -> Command {
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

pub fn demo(data_dir: &Path) -> Command {
    let mut command = cueline(data_dir);
    command.args(["demo", "--listen", "127.0.0.1:0"]);
    command
}

/// A demo that runs, and what it printed.
pub struct Demo {
    pub child: Child,
    printed: Vec<String>,
}

impl Demo {
    pub fn start(mut command: Command) -> Self {
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
    pub fn said(&self, before: &str) -> String {
        self.printed
            .iter()
            .find_map(|line| line.split_once(before))
            .unwrap_or_else(|| panic!("{before:?} was not printed: {:?}", self.printed))
            .1
            .trim()
            .to_owned()
    }

    pub fn url(&self) -> String {
        self.said("demo is at")
    }

    pub fn stop(&mut self) -> ExitStatus {
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
pub fn run(command: &mut Command, code: i32) -> String {
    told(&command.output().unwrap(), code)
}

#[track_caller]
pub fn told(output: &Output, code: i32) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

pub fn run_with_input(command: &mut Command, input: &str) -> String {
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
pub fn check_contains(text: &str, words: &str) {
    assert!(text.contains(words), "{words:?} is not in {text:?}");
}

pub fn execute(data_dir: &Path, statement: &'static str) {
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

pub struct Api {
    http: reqwest::Client,
    url: String,
}

impl Api {
    pub fn of(demo: &Demo) -> Self {
        Self::at(&demo.url())
    }

    pub fn at(url: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        Self {
            http: reqwest::Client::new(),
            url: url.to_owned(),
        }
    }

    pub async fn ask(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request.bearer_auth(KEY).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ask(self.http.get(format!("{}/api/v1{path}", self.url)))
            .await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(
            self.http
                .post(format!("{}/api/v1{path}", self.url))
                .json(&body),
        )
        .await
    }
}
