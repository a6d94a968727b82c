//! The least program that is woken by an insert: what the queue's wake time is held
//! against.
//!
//! A trigger notifies in the inserting transaction, and the connection that listens
//! claims. It pays for the notification inside the insert, which is what the queue avoids;
//! so only the time after the insert's return is compared.

use sqlx::postgres::{PgConnection, PgListener};
use sqlx::{Connection, Row};

use super::{StoreError, bare_queue, connect};

const CHANNEL: &str = "larder_bench";

/// Makes every insert notify.
const TRIGGER: &str = "
    create function bench.announce() returns trigger language plpgsql as $$
    begin
        perform pg_notify('larder_bench', '');
        return null;
    end
    $$;
    create trigger announce after insert on bench.jobs
        for each statement execute function bench.announce();
";

/// One connection that listens and claims.
#[derive(Debug)]
pub struct BareWake {
    listener: PgListener,
}

impl BareWake {
    /// Makes the table and its trigger, and listens.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let mut connection = connect(url).await?;
        sqlx::raw_sql(bare_queue::TABLE)
            .execute(&mut connection)
            .await?;
        sqlx::raw_sql(TRIGGER).execute(&mut connection).await?;
        connection.close().await?;
        let mut listener = PgListener::connect(url).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self { listener })
    }

    /// Waits for a notification, and claims what is there.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn next(&mut self) -> Result<Vec<i64>, StoreError> {
        self.listener.recv().await?;
        bare_queue::claim(&mut self.listener).await
    }
}

/// One connection that inserts.
#[derive(Debug)]
pub struct BareInserter {
    connection: PgConnection,
}

impl BareInserter {
    /// Connects; the table must be there.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Ok(Self {
            connection: connect(url).await?,
        })
    }

    /// Inserts one job; answers its number.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn insert(&mut self) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "
            -- name: bare_insert
            insert into bench.jobs (payload) values ('{}') returning id
            ",
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(row.get(0))
    }
}
