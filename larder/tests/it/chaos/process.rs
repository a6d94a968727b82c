//! A worker or an enqueuer as a process of its own: signals, log, and a clock that is off.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Where distributions put the library that fakes a process's clock.
const FAKETIME: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// The library that fakes clocks, if it is installed.
pub(crate) fn faketime() -> Option<PathBuf> {
    FAKETIME
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
}

/// A running process. Killed when dropped.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    // Locked to signal and to reap, so that no signal hits another process of that id.
    child: Arc<Mutex<Child>>,
    log: PathBuf,
    started: Instant,
    /// Whether it is the first process of a namespace, and so the child of our child.
    is_first: bool,
}

/// Whether a process can be the first one of a namespace here.
pub(crate) fn can_be_first() -> bool {
    let mut probe = Command::new("unshare");
    probe
        .args(["--pid", "--fork", "true"])
        .stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Processes that have this one as their parent.
pub(crate) fn children(of: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{of}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            let ids = list.split_whitespace();
            ids.map(|id| id.parse().unwrap()).collect::<Vec<u32>>()
        })
        .collect()
}

impl Process {
    /// Starts `program` in `dir`, with nothing of our environment but `variables`, and
    /// with a wall clock that is off by `clock_off` seconds.
    pub(crate) fn start(
        program: &Path,
        dir: &Path,
        log: PathBuf,
        variables: &[(String, String)],
        clock_off: i64,
    ) -> Self {
        let command = Command::new(program);
        Self::spawn(command, dir, log, variables, clock_off)
    }

    /// The same as the first process of a namespace, as in a container.
    pub(crate) fn start_first(
        program: &Path,
        dir: &Path,
        log: PathBuf,
        variables: &[(String, String)],
    ) -> Self {
        let mut command = Command::new("unshare");
        command
            .args(["--pid", "--fork", "--kill-child"])
            .arg(program);
        let path = std::env::var("PATH").unwrap_or_default();
        let variables = [variables, &[("PATH".to_owned(), path)]].concat();
        // What fakes clocks names its files after the process, and each of these is 1.
        let mut first = Self::spawn(command, dir, log, &variables, 0);
        first.is_first = true;
        first
    }

    /// The same with a command that has its arguments.
    pub(crate) fn spawn(
        mut command: Command,
        dir: &Path,
        log: PathBuf,
        variables: &[(String, String)],
        clock_off: i64,
    ) -> Self {
        command
            .current_dir(dir)
            .env_clear()
            .envs(variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        if let (Some(library), true) = (faketime(), clock_off != 0) {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME", format!("{clock_off:+}s"))
                // Only the time of day is wrong: timers and time-outs are as they are.
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        Self {
            child: Arc::new(Mutex::new(command.spawn().unwrap())),
            log,
            started: Instant::now(),
            is_first: false,
        }
    }

    /// Sends a signal; answers no if the process has ended.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        let mut child = self.child.lock().unwrap();
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let id = if self.is_first {
            // Reaped by our child alone, which ends with it.
            children(child.id()).first().copied()
        } else {
            Some(child.id())
        };
        let pid = id.and_then(|id| Pid::from_raw(id.cast_signed()));
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// Waits until it ends.
    pub(crate) async fn end(&self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                forget_clock(self.child.lock().unwrap().id());
                return status;
            }
            assert!(
                began.elapsed() < Duration::from_secs(90),
                "a process does not end; it said:\n{}",
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everything that it has logged.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// A field of the first line with this message.
    pub(crate) fn field(&self, message: &str, field: &str) -> Option<String> {
        self.fields(message, field).into_iter().next()
    }

    /// A field of every line with this message.
    fn fields(&self, message: &str, field: &str) -> Vec<String> {
        self.told(message)
            .filter_map(|line| Some(line.get(field)?.as_str()?.to_owned()))
            .collect()
    }

    /// Every line with this message.
    pub(crate) fn told(&self, message: &str) -> impl Iterator<Item = Value> {
        self.lines().filter(move |line| line["message"] == message)
    }

    /// The time of day at which it wrote its first line, by its own clock.
    pub(crate) fn first_stamp(&self) -> Option<DateTime<Utc>> {
        self.lines().next()?["timestamp"].as_str()?.parse().ok()
    }

    fn lines(&self) -> impl Iterator<Item = Value> {
        let said = self.said();
        let lines: Vec<Value> = said
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        lines.into_iter()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The last of the clones; a process that was not waited for has no more to do.
        if let Some(child) = Arc::get_mut(&mut self.child) {
            let child = child.get_mut().unwrap();
            if child.try_wait().is_ok_and(|status| status.is_none()) {
                let _ = child.kill();
                let _ = child.wait();
                forget_clock(child.id());
            }
        }
    }
}

/// Removes what libfaketime leaves of a process that was killed, or whose end it missed.
fn forget_clock(id: u32) {
    for name in ["faketime_shm", "sem.faketime_sem"] {
        // Mostly there is none.
        let _ = std::fs::remove_file(format!("/dev/shm/{name}_{id}"));
    }
}
