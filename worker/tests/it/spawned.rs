//! Workers as processes of their own, to be killed.

use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::rig::{Rig, eventually, http_client};

/// A worker process; killed when dropped.
pub(crate) struct Spawned {
    child: Child,
    log: PathBuf,
}

impl Spawned {
    /// Starts `worker` with the rig's environment, `more` variables and `arguments`.
    pub(crate) fn start(rig: &Rig, more: &[(&str, &str)], arguments: &[&str]) -> Self {
        let number = std::fs::read_dir(rig.dir.path()).unwrap().count();
        let log = rig.dir.path().join(format!("worker-{number}.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_worker"))
            .args(arguments)
            .current_dir(rig.dir.path())
            .env_clear()
            .envs(&rig.setup.environment)
            .env("LARDER__WORKER__LISTEN", "127.0.0.1:0")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// A page that it serves, by its path. It must log at debug, which tells where.
    pub(crate) async fn page(&self, path: &str) -> String {
        let address = eventually("where it listens", async || {
            let log = self.log();
            let line = log
                .lines()
                .find(|line| line.contains("serving health and metrics"))?;
            let (_, rest) = line.split_once("127.0.0.1:")?;
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            Some(format!("http://127.0.0.1:{port}"))
        })
        .await;
        let url = format!("{address}{path}");
        let reply = http_client().get(url).send().await.unwrap();
        assert!(reply.status().is_success(), "{path}");
        reply.text().await.unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Kills it as a crash would, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        tokio::time::timeout(Duration::from_secs(60), self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("the worker does not end; it says: {}", self.log()))
            .unwrap()
    }
}
