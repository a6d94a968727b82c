//! What can go wrong between Larder and its database.

use crate::model::JobId;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL cannot be read. It is not repeated: it may hold a password.
    #[error("DATABASE_URL is not a Postgres URL (postgres://user:password@host:port/database)")]
    BadUrl,

    /// The database takes no writes: a standby, or set read-only.
    #[error("the database is read-only")]
    ReadOnly,

    /// The schema was made by a later release, and this one cannot work with it.
    #[error(
        "the database has migration {version}, and this release of Larder is too old for it: \
         install the newer release that made it, or restore an older database"
    )]
    TooNew {
        /// Number of its last migration.
        version: i64,
    },

    /// The schema is missing, or was made by an earlier release.
    #[error("the database has not been migrated to this release: run `larder init`")]
    NotMigrated,

    /// A migration failed, or an applied one has been changed since.
    #[error("the database could not be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),

    /// No job has this id.
    #[error("there is no job {0}")]
    NoJob(JobId),

    /// The job is not in a state that allows what was asked.
    #[error("job {id} is {status}")]
    WrongStatus {
        /// Which job.
        id: JobId,
        /// Its status as people write it.
        status: &'static str,
    },

    /// Live jobs that stood in the way of new ones ended, each time before they could be
    /// answered.
    #[error("other jobs for the same resources began and ended too often at this moment")]
    Contended,

    /// The database did not answer for so long that nobody waits any more.
    #[error("the database did not answer in time")]
    TooSlow,

    /// Anything that the driver or the server reports.
    #[error("the database did not do what was asked")]
    Database(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether trying the same again may help.
    ///
    /// Connection trouble, a timeout, a full disk, a deadlock and a serialization failure
    /// pass; a value that the database refuses does not.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::ReadOnly | Self::Contended | Self::TooSlow => true,
            Self::Database(sqlx::Error::Database(error)) => match error.code() {
                // Data exceptions, violated constraints, limits of the server (nested too
                // deeply, too large) and what a trigger raises: the same values fail again.
                Some(code) => !["22", "23", "54", "P0"]
                    .iter()
                    .any(|class| code.starts_with(class)),
                None => true,
            },
            Self::Database(
                sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. },
            ) => false,
            Self::Database(_) => true,
            _ => false,
        }
    }

    /// Whether the transaction lost against another one, and nothing else was wrong with it:
    /// a deadlock, or a serialization failure where the database's default is an isolation
    /// level that has them.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("40P01" | "40001")))
    }

    /// Whether a row names another one that is not there, such as a resource the lane of
    /// a provider that was never brought into the database.
    pub fn is_missing_reference(&self) -> bool {
        // foreign_key_violation
        matches!(self, Self::Database(sqlx::Error::Database(error))
            if error.code().as_deref() == Some("23503"))
    }

    /// The error with its causes on one line, without the URL or any value of a row.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    }
}
