//! Plans the paces of what has neither `every` nor `schedule`, every `enqueuer.plan_every`.
//!
//! Any number of enqueuers may plan: one takes the provider's lease, the others look again
//! later. Jobs and ticks never wait for a plan and never import this module: they go by the
//! paces that stand in the rows, however old those are.
//!
//! A plan reads every tracked resource of the provider and what is left in each window,
//! and rewrites the rows whose pace moved by more than a fifth: in the steady state a few.

use std::time::Duration;

use shared::catalog::{Known, Planning, planning};
use shared::config::Config;
use shared::plan::{Means, SolveError, pace};
use shared::provider::Provider;
use shared::store::{PlanLease, PlanRow, PlanSummary, PlannedRow, StoreError};

use crate::app::App;

/// How often it is looked whether something is read far more than was planned for.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Solve(#[from] SolveError),
}

/// Plans until the server stops; not at all when `plan_every` is zero.
pub(crate) async fn every_so_often(app: &App) {
    let every = app.config().enqueuer.plan_every;
    if every.is_zero() {
        return;
    }
    loop {
        for provider in app.catalog.providers() {
            if let Err(error) = plan_if_due(app, provider, every).await {
                let provider = provider.name();
                tracing::warn!(%provider, %error, "no plan was made; the paces stay as they are");
            }
        }
        let wait = LOOK_EVERY.min(every);
        let slept = app.stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        if slept.is_none() {
            return;
        }
    }
}

async fn plan_if_due(app: &App, provider: &Provider, every: Duration) -> Result<(), PlanError> {
    let name = provider.name().as_str();
    let every = match app.store.plan_is_outgrown(name).await? {
        true => every.min(LOOK_EVERY),
        false => every,
    };
    let Some(lease) = app.store.lease_plan(name, every).await? else {
        return Ok(());
    };
    let rows = app.store.plan_rows(name, lease.memory).await?;
    let means = Means::of(&app.store.plan_windows(name).await?);
    let planning = plan(app.config(), provider, &rows, means, &lease)?;
    let (moved, summary) = outcome(&rows, &planning);
    let ours = app.store.write_plan(name, &lease, &moved, &summary).await?;
    tracing::debug!(
        provider = name,
        resources = planning.places.len(),
        rewritten = if ours { moved.len() } else { 0 },
        status = summary.status.as_str(),
        "planned"
    );
    if ours && summary.bounds_scale < 1.0 {
        tracing::warn!(
            provider = name,
            loosened = format!("{:.1} times", 1.0 / summary.bounds_scale),
            "the budget does not suffice for every max_age; /api/resources tells what is kept"
        );
    }
    Ok(())
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
fn outcome(rows: &[PlanRow], planning: &Planning) -> (Vec<PlannedRow>, PlanSummary) {
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
    let calls = (planning.calls.iter())
        .map(|(key, call, least)| (key.clone(), pace::enough(call.items), *least))
        .collect();
    let summary = PlanSummary {
        price: plan.price,
        status: plan.status,
        credits_a_day: plan.spend * 86_400.0,
        bounds_scale: plan.scale,
        memory: planning.demand.memory,
        calls,
    };
    (moved, summary)
}
