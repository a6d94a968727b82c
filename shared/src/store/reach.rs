//! Finds out why a database cannot be reached.

use sqlx::ConnectOptions as _;

use super::{Store, StoreError, connect_options};

impl Store {
    /// Connects once, outside any pool, and hangs up.
    ///
    /// A pool tries again while connections are refused and then says only that time ran
    /// out; this says what happened.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadUrl`], or whatever kept it from connecting; see
    /// [`StoreError::is_misconfigured`].
    pub async fn reach(url: &str) -> Result<(), StoreError> {
        let connection = connect_options(url)?.connect().await?;
        sqlx::Connection::close(connection).await?;
        Ok(())
    }
}

impl StoreError {
    /// Whether somebody must change a setting before the database can be reached: the
    /// URL, the login, the database's or the host's name.
    ///
    /// A refused connection is not among it: a database that starts refuses them too.
    pub fn is_misconfigured(&self) -> bool {
        match self {
            Self::BadUrl => true,
            // 28: the login was refused; 3D000: there is no such database.
            Self::Database(sqlx::Error::Database(error)) => error
                .code()
                .is_some_and(|code| code.starts_with("28") || code == "3D000"),
            Self::Database(sqlx::Error::Configuration(_)) => true,
            // The standard library has no kind of its own for a name that does not resolve.
            Self::Database(sqlx::Error::Io(error)) => {
                error.to_string().contains("failed to lookup address")
            }
            _ => false,
        }
    }
}
