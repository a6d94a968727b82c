//! `/metrics`: what this process measured, and what the database knows.
//!
//! The database's figures are read when somebody asks, one query for each group, and
//! only here: workers do not report them, so that ten of them do not report them ten
//! times. When the database is away the page shows the rest, says so, and shows none of
//! what it showed before: an old figure looks like a new one.

use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use shared::metrics::{self, BudgetFigures, Figures, LaneFigures, Waiting};
use shared::store::{LimitState, StoreError};

use crate::app::App;

/// How long a page waits for the database. Prometheus gives up after ten seconds, and would
/// have nothing then.
const PATIENCE: Duration = Duration::from_secs(5);

/// The metrics of this process and of the database, for Prometheus.
pub(crate) async fn show(State(app): State<App>) -> impl IntoResponse {
    metrics::listener(app.wake.is_listening());
    let mut figures = Figures::default();
    let read = tokio::time::timeout(PATIENCE, read_database(&app, &mut figures)).await;
    match &read {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(cause = error.chain(), "metrics without the database");
        }
        Err(_) => tracing::debug!("metrics without the database: it does not answer"),
    }
    figures.database(matches!(read, Ok(Ok(()))));
    let mut page = app.recorder.render();
    figures.write(&mut page);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, page)
}

async fn read_database(app: &App, figures: &mut Figures) -> Result<(), StoreError> {
    let pulse = app.store.pulse().await?;
    figures.pulse(pulse.workers, pulse.ticked_at);
    let store = app.store.clone();
    let counting = async move { store.waiting_counts().await };
    let waiting = app.waiting.take(counting).await?;
    for lane in app.store.lanes_now().await? {
        let counted = waiting.as_ref().map(|waiting| {
            let own = waiting.iter().find(|counts| counts.lane == lane.lane);
            own.map_or_else(Waiting::default, |counts| Waiting {
                due: counts.due,
                scheduled: counts.scheduled,
                retry: counts.retry,
            })
        });
        figures.lane(LaneFigures {
            lane: &lane.lane,
            open: lane.open,
            reason: lane.reason.as_deref(),
            waiting: counted,
            running: lane.running,
            oldest_due_secs: lane.oldest_due_secs,
        });
    }
    for lane in app.store.budget().await? {
        for limit in &lane.limits {
            figures.budget(budget(&lane.provider, limit));
        }
    }
    let store = app.store.clone();
    let counting = async move { store.resource_counts().await };
    let resources = app.resources.take(counting).await?;
    for counts in resources.iter().flat_map(|counts| counts.iter()) {
        let states = [
            ("fresh", counts.fresh),
            ("overdue", counts.overdue),
            ("past_bound", counts.past_bound),
            ("missing", counts.missing),
        ];
        figures.resources(&counts.provider, states, counts.most_overdue_secs);
    }
    Ok(())
}

fn budget<'a>(provider: &'a str, limit: &'a LimitState) -> BudgetFigures<'a> {
    let unix = |at: DateTime<Utc>| at.timestamp();
    BudgetFigures {
        provider,
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
    }
}
