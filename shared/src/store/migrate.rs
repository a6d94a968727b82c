//! Brings the schema up to date, and accepts one that is ahead.
//!
//! Migrations only add, so a process works with the schema of a later release too, as long as the
//! schema says so: `larder.least_version()` is the migration that a process must know at least.
//! Without that, nothing of a release could be started any more once the next one has migrated,
//! and a rolling upgrade would be down to what happens to run.

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;

use super::{Store, StoreError};

/// The migrations of this release, compiled in.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// Lock that lets one process migrate at a time. Arbitrary, and fixed for ever.
const MIGRATION_LOCK: i64 = 0x6c61_7264_6572;

/// How the schema stands to this release, which can work with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaAge {
    /// It is this release's.
    Current,
    /// A later release made it, and has added only.
    Ahead {
        /// Number of its last migration.
        version: i64,
    },
}

impl Store {
    /// Applies what is missing. Safe when many processes start at once.
    ///
    /// A schema that is ahead is left as it is, and logged.
    ///
    /// All in one transaction, under a lock that goes with it: a session's lock would
    /// not hold through a pooler that gives each transaction another session.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooNew`] when the database is too far ahead of this release, and
    /// [`StoreError::Migrate`] when a migration fails; nothing is changed then.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        if self.schema_version().await?.is_none_or(|it| it < newest()) {
            self.apply().await?;
        }
        if let SchemaAge::Ahead { version } = self.schema_age().await? {
            let known = newest();
            tracing::warn!(
                version,
                known,
                "the schema is a later release's, which has added to it"
            );
        }
        // Also long after the migrations, since the name may have become free. No process needs
        // it, and a login that may not make it is told by `larder init`.
        match self.make_jobs_view().await {
            Ok(true) => {}
            Ok(false) => tracing::info!("something else is called public.background_jobs"),
            Err(error) => {
                tracing::info!(error = %error.chain(), "public.background_jobs was not made");
            }
        }
        Ok(())
    }

    async fn apply(&self) -> Result<(), StoreError> {
        let mut migrator = Migrator::with_migrations(MIGRATOR.iter().cloned().collect());
        migrator.set_locking(false);
        // A later release may have migrated while this one waited for the lock.
        migrator.set_ignore_missing(true);
        migrator.dangerous_set_table_name(MIGRATOR.table_name.clone());
        migrator.create_schema("larder");

        // Beside the pool: another process may migrate for minutes, and a migration takes its time.
        let is_shared = self.db.is_shared().await?;
        let mut connection = self.db.connect().await?;
        let mut tx = connection.begin().await?;
        // Without a name, and so not checked at build time.
        sqlx::query(
            r#"
            -- name: migrate_lock
            select pg_advisory_xact_lock($1)
            "#,
        )
        .persistent(false)
        .bind(MIGRATION_LOCK)
        .execute(&mut *tx)
        .await?;
        forget_statements(&mut tx, is_shared).await?;
        migrator
            .run_direct(None, &mut *tx, false)
            .await
            .map_err(StoreError::Migrate)?;
        forget_statements(&mut tx, is_shared).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether this release can work with the schema.
    ///
    /// # Errors
    ///
    /// As [`Store::schema_age`].
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        self.schema_age().await.map(|_| ())
    }

    /// How the schema stands to this release.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooNew`] when the database is too far ahead, [`StoreError::NotMigrated`]
    /// when it is behind or holds no Larder at all.
    pub async fn schema_age(&self) -> Result<SchemaAge, StoreError> {
        let version = match self.schema_version().await? {
            Some(version) if version == newest() => return Ok(SchemaAge::Current),
            Some(version) if version > newest() => version,
            _ => return Err(StoreError::NotMigrated),
        };
        let least = sqlx::query_scalar!(
            r#"
            -- name: least_version
            select larder.least_version() as "least!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        match least <= newest() {
            true => Ok(SchemaAge::Ahead { version }),
            false => Err(StoreError::TooNew { version }),
        }
    }

    /// Number of the last migration that was applied; `None` in a database without Larder.
    async fn schema_version(&self) -> Result<Option<i64>, StoreError> {
        let exists = sqlx::query_scalar!(
            r#"
            -- name: has_schema
            select to_regclass('larder.migrations') is not null as "exists!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        if !exists {
            return Ok(None);
        }
        // Not checked at build time: sqlx makes this table itself, no migration does.
        let version = sqlx::query_scalar(
            r#"
            -- name: schema_version
            select max(version) from larder.migrations where success
            "#,
        )
        .fetch_one(&self.db)
        .await?;
        Ok(version)
    }
}

/// Leaves no prepared statement in a session that others will have.
async fn forget_statements(tx: &mut PgConnection, is_shared: bool) -> Result<(), sqlx::Error> {
    if is_shared {
        sqlx::raw_sql("deallocate all").execute(tx).await?;
    }
    Ok(())
}

/// Number of this release's last migration.
fn newest() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}
