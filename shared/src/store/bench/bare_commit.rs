//! The least that can be made to last: one row, inserted and committed durably.
//!
//! What any transaction costs whose commit must not be lost, on this disk and over this
//! connection; what an admission takes is held against it.

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{StoreError, connect};

/// Makes the table.
const TABLE: &str = "
    drop schema if exists bench cascade;
    create schema bench;
    create table bench.rows (id bigint generated always as identity primary key, at timestamptz not null);
    set synchronous_commit = on;
";

/// One connection that commits rows.
#[derive(Debug)]
pub struct BareCommit {
    connection: PgConnection,
}

impl BareCommit {
    /// Connects, and makes the table.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let mut connection = connect(url).await?;
        sqlx::raw_sql(TABLE).execute(&mut connection).await?;
        Ok(Self { connection })
    }

    /// Commits a row. The statement is a transaction of its own, in one round trip.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn commit(&mut self) -> Result<(), StoreError> {
        sqlx::query(
            "
            -- name: bare_commit
            insert into bench.rows (at) values (clock_timestamp())
            ",
        )
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Hangs up.
    pub async fn close(self) {
        // Whatever it says, the database is about to be dropped.
        let _ = self.connection.close().await;
    }
}
