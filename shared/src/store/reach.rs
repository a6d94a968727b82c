//! Finds out why a database cannot be reached.

use std::time::Duration;

use sqlx::ConnectOptions as _;

use super::{Store, StoreError, connect_options};

impl Store {
    /// Connects once, outside any pool, within `most`, and hangs up.
    ///
    /// A pool tries again while connections are refused and then says only that time ran
    /// out; this says what happened.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadUrl`], or whatever kept it from connecting; see
    /// [`StoreError::is_misconfigured`].
    pub async fn reach(url: &str, most: Duration) -> Result<(), StoreError> {
        let options = connect_options(url)?;
        let connected = async {
            let connection = options.connect().await?;
            sqlx::Connection::close(connection).await
        };
        let late = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
        tokio::time::timeout(most, connected)
            .await
            .map_err(|elapsed| sqlx::Error::Io(late(elapsed)))??;
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
