//! What the metrics show of lanes, workers and tracked resources.

use super::{Store, StoreError};

/// A worker that was seen within this time is alive.
const SEEN_SECS: f64 = 60.0;

/// One lane as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneNow {
    /// Which lane.
    pub lane: String,
    /// Whether it takes calls.
    pub open: bool,
    /// Why it does not.
    pub reason: Option<String>,
    /// Jobs that a worker holds.
    pub running: i64,
    /// For how long the longest-waiting due job has been due, in seconds; 0 when none is
    /// due or the lane is closed.
    pub oldest_due_secs: f64,
}

/// The waiting jobs of a lane that has any.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitingCounts {
    /// Which lane.
    pub lane: String,
    /// Their time has come.
    pub due: i64,
    /// Waiting for their time.
    pub scheduled: i64,
    /// Waiting for their next attempt.
    pub retry: i64,
}

/// Who is at work.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulse {
    /// Workers that were seen within the last minute.
    pub workers: i64,
    /// When due resources were last made into jobs, by whomever, as a Unix time of the
    /// database, to ten seconds.
    pub ticked_at: Option<f64>,
}

/// A provider's tracked resources, by state.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceCounts {
    /// Whose.
    pub provider: String,
    /// Answered as they are, and good.
    pub fresh: i64,
    /// Answered as they are, with their age: the next refresh is late.
    pub overdue: i64,
    /// Too old to be answered: readers wait.
    pub past_bound: i64,
    /// Never fetched.
    pub missing: i64,
    /// How late the latest refresh is, in seconds.
    pub most_overdue_secs: f64,
}

impl Store {
    /// Every lane as it is now. Reads no more than its running jobs and the first that waits,
    /// however many there are.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn lanes_now(&self) -> Result<Vec<LaneNow>, StoreError> {
        let lanes = sqlx::query_as!(
            LaneNow,
            r#"
            -- name: lanes_now
            select l.lane, o.open as "open!", case when not o.open then l.closed_reason end as reason,
                   coalesce(r.jobs, 0) as "running!",
                   case when o.open then coalesce(greatest(extract(epoch from t.at - first.run_at), 0), 0)
                        else 0 end::float8 as "oldest_due_secs!"
            from larder.lanes l
            cross join (select clock_timestamp() as at) t
            cross join lateral (select coalesce(l.closed_until <= t.at, true) as open) o
            left join (
                select lane, count(*) as jobs from larder.jobs where status = 'running' group by lane
            ) r using (lane)
            left join lateral (
                select j.run_at from larder.jobs j
                where j.lane = l.lane and j.status = 'pending'
                order by j.run_at
                limit 1
            ) first on true
            where l.removed_at is null
            order by l.lane
            "#
        )
        .fetch_all(&self.db)
        .await?;
        Ok(lanes)
    }

    /// Waiting jobs by lane and by what they would wait for if it is open. Reads them all:
    /// with a million of them ask seldom.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn waiting_counts(&self) -> Result<Vec<WaitingCounts>, StoreError> {
        let lanes = sqlx::query_as!(
            WaitingCounts,
            r#"
            -- name: waiting_counts
            select lane, count(*) filter (where run_at <= n.at) as "due!",
                   count(*) filter (where run_at > n.at and attempt = 0) as "scheduled!",
                   count(*) filter (where run_at > n.at and attempt > 0) as "retry!"
            from larder.jobs
            cross join (select clock_timestamp() as at) n
            where status = 'pending'
            group by lane
            "#
        )
        .fetch_all(&self.db)
        .await?;
        Ok(lanes)
    }

    /// Whether anybody takes jobs out, and puts them in.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn pulse(&self) -> Result<Pulse, StoreError> {
        let pulse = sqlx::query_as!(
            Pulse,
            r#"
            -- name: pulse
            select (select count(*) from larder.workers
                    where seen_at > clock_timestamp() - make_interval(secs => $1)) as "workers!",
                   (select extract(epoch from at)::float8 from larder.last_tick) as ticked_at
            "#,
            SEEN_SECS,
        )
        .fetch_one(&self.db)
        .await?;
        Ok(pulse)
    }

    /// Tracked resources by provider and state. Reads them all: ask seldom.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn resource_counts(&self) -> Result<Vec<ResourceCounts>, StoreError> {
        let providers = sqlx::query_as!(
            ResourceCounts,
            r#"
            -- name: resource_counts
            select l.lane as provider,
                   coalesce(c.fresh, 0) as "fresh!", coalesce(c.overdue, 0) as "overdue!",
                   coalesce(c.past_bound, 0) as "past_bound!", coalesce(c.missing, 0) as "missing!",
                   coalesce(c.late, 0)::float8 as "most_overdue_secs!"
            from larder.lanes l
            left join (
                select r.provider,
                       count(*) filter (where s.state = 'fresh') as fresh,
                       count(*) filter (where s.state = 'overdue') as overdue,
                       count(*) filter (where s.state = 'past_bound') as past_bound,
                       count(*) filter (where s.state = 'missing') as missing,
                       greatest(extract(epoch from max(t.at - r.next_refresh_at)), 0) as late
                from larder.resources r
                cross join (select clock_timestamp() as at) t
                left join larder.entries e using (resource_key)
                cross join lateral (
                    select case when e.resource_key is null then 'missing'
                                when r.max_age is not null and e.fetched_at + r.max_age < t.at
                                    then 'past_bound'
                                when e.fresh_until > t.at then 'fresh'
                                else 'overdue' end as state
                ) s
                where r.tracked
                group by r.provider
            ) c on c.provider = l.lane
            where l.is_provider and l.removed_at is null
            order by l.lane
            "#
        )
        .fetch_all(&self.db)
        .await?;
        Ok(providers)
    }
}
