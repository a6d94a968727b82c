//! Everything that a run consists of, started and stopped in order.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::process::Signal;
use shared::store::Store;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;

use super::audit;
use super::database::Database;
use super::disk::SmallDisk;
use super::lanes::{CALL_TIMEOUT, LEASE, Lane, LaneSpec};
use super::misbehaving;
use super::obstacles;
use super::process::Process;
use super::programs::Programs;
use super::relay::Relay;

/// Nothing but a job that ends its worker each time comes that far.
const MAX_RESCUES: u32 = 4;

/// What operators send to the enqueuer.
pub(crate) const SECRET: &str = "a-secret-of-the-chaos-run";

/// How much of what can go wrong a run meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Short,
    Long,
}

/// Longest time for a statement in the long form: shorter than obstacles last.
const STATEMENT_TIMEOUT: &str = "?options[statement_timeout]=2s";

pub(crate) struct World {
    pub(crate) lanes: Vec<Lane>,
    pub(crate) relay: Relay,
    /// The way of those that only listen.
    pub(crate) listeners: Relay,
    pub(crate) database: tokio::sync::Mutex<Database>,
    /// Where the database stands in the long form, if we may mount a file system.
    pub(crate) disk: Option<SmallDisk>,
    /// Whether nothing can be written just now, so that nobody can be rescued.
    pub(crate) is_full: AtomicBool,
    /// Our own way to the database: faults on the others' way do not hide it from us.
    pub(crate) pool: PgPool,
    enqueuer: Mutex<Process>,
    programs: Programs,
    variables: Vec<(String, String)>,
    started: Mutex<usize>,
    dir: TempDir,
}

impl World {
    /// Starts all but the workers; the lanes are made for a run that begins now.
    pub(crate) async fn start(
        lanes_from: impl FnOnce(DateTime<Utc>) -> Vec<LaneSpec>,
        seed: u64,
        form: Form,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let programs = tokio::task::spawn_blocking(Programs::find).await.unwrap();
        let dir = tempfile::Builder::new()
            .prefix("larder-chaos-")
            .tempdir_in("/tmp")
            .unwrap();
        let home = dir.path().join("database");
        std::fs::create_dir(&home).unwrap();
        // Passable for the user that Postgres runs as when we are root.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).unwrap();
        let disk = match form {
            Form::Short => None,
            Form::Long => SmallDisk::mount(&home, "3g"),
        };
        let database = Database::start(&home).await;
        let relay = Relay::start(&database.url()).await;
        let listeners = Relay::start(&database.url()).await;
        let pool = PgPoolOptions::new()
            .max_connections(6)
            .acquire_timeout(Duration::from_secs(5))
            .connect(&database.url())
            .await
            .unwrap();
        Store::new(pool.clone()).migrate().await.unwrap();
        audit::install(&pool).await;
        let mut url = relay.url().to_owned();
        if form == Form::Long {
            obstacles::install(&pool).await;
            url += STATEMENT_TIMEOUT;
        }

        let mut lanes = Vec::new();
        for (spec, nth) in lanes_from(now()).into_iter().zip(0..) {
            lanes.push(Lane::start(spec, seed.wrapping_add(nth)).await);
        }
        let config = dir.path().join("larder.toml");
        std::fs::write(&config, configuration(&lanes)).unwrap();
        let mut variables = vec![
            ("DATABASE_URL".to_owned(), url),
            ("DATABASE_LISTEN_URL".to_owned(), listeners.url().to_owned()),
            ("JOBS_API_SECRET".to_owned(), SECRET.to_owned()),
            (
                "LARDER_CONFIG".to_owned(),
                config.to_str().unwrap().to_owned(),
            ),
        ];
        for lane in &lanes {
            variables.push((lane.spec.key_variable(), lane.spec.key()));
        }
        let enqueuer = Process::start(
            &programs.enqueuer,
            dir.path(),
            dir.path().join("enqueuer-0.log"),
            &variables,
            0,
        );
        Self {
            lanes,
            relay,
            listeners,
            database: tokio::sync::Mutex::new(database),
            disk,
            is_full: AtomicBool::new(false),
            pool,
            enqueuer: Mutex::new(enqueuer),
            programs,
            variables,
            started: Mutex::new(0),
            dir,
        }
    }

    /// A new worker, whose wall clock is off by so many seconds.
    pub(crate) fn worker(&self, clock_off: i64) -> Process {
        let program = &self.programs.worker;
        let log = self.next_log("worker");
        Process::start(program, self.dir.path(), log, &self.variables, clock_off)
    }

    /// A new worker that is the first process of a namespace.
    pub(crate) fn first_worker(&self) -> Process {
        let program = &self.programs.worker;
        let log = self.next_log("worker");
        Process::start_first(program, self.dir.path(), log, &self.variables)
    }

    /// A new worker with handlers that do what they must not.
    pub(crate) fn misbehaving_worker(&self) -> Process {
        let log = self.next_log("misbehaving");
        let (command, variable) = misbehaving::command();
        let variables = [self.variables.as_slice(), &[variable]].concat();
        Process::spawn(command, self.dir.path(), log, &variables, 0)
    }

    /// Kills the enqueuer and starts another in its place.
    pub(crate) async fn replace_enqueuer(&self, clock_off: i64) {
        let old = self.enqueuer.lock().unwrap().clone();
        let program = &self.programs.enqueuer;
        let log = self.next_log("enqueuer");
        // Beside the old one for a moment, so that there is always one to ask.
        let new = Process::start(program, self.dir.path(), log, &self.variables, clock_off);
        *self.enqueuer.lock().unwrap() = new;
        old.signal(Signal::KILL);
        old.end().await;
    }

    /// Where the enqueuer listens; none until it has said so.
    pub(crate) fn enqueuer_url(&self) -> Option<String> {
        let enqueuer = self.enqueuer.lock().unwrap().clone();
        if let Some(status) = enqueuer.ended() {
            panic!("the enqueuer has ended, {status}: {}", enqueuer.said());
        }
        let address = enqueuer.field("listening", "address")?;
        Some(format!("http://{address}"))
    }

    fn next_log(&self, what: &str) -> PathBuf {
        let mut started = self.started.lock().unwrap();
        *started += 1;
        self.dir.path().join(format!("{what}-{started}.log"))
    }

    /// Stops all but the processes of workers, which have to be stopped before.
    pub(crate) async fn stop(self) {
        let enqueuer = self.enqueuer.into_inner().unwrap();
        enqueuer.signal(Signal::TERM);
        let status = enqueuer.end().await;
        assert!(status.success(), "{status}: {}", enqueuer.said());
        self.pool.close().await;
        for lane in self.lanes {
            lane.stop().await;
        }
        self.database.into_inner().stop().await;
    }
}

/// The time of day, which sandboxes and database share.
#[expect(
    clippy::disallowed_methods,
    reason = "the test plans boundaries of calendar windows; no product code decides by it"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

fn configuration(lanes: &[Lane]) -> String {
    let mut text = format!(
        r#"
[worker]
concurrency = 24
lease = "{lease}s"
call_timeout = "{call_timeout}ms"
connect_timeout = "1s"
poll_interval = "500ms"
listen = "127.0.0.1:0"
max_rescues = {MAX_RESCUES}
handler_timeout = "{handler_timeout}s"

[enqueuer]
listen = "127.0.0.1:0"

[queue.retry]
initial = "100ms"
max = "1s"
"#,
        lease = LEASE.as_secs(),
        call_timeout = CALL_TIMEOUT.as_millis(),
        handler_timeout = misbehaving::DEADLINE.as_secs(),
    );
    for lane in lanes {
        text.push_str(&lane.config());
    }
    text
}
