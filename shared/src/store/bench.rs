//! What `larder bench` measures in, and what it compares the queue with.
//!
//! A measurement gets a database of its own on the server that it is about, so that it
//! meets nobody's jobs and leaves nothing behind: [`BenchDatabase`]. Beside the queue it
//! runs the least SQL that does the same work ([`BareQueue`], [`BareWake`],
//! [`BareCommit`]), in the same run and on the same server, because rates of different
//! machines cannot be compared.
//!
//! # Not here
//!
//! Clocks and tables: the command `larder bench` does the measuring. And none of this is
//! used by anything else.

mod bare_commit;
mod bare_queue;
mod bare_wake;
mod ledger;
mod planned;
mod snapshot;
mod waits;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use url::Url;
use uuid::Uuid;

pub use bare_commit::BareCommit;
pub use bare_queue::BareQueue;
pub use bare_wake::{BareInserter, BareWake};
pub use snapshot::HeldSnapshot;

use super::{Store, StoreError, connect_options};

/// A database that is made for one measurement and dropped after it.
pub struct BenchDatabase {
    server: String,
    name: String,
    url: String,
}

impl BenchDatabase {
    /// Makes a database `larder_bench_…`, with the schema in it, on the server of `url`.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadUrl`], and whatever the server reports: most likely that the role
    /// may not create databases, see [`may_not_create`](Self::may_not_create).
    pub async fn create(url: &str) -> Result<Self, StoreError> {
        let mut server = connect(url).await?;
        let now = drop_leftovers(&mut server).await?;
        let id = Uuid::new_v4().simple().to_string();
        let name = format!("larder_bench_{now}_{}", &id[..12]);
        let database = Self {
            server: url.to_owned(),
            url: with_database(url, &name)?,
            name,
        };
        // From template0, which nobody can be connected to: that would be refused.
        let create = format!("create database {} template template0", database.name);
        execute(&mut server, create).await?;
        let migrated = match Store::connect_lazy(&database.url, 1) {
            Ok(store) => store.migrate().await,
            Err(error) => Err(error),
        };
        match migrated {
            Ok(()) => Ok(database),
            Err(error) => {
                // The first error tells more than a second one would.
                let _ = database.drop_it().await;
                Err(error)
            }
        }
    }

    /// Whether an error of [`create`](Self::create) means that the role lacks a right.
    pub fn may_not_create(error: &StoreError) -> bool {
        // insufficient_privilege
        matches!(error, StoreError::Database(sqlx::Error::Database(error))
            if error.code().as_deref() == Some("42501"))
    }

    /// Where the database is. May hold a password: never print it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Drops the database, with whatever is still connected to it.
    ///
    /// # Errors
    ///
    /// Whatever the server reports; the database is left over then, and its name is
    /// [`name`](Self::name).
    pub async fn drop_it(&self) -> Result<(), StoreError> {
        let drop = format!("drop database if exists {} with (force)", self.name);
        execute(&mut connect(&self.server).await?, drop).await
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Removes every job, live and finished, and the dead rows that earlier ones left.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn empty(&self) -> Result<(), StoreError> {
        let mut connection = connect(&self.url).await?;
        execute(
            &mut connection,
            "truncate larder.jobs, larder.finished_jobs".to_owned(),
        )
        .await
    }

    /// Gives the planner the statistics that autovacuum would give it a minute later.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let mut connection = connect(&self.url).await?;
        execute(&mut connection, "vacuum (analyze) larder.jobs".to_owned()).await
    }

    /// Jobs that completed since the last [`empty`](Self::empty), and jobs that are left.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn tally(&self) -> Result<(i64, i64), StoreError> {
        let mut connection = connect(&self.url).await?;
        let row = sqlx::query!(
            r#"
            -- name: bench_tally
            select (select count(*) from larder.finished_jobs where status = 'completed') as "completed!",
                   (select count(*) from larder.jobs) as "left!"
            "#
        )
        .fetch_one(&mut connection)
        .await?;
        Ok((row.completed, row.left))
    }
}

/// The same URL with another database.
fn with_database(url: &str, name: &str) -> Result<String, StoreError> {
    let mut changed = Url::parse(url).map_err(|_| StoreError::BadUrl)?;
    changed.set_path(&format!("/{name}"));
    // The driver reads a parameter of this name too, and lets it win. The others stay as
    // they were written: libpq and the driver do not decode alike.
    let query = changed.query().unwrap_or_default();
    let others: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("dbname="))
        .collect();
    let others = others.join("&");
    changed.set_query((!others.is_empty()).then_some(&others));
    Ok(changed.into())
}

async fn connect(url: &str) -> Result<PgConnection, StoreError> {
    Ok(connect_options(url)?.connect().await?)
}

/// Drops databases of measurements that were killed; answers the time, in Unix seconds.
///
/// Only those that are an hour old and have no session: between two of its parts a measurement
/// may have none.
async fn drop_leftovers(server: &mut PgConnection) -> Result<i64, StoreError> {
    let row = sqlx::query!(
        r#"
        -- name: bench_leftovers
        select extract(epoch from now())::bigint as "now!",
               array(select d.datname::text from pg_database d
                     where d.datname ~ '^larder_bench_[0-9]{1,12}_[0-9a-f]{12}$'
                       and split_part(d.datname, '_', 3)::bigint < extract(epoch from now()) - 3600
                       and pg_has_role(d.datdba, 'usage')
                       and not exists (select from pg_stat_activity a where a.datid = d.oid)
               ) as "leftovers!"
        "#
    )
    .fetch_one(&mut *server)
    .await?;
    for name in row.leftovers {
        // Somebody may be faster, or have come back to it.
        if execute(server, format!("drop database {name}"))
            .await
            .is_ok()
        {
            tracing::info!(database = name, "dropped: a measurement had left it over");
        }
    }
    Ok(row.now)
}

/// Runs a statement that is made of names of this module's own.
async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), StoreError> {
    // Not a transaction: databases are made and vacuumed outside of one.
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut *connection)
        .await?;
    connection.ping().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_the_url_changes() {
        for (given, expected) in [
            ("postgres://u:p%40@h:5/one", "postgres://u:p%40@h:5/two"),
            ("postgres://h", "postgres://h/two"),
            (
                "postgres://u@localhost/one?host=/a%20b&dbname=one&sslmode=disable",
                "postgres://u@localhost/two?host=/a%20b&sslmode=disable",
            ),
        ] {
            assert_eq!(with_database(given, "two").unwrap(), expected);
        }
    }

    #[test]
    fn the_driver_reads_the_changed_url_as_it_read_the_first() {
        let changed = with_database("postgres://u@localhost/one?host=/a%20b", "two").unwrap();
        let options = connect_options(&changed).unwrap();
        assert_eq!(options.get_database(), Some("two"));
        assert_eq!(
            options.get_socket().map(|path| path.as_path()),
            Some(std::path::Path::new("/a b"))
        );
    }
}
