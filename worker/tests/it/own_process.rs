//! A worker with the tests' own handlers as a process of its own, to be stopped and killed.
//!
//! Handlers are code, so the process is this test binary again, told to run one test only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use shared::model::kind::AnyArgs;
use shared::setup::Setup;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use worker::{Handler, HandlerContext, Handlers, Outcome, Worker, WorkerOptions};

use crate::rig::Rig;

/// Names the directory of the rig, and so says that this process is such a worker.
const DIRECTORY: &str = "LARDER_TEST_WORKER_IN";

/// Takes its process with it.
pub(crate) struct Aborting;

impl Handler for Aborting {
    const KIND: &'static str = "aborting";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, _context: HandlerContext) -> Outcome {
        std::process::abort()
    }
}

/// Takes a thread of its worker for longer than any test waits.
struct Blocking;

impl Handler for Blocking {
    const KIND: &'static str = "blocking";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, _context: HandlerContext) -> Outcome {
        std::thread::sleep(Duration::from_secs(600));
        Outcome::Done
    }
}

/// Writes down that it runs, waits until it may end, and writes that down.
pub(crate) struct Noting(pub(crate) PathBuf);

/// What a [`Noting`] handler has written.
pub(crate) fn notes(directory: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(directory.join("notes")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Lets the [`Noting`] handlers of a process end.
pub(crate) fn let_end(directory: &Path, process: u32) {
    std::fs::write(may_end(directory, process), "").unwrap();
}

fn may_end(directory: &Path, process: u32) -> PathBuf {
    directory.join(format!("may-end-{process}"))
}

impl Noting {
    async fn note(&self, what: &str) {
        let mut file = tokio::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.0.join("notes"))
            .await
            .unwrap();
        let line = format!("{what} {}\n", std::process::id());
        file.write_all(line.as_bytes()).await.unwrap();
        file.flush().await.unwrap();
    }
}

impl Handler for Noting {
    const KIND: &'static str = "noting";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, _context: HandlerContext) -> Outcome {
        self.note("begins").await;
        while !may_end(&self.0, std::process::id()).exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.note("ends").await;
        Outcome::Done
    }
}

/// A worker process of this kind; killed when dropped.
pub(crate) struct OwnProcess {
    child: Child,
    log: PathBuf,
}

impl OwnProcess {
    pub(crate) fn start(rig: &Rig) -> Self {
        let number = std::fs::read_dir(rig.dir.path()).unwrap().count();
        let log = rig.dir.path().join(format!("own-{number}.log"));
        let out = std::fs::File::create(&log).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "own_process::a_worker_for_other_tests",
            ])
            .arg("--nocapture")
            .env_clear()
            .envs(&rig.setup.environment)
            .env(DIRECTORY, rig.dir.path())
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let exit = tokio::time::timeout(Duration::from_secs(60), self.child.wait());
        let said = || std::fs::read_to_string(&self.log).unwrap();
        let exit = exit.await;
        exit.unwrap_or_else(|_| panic!("it does not end; it says: {}", said()))
            .unwrap()
    }
}

#[test]
#[ignore = "run by other tests, as a process of its own"]
fn a_worker_for_other_tests() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        worker::runtime::run(work_in(PathBuf::from(directory))).unwrap();
    }
}

async fn work_in(directory: PathBuf) {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    shared::logging::init(&environment).unwrap();
    let setup = Setup::from_environment(environment, &directory, None).unwrap();
    let worker = Worker::start(WorkerOptions {
        database_url: setup.environment["DATABASE_URL"].clone(),
        listen_url: None,
        handlers: Handlers::shipped()
            .with(Aborting)
            .with(Blocking)
            .with(Noting(directory)),
        catalog: setup.catalog,
        secrets: setup.secrets,
    })
    .unwrap();
    signal(SignalKind::terminate()).unwrap().recv().await;
    worker.stop().await;
}
