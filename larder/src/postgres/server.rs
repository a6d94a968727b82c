//! The running server: started as a child, stopped in order.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use super::account::Account;
use super::binaries::Binaries;
use super::home::{Home, failed};
use super::socket::SocketDir;
use super::{Durability, PostgresError, log};

/// How often to look whether the server takes connections. It writes its state
/// to a file and tells nobody.
const LOOK: Duration = Duration::from_millis(20);

/// When to say that recovery after a crash takes its time.
const SLOW: Duration = Duration::from_secs(5);

/// How long to wait for servers of a killed Postgres to notice and go.
const AFTERMATH: Duration = Duration::from_secs(10);

/// How long a fast shutdown, which writes a checkpoint, may take.
const FAST: Duration = Duration::from_secs(30);

/// For a server of one application and its workers.
const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "port=5432",
    "shared_buffers=128MB",
    "max_connections=300",
    "timezone=UTC",
    "logging_collector=off",
];

/// For data that is thrown away: a crash of the machine may lose all of it.
const NOT_DURABLE: [&str; 3] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
];

/// A Postgres that is our child.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts Postgres on the cluster and waits until it takes connections.
    pub(super) async fn start(
        home: &Home,
        binaries: &Binaries,
        account: Account,
        socket: &SocketDir,
        durability: Durability,
    ) -> Result<Self, PostgresError> {
        let until = Instant::now() + AFTERMATH;
        loop {
            let mut server = Self::spawn(home, binaries, account, socket, durability)?;
            match server.ready(&home.data()).await {
                Ok(()) => return Ok(server),
                // The main process was killed a moment ago, and the others have
                // not noticed yet. They go by themselves.
                Err(PostgresError::Ended { tail, .. })
                    if tail.contains("shared memory block") && Instant::now() < until =>
                {
                    sleep(10 * LOOK).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn spawn(
        home: &Home,
        binaries: &Binaries,
        account: Account,
        socket: &SocketDir,
        durability: Durability,
    ) -> Result<Self, PostgresError> {
        let log = home.log();
        let output = log::open(&log)?;
        let errors = output.try_clone().map_err(failed("open", &log))?;
        let program = binaries.program("postgres");
        let mut command = account.command(&program);
        command
            .arg("-D")
            .arg(home.data())
            .args(arguments(socket, durability))
            .current_dir(home.data())
            .stdout(Stdio::from(output))
            .stderr(Stdio::from(errors));
        let child = command
            .spawn()
            .map_err(|source| PostgresError::Program { program, source })?;
        Ok(Self { child, log })
    }

    /// Waits until `postmaster.pid` says `ready`, as `pg_ctl` does.
    async fn ready(&mut self, data: &Path) -> Result<(), PostgresError> {
        let file = data.join("postmaster.pid");
        let pid = self.child.id().map(|pid| pid.to_string());
        let began = Instant::now();
        let mut said = false;
        loop {
            if let Ok(text) = std::fs::read_to_string(&file) {
                let mut lines = text.lines();
                // An older file names another process and may say ready too.
                let is_ours = lines.next() == pid.as_deref();
                if is_ours && lines.nth(6).is_some_and(|state| state.trim() == "ready") {
                    return Ok(());
                }
            }
            // Leaves when the server ends; the time-out is the next look.
            if timeout(LOOK, self.child.wait()).await.is_ok() {
                return Err(self.ended("did not start"));
            }
            if !said && began.elapsed() > SLOW {
                said = true;
                tracing::info!(log = %self.log.display(), "Postgres is still starting");
            }
        }
    }

    /// Waits until the server ends without having been told to.
    pub(super) async fn ends(&mut self) -> PostgresError {
        // An error here means that the child was reaped before: it has ended.
        let _ = self.child.wait().await;
        self.ended("stopped by itself")
    }

    fn ended(&self, what: &'static str) -> PostgresError {
        PostgresError::Ended {
            what,
            log: self.log.clone(),
            tail: log::tail(&self.log),
        }
    }

    /// Stops the server: open sessions are ended, a checkpoint is written.
    ///
    /// After 30 s it is stopped at once; the next start then recovers.
    pub(super) async fn stop(&mut self) {
        self.signal(Signal::INT);
        if timeout(FAST, self.child.wait()).await.is_err() {
            tracing::warn!("Postgres takes too long to stop; stopping it at once");
            self.signal(Signal::QUIT);
            let _ = self.child.wait().await;
        }
    }

    fn signal(&self, signal: Signal) {
        // No id once the child was reaped, so that no other process is hit.
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(Pid::from_raw) {
            // It may have ended a moment ago.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Server {
    /// Ends a server that nobody stopped, without waiting for it.
    fn drop(&mut self) {
        self.signal(Signal::INT);
    }
}

fn arguments(socket: &SocketDir, durability: Durability) -> Vec<OsString> {
    let mut settings: Vec<String> = SETTINGS.map(str::to_owned).to_vec();
    settings.push(socket.setting());
    if durability == Durability::None {
        settings.extend(NOT_DURABLE.map(str::to_owned));
    }
    settings
        .into_iter()
        .flat_map(|setting| ["-c".into(), setting.into()])
        .collect()
}
