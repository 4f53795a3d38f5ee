//! The embedded cluster: finds a Postgres on this machine, initialises a data directory, starts it
//! as a child, keeps it alive and stops it. It listens on a unix socket only, and it ends with the
//! process that started it, however that one ends. Nothing here speaks SQL but the one statement
//! that makes the database.

mod find;
mod home;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, process};

use anyhow::{Context, bail, ensure};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{self, Gid, Pid, Uid};

use home::Home;

/// The first argument that turns this program into Postgres.
const EXEC: &str = "__postgres";
const STOP_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// A running Postgres that belongs to this process. Dropping it stops it.
#[derive(Debug)]
pub struct Cluster {
    home: Home,
    program: PathBuf,
    launcher: PathBuf,
    child: Child,
    /// Held as long as this lives: two processes on one data directory would fight over it.
    _lock: File,
}

impl Cluster {
    /// Starts the cluster in `data_dir`, initialising it the first time; blocks until it takes
    /// connections. Must be called from the main thread, before the runtime: Postgres is told to
    /// stop when the *thread* that started it ends.
    pub fn start(data_dir: &Path) -> anyhow::Result<Self> {
        ensure!(
            unistd::gettid() == unistd::getpid(),
            "the cluster must be started from the main thread"
        );
        let launcher = env::current_exe().context("cannot tell where this program lies")?;
        Self::start_through(launcher, data_dir)
    }

    /// The same through another program that calls [`exec_if_asked`]: tests are not `cueline`.
    pub fn start_through(launcher: PathBuf, data_dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(data_dir).with_context(|| format!("{}", data_dir.display()))?;
        let data_dir = data_dir.canonicalize()?;
        let lock = lock(&data_dir)?;
        let home = Home::in_directory(&data_dir)?;
        let program = home.prepare()?;
        home.wait_for_predecessor()?;
        let child = home.launch(&launcher, &program)?;
        Ok(Self {
            home,
            program,
            launcher,
            child,
            _lock: lock,
        })
    }

    /// The address for sqlx.
    pub fn url(&self) -> String {
        url_at(&self.home.socket)
    }

    /// Runs `serve` with the address on a thread of its own; meanwhile this thread starts Postgres
    /// again whenever it dies. Stops Postgres when `serve` is done.
    pub fn keep_alive_during<T: Send>(
        mut self,
        serve: impl FnOnce(String) -> T + Send,
    ) -> anyhow::Result<T> {
        let url = self.url();
        let done = thread::scope(|scope| {
            let serving = scope.spawn(|| serve(url));
            while !serving.is_finished() {
                if let Err(error) = self.start_again_if_dead() {
                    // Its last processes may still be leaving: the next round tries again.
                    tracing::error!(error = format!("{error:#}"), "Postgres does not start");
                    thread::sleep(Duration::from_secs(1));
                }
                thread::sleep(PAUSE);
            }
            serving.join()
        });
        self.stop()?;
        done.map_err(|panic| std::panic::resume_unwind(panic))
    }

    /// Ends all sessions, writes everything down and waits for it.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let status = self.shut_down()?;
        ensure!(
            status.success(),
            "Postgres ended with {status}; see {}",
            self.home.log.display()
        );
        Ok(())
    }

    fn start_again_if_dead(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            tracing::warn!(%status, "Postgres ended, starting it again");
            self.child = self.home.launch(&self.launcher, &self.program)?;
        }
        Ok(())
    }

    fn shut_down(&mut self) -> anyhow::Result<ExitStatus> {
        // Fast, then immediate: the latter loses nothing, the next start only takes longer.
        for signal in [Signal::SIGINT, Signal::SIGQUIT] {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            kill(pid_of(&self.child), signal)?;
            let waiting = Instant::now();
            while waiting.elapsed() < STOP_WITHIN {
                if let Some(status) = self.child.try_wait()? {
                    return Ok(status);
                }
                thread::sleep(PAUSE);
            }
        }
        bail!("Postgres (process {}) does not stop", self.child.id())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            tracing::error!(error = format!("{error:#}"), "Postgres was left running");
        }
        // A socket that found no room in the data directory has a folder of its own.
        if self.home.socket != self.home.cluster {
            drop(fs::remove_dir(&self.home.socket));
        }
    }
}

/// The address of the cluster that some other process runs in `data_dir` now, if one does: a
/// command beside a running server talks to the same Postgres.
pub fn url_of_running(data_dir: &Path) -> Option<String> {
    let cluster = data_dir.canonicalize().ok()?.join("postgres");
    home::socket_of_running(&cluster).map(|socket| url_at(&socket))
}

fn url_at(socket: &Path) -> String {
    format!("postgres://cueline@{}/cueline", percent_encoded(socket))
}

/// Call this first thing in `main`. When this process was started by [`Cluster::start`] it gives
/// up its privileges, asks to be stopped when its parent ends, and becomes Postgres.
pub fn exec_if_asked() {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != EXEC) {
        return;
    }
    let error = match become_postgres(&arguments.collect::<Vec<_>>()) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    eprintln!("cannot start Postgres: {error:#}");
    process::exit(1);
}

fn become_postgres(arguments: &[OsString]) -> anyhow::Result<std::convert::Infallible> {
    let [parent, account, program, arguments @ ..] = arguments else {
        bail!("this is not for people to call");
    };
    let parent: i32 = parent.to_string_lossy().parse()?;
    if let Some((uid, gid)) = account.to_string_lossy().split_once(':') {
        let (uid, gid) = (uid.parse()?, gid.parse()?);
        unistd::setgroups(&[])?;
        unistd::setgid(Gid::from_raw(gid))?;
        unistd::setuid(Uid::from_raw(uid))?;
    }
    // After the change of user, which would undo it.
    prctl::set_pdeathsig(Signal::SIGINT)?;
    // The parent may have ended before anybody was told to watch it.
    ensure!(
        unistd::getppid() == Pid::from_raw(parent),
        "the process that wanted it is gone"
    );
    Err(Command::new(program).args(arguments).exec())
        .context(program.to_string_lossy().into_owned())
}

fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join("postgres.lock");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("{}", path.display()))?;
    // One that was just killed holds it for another moment.
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                thread::sleep(PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                bail!("another cueline already uses {}", data_dir.display())
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).context("cannot lock the data directory");
            }
        }
    }
}

fn pid_of(child: &Child) -> Pid {
    // Linux numbers processes below 2²², far from where this would be cut.
    Pid::from_raw(child.id().cast_signed())
}

/// Letters and digits as they are, everything else as an address wants it.
fn percent_encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_s_path_fits_into_an_address() {
        assert_eq!(
            percent_encoded(Path::new("/srv/a b/é")),
            "%2Fsrv%2Fa%20b%2F%C3%A9"
        );
    }
}
