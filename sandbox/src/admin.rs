//! The routes under `/_sandbox`: the ledger, trouble, the plan, keys and the clock.
//!
//! | route | does |
//! |-------|------|
//! | `GET /_sandbox/ledger?last=100` | everything counted, with the last arrivals |
//! | `GET /_sandbox/peak?window_ms=60000` | the most within any stretch of that length |
//! | `POST /_sandbox/reset` | forgets everything counted |
//! | `GET`, `POST`, `DELETE /_sandbox/trouble` | lists, adds (one or an array), clears trouble |
//! | `POST /_sandbox/foreign` | `{"requests": 1, "credits": 100}`, as somebody else |
//! | `GET`, `PATCH /_sandbox/plan` | the plan; fields that are not named stay |
//! | `PUT /_sandbox/key` | `{"key": "…", "state": "disabled"}` |
//! | `GET`, `PUT /_sandbox/clock` | `{"offset_ms": 5000}` |
//!
//! They are not counted, and nobody has to prove who they are: the sandbox is not
//! for an address that strangers can reach.

use std::time::Duration;

use axum::Router;
use axum::extract::{Json, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::stamp;
use crate::config::{KeyState, Plan};
use crate::handle::Handle;
use crate::ledger::{LedgerReport, Peak};
use crate::trouble::Trouble;

pub(crate) fn routes() -> Router<Handle> {
    Router::new()
        .route("/ledger", get(ledger))
        .route("/peak", get(peak))
        .route("/reset", post(reset))
        .route("/trouble", get(troubles).post(add).delete(clear))
        .route("/foreign", post(foreign))
        .route("/plan", get(plan).patch(change_plan))
        .route("/key", put(key))
        .route("/clock", get(clock).put(set_clock))
}

#[derive(Deserialize)]
struct Last {
    last: Option<usize>,
}

async fn ledger(State(handle): State<Handle>, Query(asked): Query<Last>) -> Json<LedgerReport> {
    Json(handle.ledger(asked.last.unwrap_or(100)))
}

#[derive(Deserialize)]
struct Width {
    window_ms: u64,
}

async fn peak(State(handle): State<Handle>, Query(width): Query<Width>) -> Json<Peak> {
    Json(handle.peak(Duration::from_millis(width.window_ms)))
}

async fn reset(State(handle): State<Handle>) -> StatusCode {
    handle.reset();
    StatusCode::NO_CONTENT
}

async fn troubles(State(handle): State<Handle>) -> Json<Vec<Trouble>> {
    Json(handle.troubles())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Trouble),
    Many(Vec<Trouble>),
}

async fn add(State(handle): State<Handle>, Json(asked): Json<OneOrMany>) -> StatusCode {
    let many = match asked {
        OneOrMany::One(trouble) => vec![trouble],
        OneOrMany::Many(many) => many,
    };
    for trouble in many {
        handle.script(trouble);
    }
    StatusCode::NO_CONTENT
}

async fn clear(State(handle): State<Handle>) -> StatusCode {
    handle.clear_troubles();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Foreign {
    requests: u64,
    credits: u64,
}

async fn foreign(State(handle): State<Handle>, Json(spent): Json<Foreign>) -> StatusCode {
    handle.spend_elsewhere(spent.requests, spent.credits);
    StatusCode::NO_CONTENT
}

async fn plan(State(handle): State<Handle>) -> Json<Plan> {
    Json(handle.plan())
}

/// Lays the given fields over the plan, so that `null` can mean "no limit".
async fn change_plan(
    State(handle): State<Handle>,
    Json(change): Json<serde_json::Map<String, Value>>,
) -> Result<Json<Plan>, (StatusCode, String)> {
    let wrong = |error: serde_json::Error| (StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
    let mut fields = serde_json::to_value(handle.plan()).map_err(wrong)?;
    if let Value::Object(fields) = &mut fields {
        fields.extend(change);
    }
    let plan: Plan = serde_json::from_value(fields).map_err(wrong)?;
    handle.set_plan(plan.clone());
    Ok(Json(plan))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyChange {
    key: String,
    state: KeyState,
}

async fn key(State(handle): State<Handle>, Json(change): Json<KeyChange>) -> StatusCode {
    handle.set_key(&change.key, change.state);
    StatusCode::NO_CONTENT
}

async fn clock(State(handle): State<Handle>) -> Json<Value> {
    Json(json!({"now": stamp(handle.now())}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offset {
    offset_ms: i64,
}

async fn set_clock(State(handle): State<Handle>, Json(offset): Json<Offset>) -> Json<Value> {
    handle.set_clock_offset(TimeDelta::milliseconds(offset.offset_ms));
    Json(json!({"now": stamp(handle.now())}))
}
