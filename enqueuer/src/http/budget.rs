//! `GET /api/budget`: what stands against each limit.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use shared::store::{LaneState, LimitState, RemoteState};

use crate::app::App;
use crate::operator::Operator;
use crate::problem::Problem;

#[derive(Serialize, JsonSchema)]
pub(super) struct Budget {
    providers: Vec<ProviderView>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ProviderView {
    provider: String,
    open: bool,
    closed_until: Option<DateTime<Utc>>,
    reason: Option<String>,
    limits: Vec<LimitView>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LimitView {
    name: String,
    unit: String,
    kind: String,
    cap: i64,
    spent: i64,
    reserved: i64,
    foreign: i64,
    remaining: i64,
    kept: i64,
    soft: bool,
    alert_level: i16,
    starts_at: Option<DateTime<Utc>>,
    resets_at: Option<DateTime<Utc>>,
    projected: Option<i64>,
    exhausted_at: Option<DateTime<Utc>>,
    remote: Option<RemoteState>,
}

/// Every provider's limits, as of one moment.
pub(super) async fn show(_: Operator, State(app): State<App>) -> Result<Json<Budget>, Problem> {
    let lanes = app.store.budget().await?;
    Ok(Json(Budget {
        providers: lanes.into_iter().map(ProviderView::from).collect(),
    }))
}

impl From<LaneState> for ProviderView {
    fn from(lane: LaneState) -> Self {
        Self {
            provider: lane.provider,
            open: lane.open,
            closed_until: lane.closed_until,
            reason: lane.reason,
            limits: lane.limits.into_iter().map(LimitView::from).collect(),
        }
    }
}

impl From<LimitState> for LimitView {
    fn from(limit: LimitState) -> Self {
        Self {
            name: limit.name,
            unit: limit.unit,
            kind: limit.kind,
            cap: limit.cap,
            spent: limit.spent,
            reserved: limit.reserved,
            foreign: limit.foreign,
            remaining: limit.remaining,
            kept: limit.kept,
            soft: limit.soft,
            alert_level: limit.alert_level,
            starts_at: limit.starts_at,
            resets_at: limit.resets_at,
            projected: limit.projected,
            exhausted_at: limit.exhausted_at,
            remote: limit.remote,
        }
    }
}
