//! What the queue looks like from outside, for the metrics.

use super::{Store, StoreError};

/// One lane's live jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueState {
    /// Which lane.
    pub lane: String,
    /// Whether it takes calls.
    pub open: bool,
    /// Jobs that wait.
    pub pending: i64,
    /// Jobs that a worker holds.
    pub running: i64,
    /// For how long the longest-waiting due job has been due, in seconds; 0 when none is
    /// due or the lane is closed.
    pub oldest_due_secs: f64,
}

impl Store {
    /// Every lane's live jobs, from one statement.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn queue_state(&self) -> Result<Vec<QueueState>, StoreError> {
        let lanes = sqlx::query_as!(
            QueueState,
            r#"
            -- name: queue_state
            select l.lane, coalesce(l.closed_until <= t.at, true) as "open!",
                   coalesce(j.pending, 0) as "pending!", coalesce(j.running, 0) as "running!",
                   case when coalesce(l.closed_until <= t.at, true)
                        then coalesce(greatest(extract(epoch from t.at - j.oldest), 0), 0)
                        else 0 end::float8 as "oldest_due_secs!"
            from larder.lanes l
            cross join (select clock_timestamp() as at) t
            left join (
                select lane, count(*) filter (where status = 'pending') as pending,
                       count(*) filter (where status = 'running') as running,
                       min(run_at) filter (where status = 'pending') as oldest
                from larder.jobs
                group by lane
            ) j using (lane)
            where l.removed_at is null
            order by l.lane
            "#
        )
        .fetch_all(&self.db)
        .await?;
        Ok(lanes)
    }
}
