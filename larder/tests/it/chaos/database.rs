//! A durable Postgres of the run's own, which is restarted under its users.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use larder::postgres::{Durability, PrivatePostgres};
use rustix::process::{Pid, Signal, kill_process};

/// How a restart ends the old server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    /// As `pg_ctl restart -m fast`: sessions are ended, a checkpoint is written.
    Fast,
    /// As `pg_ctl restart -m immediate`: no checkpoint, the next start recovers.
    Immediate,
}

#[derive(Debug)]
pub(crate) struct Database {
    dir: PathBuf,
    // None only while it is being restarted.
    server: Option<PrivatePostgres>,
}

impl Database {
    pub(crate) async fn start(dir: &Path) -> Self {
        // Passable for the user that Postgres runs as when we are root.
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o711)).unwrap();
        Self {
            dir: dir.to_owned(),
            server: Some(start(dir).await),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.server.as_ref().unwrap().url()
    }

    /// Stops the server and starts it again on the same data and the same socket, with no
    /// server for so long.
    pub(crate) async fn away(&mut self, how: Restart, time: Duration) {
        let mut server = self.server.take().unwrap();
        match how {
            Restart::Fast => server.stop().await,
            Restart::Immediate => {
                kill_process(self.postmaster(), Signal::QUIT).unwrap();
                server.ends().await;
                drop(server);
            }
        }
        tokio::time::sleep(time).await;
        self.server = Some(start(&self.dir).await);
    }

    /// Starts the server again if it has given up within `time`; answers whether it had to.
    pub(crate) async fn revive(&mut self, time: Duration) -> bool {
        let mut server = self.server.take().unwrap();
        if tokio::time::timeout(time, server.ends()).await.is_err() {
            self.server = Some(server);
            return false;
        }
        drop(server);
        self.server = Some(start(&self.dir).await);
        true
    }

    pub(crate) async fn stop(mut self) {
        self.server.take().unwrap().stop().await;
    }

    fn postmaster(&self) -> Pid {
        let file = self.dir.join(".larder/postgres/data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
    }
}

async fn start(dir: &Path) -> PrivatePostgres {
    PrivatePostgres::start(dir, Durability::Full).await.unwrap()
}
