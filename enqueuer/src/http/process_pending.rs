//! `/api/jobs/process-pending`: what cron calls.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use shared::store::{ClosedLane, Ticked};

use crate::app::App;
use crate::operator::Operator;
use crate::problem::{Kind, Problem};
use crate::tick;

#[derive(Serialize, JsonSchema)]
pub(super) struct Answer {
    due: i64,
    enqueued: i64,
    already_waiting: i64,
    closed_lanes: Vec<Closed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<String>>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Closed {
    lane: String,
    reason: String,
    /// `null`: until an operator opens it.
    until: Option<DateTime<Utc>>,
}

/// Enqueue whatever is due.
///
/// Answers at once; the data is fetched by a worker. What has a job already is counted
/// and not enqueued again, so the request is safe to repeat. `?debug=true` adds the keys
/// of what was enqueued. Other parameters are ignored: some cron services add their own.
pub(super) async fn run(
    _: Operator,
    State(app): State<App>,
    uri: Uri,
) -> Result<Response, Problem> {
    let ticked = tick::tick(&app, wants_debug(&uri)).await?;
    tracing::info!(
        due = ticked.due,
        enqueued = ticked.enqueued,
        "process-pending"
    );
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::ACCEPTED, no_store, Json(Answer::from(ticked))).into_response())
}

/// HEAD would enqueue without showing what.
pub(super) async fn refuse_head() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "use POST or GET")
        .header(header::ALLOW, HeaderValue::from_static("GET,POST"))
}

fn wants_debug(uri: &Uri) -> bool {
    url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .any(|(name, value)| name == "debug" && matches!(value.as_ref(), "true" | "1"))
}

impl From<Ticked> for Answer {
    fn from(ticked: Ticked) -> Self {
        Self {
            due: ticked.due,
            enqueued: ticked.enqueued,
            already_waiting: ticked.already_waiting,
            closed_lanes: ticked.closed_lanes.into_iter().map(Closed::from).collect(),
            resources: ticked.keys,
        }
    }
}

impl From<ClosedLane> for Closed {
    fn from(lane: ClosedLane) -> Self {
        Self {
            lane: lane.lane,
            reason: lane.reason,
            until: lane.until,
        }
    }
}
