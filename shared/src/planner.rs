//! Makes one plan for a provider: reads its rows and windows, plans, writes what moved.
//!
//! Whoever holds the provider's lease does it; see [`crate::store::PlanLease`]. A plan reads
//! every tracked resource of the provider, and rewrites the rows whose pace moved by more
//! than a fifth: in the steady state a few.
//!
//! # Not here
//!
//! When plans are made: the enqueuer's timer.

use std::time::Duration;

use crate::catalog::{Known, Planning, planning};
use crate::config::Config;
use crate::plan::{Means, SolveError, pace};
use crate::provider::Provider;
use crate::store::{
    PlanLease, PlanRow, PlanSummary, PlannedCall, PlannedRow, Store, StoreError, Triggers,
};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A number in the rows means nothing.
    #[error(transparent)]
    Solve(#[from] SolveError),
}

/// What a plan came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// Resources that were planned.
    pub resources: usize,
    /// Rows that were rewritten.
    pub rewritten: usize,
    /// The plan as a whole.
    pub summary: PlanSummary,
}

/// Plans if the last plan is older than `every` and nobody else is at it.
///
/// # Errors
///
/// [`PlanError`]; the paces stay as they are.
pub async fn plan_if_older(
    store: &Store,
    config: &Config,
    provider: &Provider,
    every: Duration,
) -> Result<Option<Made>, PlanError> {
    let name = provider.name().as_str();
    let Some(lease) = store.lease_plan(name, every).await? else {
        return Ok(None);
    };
    let rows = store.plan_rows(name, lease.memory).await?;
    let means = Means::of(&store.plan_windows(name).await?);
    let planning = plan(config, provider, &rows, means, &lease)?;
    let (moved, summary) = outcome(&rows, &planning, may_wait(config, provider));
    let is_ours = store.write_plan(name, &lease, &moved, &summary).await?;
    Ok(is_ours.then_some(Made {
        resources: planning.places.len(),
        rewritten: moved.len(),
        summary,
    }))
}

/// Whether reads of a provider's planned resources may wait for a call.
fn may_wait(config: &Config, provider: &Provider) -> bool {
    let section = config.providers.get(provider.name());
    section.is_some_and(|section| !section.cache.trigger_wait.is_zero())
}

fn plan(
    config: &Config,
    provider: &Provider,
    rows: &[PlanRow],
    means: Means,
    lease: &PlanLease,
) -> Result<Planning, SolveError> {
    let known: Vec<Known<'_>> = (rows.iter())
        .map(|row| Known {
            batch_key: &row.batch_key,
            fixed_secs: (!row.planned).then_some(row.every_secs),
            every_secs: row.planned.then_some(row.every_secs),
            max_age_secs: row.max_age_secs,
            unread_secs: row.unread_secs,
            observed: row.observed,
        })
        .collect();
    let section = config.providers.get(provider.name());
    let objective = section.map(|section| section.budget.objective);
    planning(
        config,
        provider,
        objective.unwrap_or_default(),
        &known,
        means,
        lease.memory,
        lease.price,
    )
}

/// What is written: the rows that moved, and the plan as a whole.
fn outcome(
    rows: &[PlanRow],
    planning: &Planning,
    may_wait: bool,
) -> (Vec<PlannedRow>, PlanSummary) {
    let plan = &planning.plan;
    let moved = (planning.places.iter().enumerate())
        .filter(|(nth, _)| plan.resources[*nth].moved)
        .map(|(nth, place)| {
            let planned = plan.resources[nth];
            let loosened = planned.bound.filter(|bound| bound.kept > bound.asked);
            PlannedRow {
                key: rows[*place].key.clone(),
                every_secs: planned.interval,
                kept_age_secs: loosened.map(|bound| bound.kept),
                reads: planning.demand.rates[nth].reads,
                changes: planning.demand.rates[nth].changes,
                cost: planning.costs[nth],
            }
        })
        .collect();
    let mean_price = plan.spend / plan.calls;
    let calls = (planning.calls.iter())
        .map(|(key, call, least)| PlannedCall {
            batch_key: key.clone(),
            items: call.items,
            enough: pace::enough(call.items),
            price: match mean_price > 0.0 {
                true => call.credits / mean_price,
                false => 1.0,
            },
            least_secs: *least,
        })
        .collect();
    let triggers = (may_wait && plan.calls > 0.0).then_some(Triggers {
        calls_a_sec: plan.calls,
        threshold_secs: planning.usual_secs,
    });
    let summary = PlanSummary {
        price: plan.price,
        status: plan.status,
        credits_a_day: plan.spend * 86_400.0,
        bounds_scale: plan.scale,
        memory: planning.demand.memory,
        calls,
        triggers,
    };
    (moved, summary)
}
