//! A Postgres of Larder's own, made from the installed binaries.
//!
//! [`PrivatePostgres::start`] is all that `larder up` needs where no
//! `DATABASE_URL` is set: it finds the binaries, makes a cluster in
//! `.larder/postgres` or takes the one that is there, and starts it on a socket
//! that only its user can reach. [`PrivatePostgres::stop`] ends it in order.
//!
//! # What may have happened before
//!
//! | found                                        | done                                      |
//! |----------------------------------------------|-------------------------------------------|
//! | another Larder in this directory             | refused, by a lock that dies with it      |
//! | Larder was killed, its Postgres lives        | that Postgres is stopped, a new one started |
//! | both were killed                             | Postgres recovers from its log            |
//! | the old process id is another program's now  | told to Postgres, which starts            |
//! | killed while the cluster was being made      | the half is deleted and made again        |
//! | data of a version that is not installed      | refused: no upgrade is made unasked       |
//! | damaged data, full disk                      | refused, with Postgres's own last words   |
//!
//! `larder/tests/it/private_postgres.rs` does each of these to it.
//!
//! # Not here
//!
//! Tables: `larder init` and every process make those, as in any Postgres. A
//! server for several machines: this one listens on no network.

mod account;
mod binaries;
mod cluster;
mod error;
mod home;
mod install;
mod leftover;
mod log;
mod server;
mod socket;
mod temporary;

use std::path::Path;

pub use error::PostgresError;
pub use temporary::TemporaryPostgres;

use account::Account;
use home::{Home, failed};
use server::Server;
use socket::SocketDir;

/// Whether a committed transaction survives a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It does. The budget's promises need it.
    Full,
    /// It may not: for tests, which throw the data away.
    None,
}

/// A running Postgres that belongs to this process.
///
/// Stop it with [`stop`](Self::stop). Dropping it stops it too, but waits for
/// nothing and reports nothing.
#[derive(Debug)]
pub struct PrivatePostgres {
    // Dropped in this order: the lock goes last.
    server: Server,
    socket: SocketDir,
    home: Home,
}

impl PrivatePostgres {
    /// Starts the Postgres of the directory `dir`, making it if there is none.
    ///
    /// Returns once it takes connections. Starting takes about a second, making
    /// the cluster a few more.
    ///
    /// # Errors
    ///
    /// See [`PostgresError`]; its [`help`](PostgresError::help) says what to do.
    pub async fn start(dir: &Path, durability: Durability) -> Result<Self, PostgresError> {
        let dir = dir.canonicalize().map_err(failed("open", dir))?;
        let name = Home::name_in(&dir);
        let found = binaries::find().await;
        // Before anything is made: without Postgres nothing should be.
        let any = binaries::choose(&found, &name, None)?;
        let account = Account::choose(&dir, &name)?;
        let home = Home::open(&dir, account, &any.program("initdb")).await?;
        let data = home.data();
        let made_by = cluster::version(&data)?;
        let binaries = binaries::choose(&found, &data, made_by)?;
        match made_by {
            None => cluster::make(&data, &binaries, account, durability).await?,
            Some(_) => leftover::clear(&data).await?,
        }
        let socket = SocketDir::make(&home.run(), account)?;
        let server = Server::start(&home, &binaries, account, &socket, durability).await?;
        tracing::info!(
            version = binaries.major(),
            data = %data.display(),
            "private Postgres started"
        );
        Ok(Self {
            server,
            socket,
            home,
        })
    }

    /// Where to connect, for sqlx as for psql: superuser and database `larder`.
    pub fn url(&self) -> String {
        self.socket.url()
    }

    /// Waits until Postgres ends without having been told to, and says why.
    pub async fn ends(&mut self) -> PostgresError {
        self.server.ends().await
    }

    /// Stops Postgres and waits for its end. The data stays.
    pub async fn stop(mut self) {
        self.server.stop().await;
    }

    /// Stops Postgres and deletes its data.
    ///
    /// # Errors
    ///
    /// [`PostgresError::File`] when a file cannot be deleted.
    pub async fn stop_and_remove(mut self) -> Result<(), PostgresError> {
        self.server.stop().await;
        let Self {
            server,
            socket,
            home,
        } = self;
        drop((server, socket));
        home.remove()
    }
}

/// Where the Postgres of a `larder up` in `dir` answers; `None` if none does.
///
/// Also `None` for who may not read its files: they are its user's and root's.
pub fn running_url(dir: &Path) -> Option<String> {
    let data = Home::name_in(dir).join("data");
    socket::running(&data)
}

/// Deletes the Postgres of `dir`, stopping one that a killed run left behind.
///
/// # Errors
///
/// [`PostgresError::InUse`] when a living process holds it.
pub async fn remove(dir: &Path) -> Result<(), PostgresError> {
    let dir = dir.canonicalize().map_err(failed("open", dir))?;
    let found = binaries::find().await;
    let any = binaries::choose(&found, &dir, None)?;
    let account = Account::choose(&dir, &Home::name_in(&dir))?;
    let home = Home::open(&dir, account, &any.program("initdb")).await?;
    leftover::clear(&home.data()).await?;
    home.remove()
}
