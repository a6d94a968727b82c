//! Why an enqueuer cannot run.

use std::net::SocketAddr;

use shared::store::StoreError;

/// Why an enqueuer cannot run. Its text is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnqueuerError {
    /// Nobody could be let in.
    #[error(
        "JOBS_API_SECRET is not set: set it to a secret of at least 16 bytes, \
         for instance what `openssl rand -hex 32` prints, or name a file with it in JOBS_API_SECRET_FILE"
    )]
    NoSecret,

    /// There is no database to keep jobs in.
    #[error(
        "DATABASE_URL is not set: set it to postgres://user:password@host:5432/database, \
         or run `larder up`, which brings a database of its own"
    )]
    NoDatabase,

    /// An address cannot be listened on.
    #[error(
        "cannot listen on {address} ({source}): free it, or choose another with {variable}=HOST:PORT"
    )]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// The variable that changes it.
        variable: &'static str,
        /// What the system said.
        source: std::io::Error,
    },

    /// The database will not do until somebody changes a setting.
    #[error("cannot use the database that DATABASE_URL names: {}", .0.chain())]
    Database(StoreError),

    /// The server ended by itself.
    #[error("the HTTP server ended: {0}")]
    Serve(std::io::Error),
}
