//! Puts right what processes left behind that are no more.

use super::{Store, StoreError};
use crate::model::JobId;

/// What a rescue found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Jobs that wait again.
    pub waiting: Vec<JobId>,
    /// Jobs that had been rescued too often, and failed.
    pub failed: Vec<LostJob>,
    /// Jobs that a person had cancelled meanwhile, and ended as that.
    pub cancelled: Vec<LostJob>,
    /// Calls that nobody settled: spent as reserved.
    pub lapsed: Vec<LapsedCall>,
}

/// A job that ended because its worker was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostJob {
    /// Which job.
    pub id: JobId,
    /// Which queue it was in.
    pub lane: String,
}

/// A call of which nobody will tell what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LapsedCall {
    /// Whose.
    pub provider: String,
    /// Which of the provider's paths.
    pub endpoint: String,
    /// What it was settled with: all that was reserved.
    pub credits: i32,
}

/// Rows that one rescue takes at most, so that its transaction stays short.
const AT_MOST: i64 = 1000;

impl Store {
    /// Gives back the jobs whose lease ran out, and settles their calls as spent.
    ///
    /// A job that was rescued `max_rescues` times already fails: it may be what kills its
    /// workers. From the second time on they come back one after the other, over ten seconds
    /// and then over more, so that those that were claimed together with one that kills its
    /// worker get apart from it. A call that lapses may still be on its way, for as long as its worker may
    /// be frozen and its request may travel; until then it occupies its limits.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; nothing was changed then.
    pub async fn rescue(&self, max_rescues: u32) -> Result<Rescued, StoreError> {
        let mut tx = self.db.begin().await?;
        let lapsed = sqlx::query_as!(
            LapsedCall,
            r#"
            -- name: lapse
            with gone as materialized (
                select c.id, c.leased_until + l.max_freeze + l.max_transit as end_at
                from larder.lanes l
                -- Lane by lane in the order of the index of open calls, whatever the statistics say:
                -- it is the only short one.
                cross join lateral (
                    select id, leased_until from larder.api_calls
                    where provider = l.lane and settled_at is null
                      and leased_until < (select clock_timestamp())
                    order by provider, id
                    limit $1
                    for update skip locked
                ) c
                limit $1
            )
            update larder.api_calls c
            set settled_at = clock_timestamp(), end_at = gone.end_at, credits = c.reserved_credits,
                outcome = 'lapsed', needs_fold = true
            from gone
            where c.id = gone.id
            returning c.provider, c.endpoint, c.reserved_credits as credits
            "#,
            AT_MOST,
        )
        .fetch_all(&mut tx)
        .await?;
        let expired = sqlx::query!(
            r#"
            -- name: rescue_find
            select id, lane, resource_key, rescues, cancel_requested from larder.jobs
            where status = 'running' and leased_until < (select clock_timestamp())
            order by id
            limit $1
            for update skip locked
            "#,
            AT_MOST,
        )
        .fetch_all(&mut tx)
        .await?;
        let limit = i32::try_from(max_rescues).unwrap_or(i32::MAX);
        let pick = |chosen: fn(bool, bool) -> bool| -> Vec<uuid::Uuid> {
            expired
                .iter()
                .filter(|row| chosen(row.cancel_requested, row.rescues >= limit))
                .map(|row| row.id)
                .collect()
        };
        let cancelled = pick(|cancel, _| cancel);
        let failed = pick(|cancel, worn_out| !cancel && worn_out);
        let waiting = pick(|cancel, worn_out| !cancel && !worn_out);
        let failed_keys: Vec<String> = expired
            .iter()
            .filter(|row| failed.contains(&row.id))
            .filter_map(|row| row.resource_key.clone())
            .collect();
        sqlx::query!(
            r#"
            -- name: rescue
            update larder.jobs
            set status = 'pending', attempt = attempt - 1, rescues = rescues + 1,
                lease_token = null, leased_by = null, leased_until = null, call_id = null,
                run_at = clock_timestamp()
                    + random() * least(rescues, 3) * interval '10 seconds'
            where id = any($1)
            "#,
            &waiting,
        )
        .execute(&mut tx)
        .await?;
        let why = format!(
            "worker_lost: the worker that held this job was lost {} times",
            u64::from(max_rescues) + 1
        );
        super::finish::cancel_in(&mut tx, &cancelled).await?;
        super::finish::fail_in(&mut tx, &failed, &vec![why; failed.len()]).await?;
        super::record::failed_resources(&mut tx, &failed_keys).await?;
        tx.commit().await?;
        let lost = |ids: &[uuid::Uuid]| -> Vec<LostJob> {
            let rows = expired.iter().filter(|row| ids.contains(&row.id));
            rows.map(|row| LostJob {
                id: JobId(row.id),
                lane: row.lane.clone(),
            })
            .collect()
        };
        Ok(Rescued {
            failed: lost(&failed),
            cancelled: lost(&cancelled),
            waiting: waiting.into_iter().map(JobId).collect(),
            lapsed,
        })
    }

    /// Makes the partitions of the coming days; answers how many were missing.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn make_partitions(&self) -> Result<i32, StoreError> {
        let made = sqlx::query_scalar!(
            r#"
            -- name: make_partitions
            select larder.make_partitions() as "made!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        Ok(made)
    }

    /// Brings the statistics of tables up to date that have grown ten times since they were taken,
    /// so that no session keeps a plan from when they were empty; answers how many.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn analyze_grown(&self) -> Result<i32, StoreError> {
        let analyzed = sqlx::query_scalar!(
            r#"
            -- name: analyze_grown
            select larder.analyze_grown() as "analyzed!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        Ok(analyzed)
    }

    /// Says that a worker is alive.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn worker_seen(&self, worker: &str, version: &str) -> Result<(), StoreError> {
        sqlx::query!(
            r#"
            -- name: worker_seen
            insert into larder.workers (worker, version) values ($1, $2)
            on conflict (worker) do update set seen_at = clock_timestamp(), version = excluded.version
            "#,
            worker,
            version,
        )
        .execute(&self.db)
        .await?;
        Ok(())
    }

    /// Forgets a worker that stopped, and those that were not seen for a day.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn worker_gone(&self, worker: &str) -> Result<(), StoreError> {
        sqlx::query!(
            r#"
            -- name: worker_gone
            delete from larder.workers
            where worker = $1 or seen_at < clock_timestamp() - interval '1 day'
            "#,
            worker,
        )
        .execute(&self.db)
        .await?;
        Ok(())
    }

    /// How many seconds ago any worker was last seen; `None` if none ever was.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn last_worker_secs(&self) -> Result<Option<f64>, StoreError> {
        let ago = sqlx::query_scalar!(
            r#"
            -- name: last_worker
            select extract(epoch from clock_timestamp() - max(seen_at))::float8 from larder.workers
            "#
        )
        .fetch_one(&self.db)
        .await?;
        Ok(ago)
    }
}
