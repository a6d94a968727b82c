//! Somebody who holds a snapshot for a long time, as a report or a backup does.

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};

use super::{StoreError, connect};

/// An open transaction: nothing that was deleted since its begin is cleaned up.
#[derive(Debug)]
pub struct HeldSnapshot(PgConnection);

impl HeldSnapshot {
    /// Begins it.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn take(url: &str) -> Result<Self, StoreError> {
        let mut connection = connect(url).await?;
        connection
            .execute("begin isolation level repeatable read; select count(*) from larder.lanes")
            .await?;
        Ok(Self(connection))
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn release(self) -> Result<(), StoreError> {
        Ok(self.0.close().await?)
    }
}
