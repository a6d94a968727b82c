//! Connections to Postgres, lent for a statement or a transaction.
//!
//! One that was given back in order is lent again at once, without asking the server: the
//! driver's own pool asks each time, which costs every statement a second round trip. What its
//! borrower left in the middle of something (a reader who went away, a time that ran out) is
//! put in order first, and hung up on if that does not succeed within [`ALIVE`].
//!
//! Nobody waits for ever. For a connection: as long as the pool was told. For an answer on it:
//! [`Alarm`], so that a network that swallows everything without a word, which the
//! operating system notices after a quarter of an hour, costs a minute at most.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Error};
use tokio::time::timeout;

use super::alarm::{Alarm, silent};
use crate::retry::RetryPolicy;

/// How long a connection that worked is taken to work still.
const TRUSTED: Duration = Duration::from_secs(1);

/// How long a connection may take to show that it works.
const ALIVE: Duration = Duration::from_secs(3);

/// After which age a connection is not lent any more, so that what a session gathers on the
/// server is freed.
const OLDEST: Duration = Duration::from_secs(30 * 60);

/// A connection that nobody needed for so long is hung up.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// How often it is looked for such.
const SWEEP: Duration = Duration::from_secs(60);

/// Connections to one database. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    lender: managed::Pool<Connector>,
    swept: Arc<Mutex<Instant>>,
}

impl Pool {
    /// At most so many connections; nobody waits longer than `patience` for one. Connects when
    /// the first one is needed.
    pub(super) fn new(options: PgConnectOptions, connections: u32, patience: Duration) -> Self {
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        Self::of(Connector { options, patience }, connections)
    }

    /// Another pool like this one, without a connection.
    pub(super) fn afresh(&self) -> Self {
        let connector = self.lender.manager().clone();
        Self::of(connector, self.lender.status().max_size)
    }

    #[expect(
        clippy::expect_used,
        reason = "what can be missing is a runtime for the times, and here it is"
    )]
    fn of(connector: Connector, connections: usize) -> Self {
        let patience = connector.patience;
        let lender = managed::Pool::builder(connector)
            .max_size(connections)
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(patience))
            .create_timeout(Some(patience))
            .build()
            .expect("a runtime is named");
        Self {
            lender,
            swept: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// How it connects.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.lender.manager().options
    }

    /// Longest wait for a connection.
    pub(super) fn patience(&self) -> Duration {
        self.lender.manager().patience
    }

    /// Lends a connection.
    pub(super) async fn lend(&self) -> Result<Lent, Error> {
        let connection = self.lender.get().await.map_err(explain)?;
        if let Ok(mut swept) = self.swept.try_lock()
            && swept.elapsed() > SWEEP
        {
            *swept = Instant::now();
            self.lender.retain(|_, metrics| metrics.last_used() < IDLE);
        }
        Ok(Lent {
            connection: Some(connection),
            is_busy: false,
            is_open: false,
        })
    }

    /// Lends none any more, and hangs up.
    pub(super) fn close(&self) {
        self.lender.close();
    }
}

fn explain(error: PoolError<Error>) -> Error {
    match error {
        PoolError::Backend(error) => error,
        PoolError::Closed => Error::PoolClosed,
        _ => Error::PoolTimedOut,
    }
}

/// A connection until it is given back.
#[derive(Debug)]
pub(super) struct Lent {
    connection: Option<Object<Connector>>,
    /// Whether something was asked that has not been answered.
    is_busy: bool,
    /// Whether a transaction is open.
    is_open: bool,
}

impl Lent {
    /// The connection, to ask something on it, and what ends the wait for the answer.
    pub(super) fn ask(&mut self) -> Result<(&mut PgConnection, &mut Alarm), Error> {
        self.is_busy = true;
        let connected = self.connection.as_deref_mut().ok_or(Error::PoolClosed)?;
        Ok((&mut connected.connection, &mut connected.alarm))
    }

    /// Notes what became of what was asked.
    pub(super) fn heard<T>(&mut self, answered: Result<T, Error>) -> Result<T, Error> {
        // What the server refuses is an answer too.
        self.is_busy = !matches!(answered, Ok(_) | Err(Error::Database(_)));
        answered
    }

    /// Says whether a transaction is open, which has to be ended before others may have it.
    pub(super) fn set_open(&mut self, is_open: bool) {
        self.is_open = is_open;
    }
}

/// Waits for an answer, at most `patience`.
pub(super) async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let answered = timeout(patience, answer).await;
    answered.unwrap_or_else(|_| Err(silent(patience)))
}

impl Drop for Lent {
    fn drop(&mut self) {
        let (is_open, in_order) = (self.is_open, !self.is_busy && !self.is_open);
        let Some(connection) = self.connection.take().filter(|_| !in_order) else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(put_in_order(connection, is_open));
            }
            Err(_) => drop(Object::take(connection)),
        }
    }
}

/// Reads what is left of answers, and takes back a transaction that was left open.
async fn put_in_order(mut connected: Object<Connector>, is_open: bool) {
    let all = async {
        match is_open {
            true => sqlx::raw_sql("rollback")
                .execute(&mut connected.connection)
                .await
                .map(drop),
            false => connected.connection.ping().await,
        }
    };
    if within(ALIVE, all).await.is_err() {
        drop(Object::take(connected));
    }
}

/// Whether a server that refused a connection may have one a moment later.
fn may_pass(error: &Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    match error {
        Error::Io(error) => {
            [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
        }
        // too_many_connections, cannot_connect_now
        Error::Database(error) => matches!(error.code().as_deref(), Some("53300" | "57P03")),
        _ => false,
    }
}

/// Makes connections, and says whether one may be lent again.
#[derive(Debug, Clone)]
struct Connector {
    options: PgConnectOptions,
    patience: Duration,
}

/// A connection, and the timer for what is asked on it.
#[derive(Debug)]
struct Connected {
    connection: PgConnection,
    alarm: Alarm,
}

impl managed::Manager for Connector {
    type Type = Connected;
    type Error = Error;

    /// Connects; tries again while the server is starting or has no connection to spare, for as
    /// long as the pool waits.
    async fn create(&self) -> Result<Connected, Error> {
        let began = Instant::now();
        for attempt in 1.. {
            let connected = self.options.connect().await;
            let wait = RetryPolicy::DATABASE.after(attempt);
            match &connected {
                Err(error) if may_pass(error) && began.elapsed() + wait < self.patience => {}
                _ => {
                    return connected.map(|connection| Connected {
                        connection,
                        alarm: Alarm::new(),
                    });
                }
            }
            tokio::time::sleep(wait).await;
        }
        Err(Error::PoolTimedOut)
    }

    async fn recycle(&self, connected: &mut Connected, metrics: &Metrics) -> RecycleResult<Error> {
        if metrics.age() > OLDEST {
            return Err(RecycleError::message("old"));
        }
        if metrics.last_used() > TRUSTED {
            within(ALIVE, connected.connection.ping()).await?;
        }
        Ok(())
    }
}
