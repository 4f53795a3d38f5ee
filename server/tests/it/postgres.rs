//! The embedded cluster, with a real Postgres: durable, alone, and gone when its parent is.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use server::postgres::Cluster;
use sqlx::{Connection, PgConnection, Row};

/// A data directory in a place that every user may enter, removed at the end of the test.
struct DataDir(PathBuf);

impl DataDir {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("cueline-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn start(data_dir: &Path) -> anyhow::Result<Cluster> {
    Cluster::start_through(env!("CARGO_BIN_EXE_cueline").into(), data_dir)
}

fn ask(url: &str, question: &str) -> String {
    try_to_ask(url, question).unwrap()
}

fn keep(url: &str, word: &str) {
    ask(
        url,
        &format!(
            "create table kept (word text); insert into kept values ('{word}') returning word"
        ),
    );
}

fn try_to_ask(url: &str, question: &str) -> sqlx::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let row = sqlx::raw_sql(sqlx::AssertSqlSafe(question))
            .fetch_one(&mut connection)
            .await?;
        row.try_get(0)
    })
}

#[track_caller]
fn wait_until(fact: &str, mut holds: impl FnMut() -> bool) {
    let waiting = Instant::now();
    while !holds() {
        assert!(
            waiting.elapsed() < Duration::from_secs(20),
            "never happened: {fact}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

fn postmaster(data_dir: &Path) -> Pid {
    let file = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap();
    Pid::from_raw(file.lines().next().unwrap().parse().unwrap())
}

/// A process that ended but was not waited for has no folder any more.
fn is_running(process: Pid) -> bool {
    fs::read_link(format!("/proc/{process}/cwd")).is_ok()
}

#[test]
fn what_is_written_is_on_disk_and_there_after_a_restart() {
    let data_dir = DataDir::new("restart");
    let cluster = start(&data_dir.0).unwrap();
    assert_eq!(ask(&cluster.url(), "show fsync"), "on");
    assert_eq!(ask(&cluster.url(), "show full_page_writes"), "on");
    assert_eq!(ask(&cluster.url(), "show data_checksums"), "on");
    assert_eq!(ask(&cluster.url(), "show server_encoding"), "UTF8");
    assert_eq!(ask(&cluster.url(), "select lower('ÄÖ')"), "äö");
    keep(&cluster.url(), "still here");
    cluster.stop().unwrap();

    let cluster = start(&data_dir.0).unwrap();
    assert_eq!(ask(&cluster.url(), "select word from kept"), "still here");
    cluster.stop().unwrap();
}

#[test]
fn it_cannot_be_reached_over_the_network() {
    let data_dir = DataDir::new("network");
    let cluster = start(&data_dir.0).unwrap();
    assert_eq!(ask(&cluster.url(), "show listen_addresses"), "");
    cluster.stop().unwrap();
}

#[test]
fn a_second_process_on_the_same_directory_is_refused() {
    let data_dir = DataDir::new("second");
    let cluster = start(&data_dir.0).unwrap();
    let refusal = start(&data_dir.0).unwrap_err().to_string();
    assert!(
        refusal.contains("another cueline already uses"),
        "{refusal}"
    );
    assert_eq!(ask(&cluster.url(), "select 'unharmed'"), "unharmed");
    cluster.stop().unwrap();
}

#[test]
fn a_directory_too_deep_for_a_socket_works_all_the_same() {
    let data_dir = DataDir::new("deep");
    let deep = data_dir.0.join("d".repeat(60)).join("e".repeat(60));
    let cluster = start(&deep).unwrap();
    assert_eq!(ask(&cluster.url(), "select 'reached'"), "reached");
    cluster.stop().unwrap();
}

#[test]
fn a_directory_that_only_we_may_enter_lets_postgres_in() {
    let data_dir = DataDir::new("closed");
    fs::set_permissions(&data_dir.0, Permissions::from_mode(0o700)).unwrap();
    let cluster = start(&data_dir.0).unwrap();
    assert_eq!(ask(&cluster.url(), "select 'let in'"), "let in");
    cluster.stop().unwrap();
}

#[test]
fn it_ends_with_its_parent_and_starts_again_after_kill_9() {
    let data_dir = DataDir::new("orphan");
    let parent = Parent::of_a_cluster_in(&data_dir.0);
    keep(&parent.url, "committed");
    let orphan = postmaster(&data_dir.0);

    // Without a pause: the old server is still shutting down when the new one is wanted.
    drop(parent);
    let cluster = start(&data_dir.0).unwrap();
    assert!(!is_running(orphan));
    assert_eq!(ask(&cluster.url(), "select word from kept"), "committed");
    cluster.stop().unwrap();

    let parent = Parent::of_a_cluster_in(&data_dir.0);
    let orphan = postmaster(&data_dir.0);
    drop(parent);
    wait_until("Postgres ends with its parent", || !is_running(orphan));
}

#[test]
fn a_pid_file_left_by_a_crash_and_a_number_used_again_do_not_stop_it() {
    let data_dir = DataDir::new("stale");
    start(&data_dir.0).unwrap().stop().unwrap();
    let left = format!(
        "{}\n{}\n",
        process::id(),
        data_dir.0.join("postgres").display()
    );
    fs::write(data_dir.0.join("postgres/postmaster.pid"), left).unwrap();
    start(&data_dir.0).unwrap().stop().unwrap();
}

#[test]
fn postgres_killed_alone_is_started_again() {
    let data_dir = DataDir::new("revive");
    let cluster = start(&data_dir.0).unwrap();
    let killed = postmaster(&data_dir.0);
    let answer = cluster
        .keep_alive_during(|url| {
            keep(&url, "survived");
            kill(killed, Signal::SIGKILL).unwrap();
            wait_until("it answers again", || {
                try_to_ask(&url, "select word from kept").is_ok()
            });
            ask(&url, "select word from kept")
        })
        .unwrap();
    assert_eq!(answer, "survived");
}

#[test]
fn an_interrupted_first_start_is_begun_anew() {
    let data_dir = DataDir::new("interrupted");
    fs::create_dir_all(data_dir.0.join("postgres.unfinished/base")).unwrap();
    let cluster = start(&data_dir.0).unwrap();
    assert_eq!(ask(&cluster.url(), "select 'begun anew'"), "begun anew");
    cluster.stop().unwrap();
}

/// Another process that holds a cluster until it is killed: this program, running the test below.
struct Parent {
    process: process::Child,
    url: String,
}

impl Parent {
    fn of_a_cluster_in(data_dir: &Path) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("postgres::holds_a_cluster_until_killed")
            .env("CUELINE_TEST_HOLDS", data_dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let url = BufReader::new(process.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap)
            .find_map(|line| line.split_once("holding ").map(|(_, url)| url.to_owned()))
            .expect("the other process starts a cluster");
        Self { process, url }
    }
}

/// Killed as `kill -9` does it, also when a test fails half-way.
impl Drop for Parent {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
#[ignore = "the other side of the tests about killed parents"]
fn holds_a_cluster_until_killed() {
    let Some(data_dir) = env::var_os("CUELINE_TEST_HOLDS") else {
        return;
    };
    let cluster = start(Path::new(&data_dir)).unwrap();
    println!("holding {}", cluster.url());
    loop {
        thread::park();
    }
}
