//! `/metrics`: what this process measured, and what the database knows.
//!
//! The database's figures are read when somebody asks, one query for each group, and
//! only here: workers do not report them, so that ten of them do not report them ten
//! times. When the database is away the page still shows the rest.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use shared::metrics::{self, BudgetFigures, LaneFigures};
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
    for lane in app.store.lane_counts().await? {
        metrics::lane(LaneFigures {
            lane: &lane.lane,
            open: lane.open,
            reason: lane.reason.as_deref(),
            due: lane.due,
            scheduled: lane.scheduled,
            retry: lane.retry,
            lane_closed: lane.lane_closed,
            running: lane.running,
            oldest_due_secs: lane.oldest_due_secs,
        });
    }
    for lane in app.store.budget().await? {
        for limit in lane.limits {
            let unix = |at: DateTime<Utc>| at.timestamp();
            metrics::budget(BudgetFigures {
                provider: &lane.provider,
                limit: &limit.name,
                unit: &limit.unit,
                cap: limit.cap,
                spent: limit.spent,
                reserved: limit.reserved,
                foreign: limit.foreign,
                kept: limit.kept,
                remote_drift: limit.remote.as_ref().and_then(|remote| remote.drift),
                projected: limit.projected,
                alert_level: limit.alert_level,
                exhausted_at: limit.exhausted_at.map(unix),
                starts_at: limit.starts_at.map(unix),
                resets_at: limit.resets_at.map(unix),
            });
        }
    }
    let pulse = app.store.pulse().await?;
    metrics::pulse(pulse.workers, pulse.ticked_at);
    if app.census.is_due() {
        let began = Instant::now();
        for counts in app.store.resource_counts().await? {
            let states = [
                ("fresh", counts.fresh),
                ("overdue", counts.overdue),
                ("past_bound", counts.past_bound),
                ("missing", counts.missing),
            ];
            metrics::resources(&counts.provider, states, counts.most_overdue_secs);
        }
        app.census.taken(began.elapsed());
    }
    Ok(())
}

/// When tracked resources are counted again: all of them are read for it, so the longer it
/// takes, the more seldom.
#[derive(Debug, Default)]
pub(crate) struct Census(Mutex<Option<Instant>>);

impl Census {
    /// Of the time of the database, at most a fiftieth goes into counting.
    const SHARE: u32 = 50;

    fn is_due(&self) -> bool {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        next.is_none_or(|next| Instant::now() >= next)
    }

    fn taken(&self, took: Duration) {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *next = Some(Instant::now() + took * Self::SHARE);
    }
}
