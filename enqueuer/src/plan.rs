//! Plans the paces of what has neither `every` nor `schedule`, every `enqueuer.plan_every`.
//!
//! Any number of enqueuers may plan: one takes the provider's lease, the others look again
//! later. Jobs and ticks never wait for a plan and never import this module: they go by the
//! paces that stand in the rows, however old those are.

use std::time::Duration;

use shared::planner::{self, PlanError};
use shared::provider::Provider;

use crate::app::App;

/// How often it is looked whether something is read far more than was planned for.
const LOOK_EVERY: Duration = Duration::from_secs(15);

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
    let made = planner::plan_if_older(&app.store, app.config(), provider, every).await?;
    let Some(made) = made else {
        return Ok(());
    };
    let (summary, resources) = (&made.summary, made.resources);
    let (rewritten, status) = (made.rewritten, summary.status.as_str());
    tracing::debug!(provider = name, resources, rewritten, status, "planned");
    if summary.bounds_scale < 1.0 {
        tracing::warn!(
            provider = name,
            loosened = format!("{:.1} times", 1.0 / summary.bounds_scale),
            "the budget does not suffice for every max_age; /api/resources tells what is kept"
        );
    }
    Ok(())
}
