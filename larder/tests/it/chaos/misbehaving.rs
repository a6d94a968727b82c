//! Jobs whose handlers do what they must not, and the worker that runs them.
//!
//! Handlers are code, so that worker is this test binary again, told to run one test only.
//! It does what every worker does beside, and like a service it is started again when it ends.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::setup::Setup;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use worker::{Handler, HandlerContext, Handlers, Outcome, Worker, WorkerOptions};

use super::crew::{Done, ends_well, name};
use super::world::World;

/// When a handler that has not ended is dropped.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// How long a job keeps a connection at most; less than the deadline.
const HOG: Duration = Duration::from_secs(3);

/// Says that this process is such a worker.
const VARIABLE: &str = "LARDER_TEST_MISBEHAVES";

/// What a job makes its handler do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Misdeed {
    /// Panics each time.
    Panic,
    /// Panics the first time.
    Stumble,
    /// Never ends.
    Hang,
    /// Ends its process.
    Abort,
    /// Keeps a connection of those that the worker's parts share for as long as it can.
    Hog,
    /// What the handler no longer knows.
    #[serde(skip_deserializing)]
    Unheard,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    misdeed: Misdeed,
}

pub(crate) struct Misbehaving;

impl Handler for Misbehaving {
    const KIND: &'static str = "misbehaving";
    type Args = Args;

    async fn run(&self, args: Args, context: HandlerContext) -> Outcome {
        match args.misdeed {
            Misdeed::Panic => panic!("each time"),
            Misdeed::Stumble => assert!(context.attempt > 1, "the first time"),
            Misdeed::Hang => std::future::pending().await,
            Misdeed::Abort => std::process::abort(),
            Misdeed::Hog => {
                // A statement that waits: somebody has locked its table. It may be told that it
                // took too long.
                let store = &context.services.store;
                let hogging = async { while store.worker_gone("nobody").await.is_err() {} };
                let _ = tokio::time::timeout(HOG, hogging).await;
            }
            Misdeed::Unheard => {}
        }
        Outcome::Done
    }
}

/// What starts such a worker: a command, and a variable for it.
pub(crate) fn command() -> (Command, (String, String)) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--ignored",
        "--exact",
        "chaos::misbehaving::a_worker_that_misbehaves",
        "--nocapture",
    ]);
    (command, (VARIABLE.to_owned(), "yes".to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the chaos test, as a process of its own"]
async fn a_worker_that_misbehaves() {
    if std::env::var_os(VARIABLE).is_none() {
        return;
    }
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    shared::logging::init(&environment).unwrap();
    let directory = std::env::current_dir().unwrap();
    let setup = Setup::from_environment(environment, &directory, None).unwrap();
    let url = |url: &Option<secrecy::SecretString>| {
        let url = url.as_ref();
        url.map(|url| url.expose_secret().to_owned())
    };
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let worker = Worker::start(WorkerOptions {
        database_url: url(&setup.secrets.database_url).unwrap(),
        listen_url: url(&setup.secrets.database_listen_url),
        handlers: Handlers::shipped().with(Misbehaving),
        catalog: setup.catalog,
        secrets: setup.secrets,
    })
    .unwrap();
    terminate.recv().await;
    worker.stop().await;
}

/// Has such a worker run until told to stop, whatever its jobs do to it.
pub(crate) async fn run(world: &World, stop: &CancellationToken) -> Done {
    let mut done = Done::default();
    loop {
        done.started += 1;
        let worker = world.misbehaving_worker();
        let mut stopped = false;
        while worker.ended().is_none() && !stopped {
            let look = tokio::time::sleep(Duration::from_millis(50));
            stopped = stop.run_until_cancelled(look).await.is_none();
        }
        if stopped {
            worker.signal(Signal::TERM);
            ends_well(&worker).await;
            done.note(&worker);
            return done;
        }
        let status = worker.end().await;
        assert_eq!(status.signal(), Some(6), "{status}: {}", worker.said());
        done.aborts += 1;
        done.killed = HashSet::from_iter(done.killed.into_iter().chain(name(&worker)));
        done.note(&worker);
    }
}
