//! One cluster's place on disk: making it, starting a server in it, and saying what went wrong.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, process};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Uid, User};

use super::{EXEC, PAUSE, STOP_WITHIN, find, pid_of};

const SOCKET_NAME: &str = "/.s.PGSQL.5432";
/// What the operating system leaves for a socket's path.
const SOCKET_PATH_BYTES: usize = 107;
/// Recovery after a crash replays at most some gigabytes of log; this is far beyond it.
const START_WITHIN: Duration = Duration::from_mins(10);
/// Durable, off the network, and quiet about what people keep in it: refusals by constraints are
/// everyday answers here, and their details would be the users' words.
const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "fsync=on",
    "full_page_writes=on",
    "max_connections=100",
    "log_error_verbosity=terse",
    "log_min_error_statement=panic",
];
/// A log longer than this is put aside at the next start.
const LONG_LOG_BYTES: u64 = 10_000_000;

/// Where a cluster lives, and as whom.
#[derive(Debug)]
pub struct Home {
    /// Postgres' own directory, `<data directory>/postgres`.
    pub cluster: PathBuf,
    pub socket: PathBuf,
    pub log: PathBuf,
    /// Somebody unprivileged, when this process is root: Postgres refuses to run as root.
    account: Option<(Uid, Gid)>,
}

impl Home {
    pub fn in_directory(data_dir: &Path) -> anyhow::Result<Self> {
        let cluster = data_dir.join("postgres");
        let account = account_for(&cluster)?;
        let fits = cluster.as_os_str().len() + SOCKET_NAME.len() <= SOCKET_PATH_BYTES;
        let socket = if fits {
            cluster.clone()
        } else {
            short_folder(account)?
        };
        Ok(Self {
            socket,
            log: data_dir.join("postgres.log"),
            account,
            cluster,
        })
    }

    /// The Postgres that serves this cluster; the first time it makes the cluster, too.
    pub fn prepare(&self) -> anyhow::Result<PathBuf> {
        if self.cluster.exists() {
            return find::for_existing_cluster(&self.cluster);
        }
        let postgres = find::for_new_cluster()?;
        self.initialise(&postgres)?;
        Ok(postgres)
    }

    /// Makes the cluster under another name first: what an interruption leaves is never used.
    fn initialise(&self, postgres: &Path) -> anyhow::Result<()> {
        tracing::info!(path = %self.cluster.display(), "initialising Postgres");
        let unfinished = self.cluster.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        DirBuilder::new().mode(0o700).create(&unfinished)?;
        if let Some((uid, gid)) = self.account {
            chown(&unfinished, Some(uid.as_raw()), Some(gid.as_raw()))?;
        }

        // Whoever may enter the directory may connect: nobody but its owner and root.
        let mut initdb = command(&postgres.with_file_name("initdb"));
        initdb
            .arg("--pgdata")
            .arg(&unfinished)
            .args(["--username=cueline", "--encoding=UTF8"]);
        initdb.args(["--locale=C", "--lc-ctype=C.UTF-8", "--data-checksums"]);
        initdb.args(["--auth-local=trust", "--auth-host=reject"]);
        self.run(initdb, "")?;

        let mut single = command(postgres);
        single
            .args(["--single", "-D"])
            .arg(&unfinished)
            .arg("postgres");
        self.run(single, "create database cueline;\n")?;

        fs::rename(&unfinished, &self.cluster)?;
        // The rename itself has to survive a power cut.
        if let Some(data_dir) = self.cluster.parent() {
            File::open(data_dir)?.sync_all()?;
        }
        Ok(())
    }

    /// Runs one of Postgres' tools to its end.
    fn run(&self, mut tool: Command, input: &str) -> anyhow::Result<()> {
        let log_from = self.log_length();
        if let Some((uid, gid)) = self.account {
            tool.uid(uid.as_raw()).gid(gid.as_raw());
        }
        let mut child = tool
            .stdin(Stdio::piped())
            .stdout(self.log_file()?)
            .stderr(self.log_file()?)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let status = child.wait()?;
        ensure!(
            status.success(),
            "{}",
            self.complaint("Postgres cannot be initialised", log_from)
        );
        Ok(())
    }

    /// A Postgres whose parent was killed is on its way out, but may not have left yet.
    pub fn wait_for_predecessor(&self) -> anyhow::Result<()> {
        let waiting = Instant::now();
        while let Some(pid) = self.postmaster() {
            if waiting.elapsed() > STOP_WITHIN {
                bail!(
                    "another Postgres (process {pid}) runs in {}",
                    self.cluster.display()
                );
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn postmaster(&self) -> Option<i32> {
        postmaster(&self.cluster)
    }

    pub fn launch(&self, launcher: &Path, postgres: &Path) -> anyhow::Result<Child> {
        if self.log_length() > LONG_LOG_BYTES {
            fs::rename(&self.log, self.log.with_extension("log.1"))?;
        }
        let log_from = self.log_length();
        let account = self
            .account
            .map_or_else(|| "-".to_owned(), |(uid, gid)| format!("{uid}:{gid}"));
        let mut command = command(launcher);
        command
            .args([EXEC, &process::id().to_string(), &account])
            .arg(postgres);
        command
            .arg("-D")
            .arg(&self.cluster)
            .arg("-k")
            .arg(&self.socket);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        // A group of its own: Ctrl-C is for us, and we stop Postgres when we are done with it.
        command.process_group(0);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(self.log_file()?)
            .stderr(self.log_file()?)
            .spawn()?;

        let waiting = Instant::now();
        while !self.is_ready(&child) {
            if child.try_wait()?.is_some() {
                bail!("{}", self.complaint("Postgres does not start", log_from));
            }
            if waiting.elapsed() > START_WITHIN {
                kill(pid_of(&child), Signal::SIGQUIT)?;
                bail!(
                    "{}",
                    self.complaint("Postgres is not ready after ten minutes", log_from)
                );
            }
            thread::sleep(PAUSE);
        }
        Ok(child)
    }

    /// Postgres writes its process id on the first line of this file and its state on the eighth.
    fn is_ready(&self, child: &Child) -> bool {
        let file = fs::read_to_string(self.cluster.join("postmaster.pid")).unwrap_or_default();
        let mut lines = file.lines();
        let is_ours = lines.next() == Some(&child.id().to_string());
        is_ours && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    }

    fn log_file(&self) -> anyhow::Result<File> {
        Ok(File::options().create(true).append(true).open(&self.log)?)
    }

    fn log_length(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// What went wrong, in Postgres' own words or in better ones.
    fn complaint(&self, what: &str, log_from: u64) -> String {
        if let Some(closed) = self.closed_folder() {
            return format!(
                "{what}: it may not run as root, and the user it runs as may not enter {}. Choose another data directory",
                closed.display()
            );
        }
        let mut words = String::new();
        let read = File::open(&self.log).and_then(|mut log| {
            log.seek(SeekFrom::Start(log_from))?;
            log.read_to_string(&mut words)
        });
        match read {
            Ok(_) => format!("{what}:\n{}", words.trim_end()),
            Err(error) => format!("{what}, and {} cannot be read: {error}", self.log.display()),
        }
    }

    /// The first folder above the cluster that its account may not pass through.
    fn closed_folder(&self) -> Option<&Path> {
        let (uid, gid) = self.account?;
        let mut above: Vec<_> = self.cluster.ancestors().skip(1).collect();
        above.reverse();
        above.into_iter().find(|folder| {
            fs::metadata(folder).is_ok_and(|folder| {
                let needed = match () {
                    () if folder.uid() == uid.as_raw() => 0o100,
                    () if folder.gid() == gid.as_raw() => 0o010,
                    () => 0o001,
                };
                folder.mode() & needed == 0
            })
        })
    }
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    // The account may not be allowed into the folder we happen to stand in.
    command.current_dir("/");
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
}

/// Nobody special, unless we are root: then whoever owns the cluster, or `postgres`, or `nobody`.
fn account_for(cluster: &Path) -> anyhow::Result<Option<(Uid, Gid)>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    if let Ok(owner) = fs::metadata(cluster)
        && owner.uid() != 0
    {
        return Ok(Some((
            Uid::from_raw(owner.uid()),
            Gid::from_raw(owner.gid()),
        )));
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some((user.uid, user.gid)));
        }
    }
    bail!("Postgres may not run as root, and there is neither a user postgres nor nobody")
}

/// A private folder with a short name, for a socket whose path would be too long in its place.
fn short_folder(account: Option<(Uid, Gid)>) -> anyhow::Result<PathBuf> {
    // Making a folder fails when there is anything of that name, so nobody can lay one out for us.
    let (folder, made) = (1..100)
        .map(|attempt| PathBuf::from(format!("/tmp/cueline-{}-{attempt}", process::id())))
        .map(|folder| {
            (
                folder.clone(),
                DirBuilder::new().mode(0o700).create(&folder),
            )
        })
        .find(|(_, made)| !matches!(made, Err(error) if error.kind() == ErrorKind::AlreadyExists))
        .context("/tmp is full of folders of this name")?;
    made.with_context(|| format!("{}", folder.display()))?;
    if let Some((uid, gid)) = account {
        chown(&folder, Some(uid.as_raw()), Some(gid.as_raw()))?;
    }
    Ok(folder)
}

/// The server that runs in this cluster now. Its pid file alone proves nothing: after a crash
/// the number may belong to anybody. But a postmaster works in its data directory.
fn postmaster(cluster: &Path) -> Option<i32> {
    let file = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let pid: i32 = file.lines().next()?.trim().parse().ok()?;
    let folder = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    (folder == cluster).then_some(pid)
}

/// The folder of the socket on which the server of this cluster answers, if one does. Postgres
/// writes it on the fifth line of its pid file, and its state on the eighth.
pub fn socket_of_running(cluster: &Path) -> Option<PathBuf> {
    postmaster(cluster)?;
    let file = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let mut lines = file.lines().skip(4);
    let socket = lines.next().filter(|folder| !folder.is_empty())?;
    let is_ready = lines.nth(2)?.trim() == "ready";
    is_ready.then(|| PathBuf::from(socket))
}
