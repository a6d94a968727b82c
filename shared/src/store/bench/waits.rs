//! How long jobs waited for their start, and other jobs that wait beside them or not.

use sqlx::Connection;

use super::{BenchDatabase, StoreError, connect, execute};

impl BenchDatabase {
    /// Takes the waiting jobs of a lane out of the queue and keeps them aside; answers how
    /// many there were.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn put_aside(&self, lane: &str) -> Result<u64, StoreError> {
        let mut connection = connect(&self.url).await?;
        let mut tx = connection.begin().await?;
        sqlx::raw_sql(
            "
            create schema if not exists bench;
            create table if not exists bench.aside (like larder.jobs);
            ",
        )
        .execute(&mut *tx)
        .await?;
        let moved = sqlx::query(
            "
            -- name: bench_put_aside
            with gone as (delete from larder.jobs where lane = $1 and status = 'pending' returning *)
            insert into bench.aside select * from gone
            ",
        )
        .bind(lane)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.settle_all().await?;
        Ok(moved.rows_affected())
    }

    /// Puts back what was put aside; answers how many jobs.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn put_back(&self) -> Result<u64, StoreError> {
        let mut connection = connect(&self.url).await?;
        let moved = sqlx::query(
            "
            -- name: bench_put_back
            with gone as (delete from bench.aside returning *)
            insert into larder.jobs select * from gone
            ",
        )
        .execute(&mut connection)
        .await?;
        self.settle_all().await?;
        Ok(moved.rows_affected())
    }

    /// How long each completed job of a lane had waited for its start, in milliseconds by
    /// the database's clock, in no order; forgets them all.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn take_waits(&self, lane: &str) -> Result<Vec<f64>, StoreError> {
        let mut connection = connect(&self.url).await?;
        let waits = sqlx::query_scalar!(
            r#"
            -- name: bench_waits
            select extract(epoch from started_at - created_at)::float8 * 1000 as "wait_ms!"
            from larder.finished_jobs
            where lane = $1 and status = 'completed'
            "#,
            lane,
        )
        .fetch_all(&mut connection)
        .await?;
        execute(&mut connection, "truncate larder.finished_jobs".to_owned()).await?;
        Ok(waits)
    }
}
