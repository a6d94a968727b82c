//! Brings the schema up to date.

use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnection;

use super::{Store, StoreError};

/// The migrations of this release, compiled in.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// Lock that lets one process migrate at a time. Arbitrary, and fixed for ever.
const MIGRATION_LOCK: i64 = 0x6c61_7264_6572;

impl Store {
    /// Applies what is missing. Safe when many processes start at once.
    ///
    /// All in one transaction, under a lock that goes with it: a session's lock would
    /// not hold through a pooler that gives each transaction another session.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooNew`] when the database is ahead of this release, and
    /// [`StoreError::Migrate`] when a migration fails; nothing is changed then.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        if self.schema_version().await? == Some(newest()) {
            return Ok(());
        }
        let mut migrator = Migrator::with_migrations(MIGRATOR.iter().cloned().collect());
        migrator.set_locking(false);
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
            .map_err(explain)?;
        forget_statements(&mut tx, is_shared).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether the schema is the one that this release works with.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooNew`] when the database is ahead, [`StoreError::NotMigrated`] when it
    /// is behind or holds no Larder at all.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        match self.schema_version().await? {
            Some(version) if version == newest() => Ok(()),
            Some(version) if version > newest() => Err(StoreError::TooNew { version }),
            _ => Err(StoreError::NotMigrated),
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

fn explain(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::TooNew { version },
        other => StoreError::Migrate(other),
    }
}
