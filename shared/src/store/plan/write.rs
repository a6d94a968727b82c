//! Writes a plan: the rows that moved, and the plan as a whole, in one transaction.

use std::time::Duration;

use super::PlanLease;
use crate::plan::Status;
use crate::store::db::Tx;
use crate::store::{Store, StoreError, seconds};

/// What a plan rewrites of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRow {
    /// Its canonical key.
    pub key: String,
    /// Its new pace, in seconds.
    pub every_secs: f64,
    /// The age in seconds that is kept instead of its bound, if that is another one.
    pub kept_age_secs: Option<f64>,
    /// Reads a second that it was planned for.
    pub reads: f64,
    /// Changes a second that it was planned for.
    pub changes: f64,
    /// Credits for one refresh.
    pub cost: f64,
}

/// What is written of a plan as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanSummary {
    /// What the last credit bought.
    pub price: Option<f64>,
    /// How the budget compared with what could be spent.
    pub status: Status,
    /// Credits a day that it takes.
    pub credits_a_day: f64,
    /// What bounds were multiplied by.
    pub bounds_scale: f64,
    /// Over which time long counts of reads fade from now on.
    pub memory: Duration,
    /// The calls that planned resources share.
    pub calls: Vec<PlannedCall>,
    /// Where reads may cause calls.
    pub triggers: Option<Triggers>,
}

/// What is written of a call that planned resources share.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCall {
    /// What they share.
    pub batch_key: String,
    /// How many a full call holds.
    pub items: usize,
    /// How many due resources make a call.
    pub enough: usize,
    /// Its price, in calls of mean price.
    pub price: f64,
    /// The least interval, in seconds.
    pub least_secs: f64,
}

/// How many calls there are for reads and for the plan's own pace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Triggers {
    /// Calls a second that are planned.
    pub calls_a_sec: f64,
    /// Age in seconds past which a read causes a call, to start from.
    pub threshold_secs: f64,
}

impl Store {
    /// Writes a plan: what it rewrites, and what it is as a whole. Answers whether it was
    /// ours to write: not if the lease had run out and somebody else has taken it.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; nothing is written then.
    pub async fn write_plan(
        &self,
        provider: &str,
        lease: &PlanLease,
        rows: &[PlannedRow],
        summary: &PlanSummary,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let triggers = summary.triggers;
        let ours = sqlx::query!(
            r#"
            -- name: write_plan
            update larder.plans p
            set leased_by = null, leased_until = null, planned_at = clock_timestamp(),
                price = coalesce($3, price), status = $4, credits_a_day = $5, bounds_scale = $6,
                memory = make_interval(secs => $7), calls_a_sec = $8,
                (tokens, threshold, bucket_at) =
                    (select b.tokens, case when p.calls_a_sec is null then coalesce($9, b.threshold)
                                           else b.threshold end, clock_timestamp()
                     from larder.plan_bucket(p) b)
            where provider = $1 and leased_by = $2
            "#,
            provider,
            lease.token,
            summary.price,
            summary.status.as_str(),
            summary.credits_a_day,
            summary.bounds_scale,
            seconds(summary.memory),
            triggers.map(|triggers| triggers.calls_a_sec),
            triggers.map(|triggers| triggers.threshold_secs),
        )
        .execute(&mut tx)
        .await?;
        if ours.rows_affected() == 0 {
            return Ok(false);
        }
        write_calls(&mut tx, provider, summary).await?;
        write_rows(&mut tx, rows).await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn write_calls(tx: &mut Tx, provider: &str, summary: &PlanSummary) -> Result<(), StoreError> {
    let calls = &summary.calls;
    let whole = |number: usize| i32::try_from(number).unwrap_or(i32::MAX).max(1);
    let keys: Vec<String> = calls.iter().map(|call| call.batch_key.clone()).collect();
    let items: Vec<i32> = calls.iter().map(|call| whole(call.items)).collect();
    let enough: Vec<i32> = calls.iter().map(|call| whole(call.enough)).collect();
    let prices: Vec<f64> = calls.iter().map(|call| call.price).collect();
    let least: Vec<f64> = calls.iter().map(|call| call.least_secs).collect();
    sqlx::query!(
        r#"
        -- name: write_plan_calls
        insert into larder.plan_calls as c (provider, batch_key, items, enough, price, min_interval)
        select $1, n.key, n.items, n.enough, n.price, make_interval(secs => n.least)
        from unnest($2::text[], $3::integer[], $4::integer[], $5::float8[], $6::float8[])
            as n(key, items, enough, price, least)
        order by n.key
        on conflict (provider, batch_key) do update
        set items = excluded.items, enough = excluded.enough, price = excluded.price,
            min_interval = excluded.min_interval
        where (c.items, c.enough, c.min_interval) is distinct from
              (excluded.items, excluded.enough, excluded.min_interval)
           or abs(c.price - excluded.price) > 0.01 * c.price
        "#,
        provider,
        &keys,
        &items,
        &enough,
        &prices,
        &least,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Rewrites paces. A row that another transaction holds is left for the next plan.
async fn write_rows(tx: &mut Tx, rows: &[PlannedRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let column = |pick: fn(&PlannedRow) -> f64| -> Vec<f64> { rows.iter().map(pick).collect() };
    let keys: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
    let kept: Vec<Option<f64>> = rows.iter().map(|row| row.kept_age_secs).collect();
    sqlx::query!(
        r#"
        -- name: write_planned
        with free as materialized (
            select resource_key from larder.resources
            where resource_key = any($1) and tracked and planned
            order by resource_key
            for update skip locked
        )
        update larder.resources r
        set every = make_interval(secs => n.every),
            next_refresh_at = case when r.failures > 0 then r.next_refresh_at else
                coalesce(r.fetched_at + make_interval(secs => n.every * case
                    when r.max_age is null then 0.9 + 0.2 * random() else 1 - 0.1 * random() end),
                    r.next_refresh_at) end,
            kept_age = make_interval(secs => n.kept),
            planned_reads = n.reads,
            planned_changes = n.changes,
            planned_cost = n.cost
        from unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::float8[], $6::float8[])
            as n(key, every, kept, reads, changes, cost)
        join free f on f.resource_key = n.key
        where r.resource_key = n.key
        "#,
        &keys,
        &column(|row| row.every_secs),
        &kept as &[Option<f64>],
        &column(|row| row.reads),
        &column(|row| row.changes),
        &column(|row| row.cost),
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
