//! `/metrics`: what this process measured, and what the database knows.
//!
//! The database's figures are read when somebody asks, one query for each group, and
//! only here: workers do not report them, so that ten of them do not report them ten
//! times. When the database is away the page still shows the rest.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use shared::metrics::{self, BudgetFigures};
use shared::model::JobStatus;
use shared::store::StoreError;

use crate::app::App;

/// The metrics of this process and of the database, for Prometheus.
pub(crate) async fn show(State(app): State<App>) -> impl IntoResponse {
    metrics::listener(app.wake.is_listening());
    if let Err(error) = read_database(&app).await {
        tracing::debug!(cause = error.chain(), "metrics without the database");
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, app.recorder.render())
}

async fn read_database(app: &App) -> Result<(), StoreError> {
    for lane in app.store.queue_state().await? {
        metrics::lane_open(&lane.lane, lane.open);
        metrics::jobs(&lane.lane, JobStatus::Pending.as_str(), lane.pending);
        metrics::jobs(&lane.lane, JobStatus::Running.as_str(), lane.running);
        metrics::oldest_due(&lane.lane, lane.oldest_due_secs);
    }
    for lane in app.store.budget().await? {
        for limit in lane.limits {
            let (provider, name) = (&lane.provider, &limit.name);
            metrics::budget(BudgetFigures {
                provider,
                limit: name,
                unit: &limit.unit,
                cap: limit.cap,
                spent: limit.spent,
                reserved: limit.reserved,
                foreign: limit.foreign,
                alert_level: limit.alert_level,
                exhausted_at: limit.exhausted_at.map(|at| at.timestamp()),
            });
            if let Some(at) = limit.resets_at {
                metrics::budget_reset(provider, name, at.timestamp());
            }
        }
    }
    Ok(())
}
