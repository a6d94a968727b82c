//! What can be wrong with the database, for `larder doctor`.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// The database as `larder doctor` finds it.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseHealth {
    /// `server_version_num`: 150012 is 15.12.
    pub version: i32,
    /// `server_version`, for people.
    pub version_text: String,
    /// Its clock.
    pub now: DateTime<Utc>,
    /// Whether what was committed survives a crash: `fsync` and `full_page_writes`.
    pub durable: bool,
    /// Whether dead rows are cleaned up: `autovacuum`.
    pub autovacuum: bool,
    /// `statement_timeout` of this login, in milliseconds; 0 for none.
    pub statement_timeout_ms: i64,
    /// `idle_in_transaction_session_timeout` of this login, in milliseconds; 0 for none.
    pub idle_timeout_ms: i64,
    /// Whether it takes no writes: a standby, or set so.
    pub read_only: bool,
    /// `max_connections`.
    pub max_connections: i32,
    /// Connections now, over all databases.
    pub connections: i64,
    /// Age of the oldest open transaction of this database that this login may see, in seconds.
    pub oldest_transaction_secs: f64,
    /// Transactions that were prepared and never ended.
    pub prepared_transactions: i64,
    /// Whether this login owns the schema, and so can migrate.
    pub owns_schema: bool,
    /// Whether this login may do what no login of Larder needs.
    pub superuser: bool,
}

/// Tables that `larder doctor` looks at, where the schema is there.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaHealth {
    /// Days for which both histories of jobs have a partition, today included.
    pub days_ahead: i64,
    /// Rows that stand in a default partition, since theirs was missing.
    pub misplaced_rows: i64,
    /// Whether `public.background_jobs` is Larder's view.
    pub has_view: bool,
    /// Tables of the schema without row level security.
    pub open_tables: i64,
    /// Dead rows in the queue, of each live one.
    pub dead_share: f64,
}

/// What the ledger says of a provider's key.
#[derive(Debug, Clone, PartialEq)]
pub struct LastCall {
    /// What came of the last call that was settled.
    pub outcome: String,
    /// Its HTTP status.
    pub http_status: Option<i16>,
    /// How long ago that was, in seconds.
    pub ago_secs: f64,
}

impl Store {
    /// The database's version, clock, settings and open transactions.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn database_health(&self) -> Result<DatabaseHealth, StoreError> {
        let found = sqlx::query_as!(
            DatabaseHealth,
            r#"
            -- name: database_health
            select current_setting('server_version_num')::integer as "version!",
                   current_setting('server_version') as "version_text!",
                   clock_timestamp() as "now!",
                   current_setting('fsync')::boolean and current_setting('full_page_writes')::boolean
                       as "durable!",
                   current_setting('autovacuum')::boolean as "autovacuum!",
                   (select setting::bigint from pg_settings where name = 'statement_timeout')
                       as "statement_timeout_ms!",
                   (select setting::bigint from pg_settings
                    where name = 'idle_in_transaction_session_timeout') as "idle_timeout_ms!",
                   pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as "read_only!",
                   current_setting('max_connections')::integer as "max_connections!",
                   (select coalesce(sum(numbackends), 0) from pg_stat_database)::bigint as "connections!",
                   coalesce((select extract(epoch from clock_timestamp() - min(xact_start))
                             from pg_stat_activity
                             where datname = current_database() and pid <> pg_backend_pid()
                               and backend_type = 'client backend'), 0)::float8 as "oldest_transaction_secs!",
                   (select count(*) from pg_prepared_xacts where database = current_database())
                       as "prepared_transactions!",
                   coalesce((select pg_has_role(n.nspowner, 'usage') from pg_namespace n
                             where n.nspname = 'larder'), true) as "owns_schema!",
                   (select r.rolsuper from pg_roles r where r.rolname = current_user) as "superuser!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        Ok(found)
    }

    /// Whether a pooler stands between that gives each transaction another session.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn shares_sessions(&self) -> Result<bool, StoreError> {
        Ok(self.db.is_shared().await?)
    }

    /// Partitions, the view, row level security, and dead rows.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn schema_health(&self) -> Result<SchemaHealth, StoreError> {
        let found = sqlx::query_as!(
            SchemaHealth,
            r#"
            -- name: schema_health
            with days as (
                select n, to_char((clock_timestamp() at time zone 'UTC')::date + n, 'YYYYMMDD') as day
                from generate_series(0, 30) as n
            ),
            gaps as (
                select min(n) as n from days
                where to_regclass('larder.finished_jobs_done_' || day) is null
                   or to_regclass('larder.finished_jobs_failed_' || day) is null
            )
            select coalesce((select n from gaps), 31)::bigint as "days_ahead!",
                   ((select count(*) from larder.finished_jobs_done_default)
                    + (select count(*) from larder.finished_jobs_failed_default)) as "misplaced_rows!",
                   larder.has_jobs_view() as "has_view!",
                   (select count(*) from pg_class
                    where relnamespace = 'larder'::regnamespace and relkind in ('r', 'p')
                      and not relrowsecurity and relname <> 'migrations') as "open_tables!",
                   coalesce((select n_dead_tup::float8 / greatest(n_live_tup, 1000)
                             from pg_stat_user_tables
                             where schemaname = 'larder' and relname = 'jobs'), 0)::float8 as "dead_share!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        Ok(found)
    }

    /// What came of a provider's last settled call with this key; `None` if there was none.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn last_call(
        &self,
        provider: &str,
        key_id: Option<&str>,
    ) -> Result<Option<LastCall>, StoreError> {
        let found = sqlx::query_as!(
            LastCall,
            r#"
            -- name: last_call
            select outcome as "outcome!", http_status,
                   extract(epoch from clock_timestamp() - settled_at)::float8 as "ago_secs!"
            from larder.api_calls
            where provider = $1 and key_id is not distinct from $2 and settled_at is not null
            order by id desc
            limit 1
            "#,
            provider,
            key_id,
        )
        .fetch_optional(&self.db)
        .await?;
        Ok(found)
    }
}
