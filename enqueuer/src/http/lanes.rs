//! `GET /api/lanes`, `POST /api/lanes/{lane}/open` and `/close`.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::model::LaneName;
use shared::store::Lane;

use super::{Whole, optional_fields};
use crate::app::App;
use crate::operator::Operator;
use crate::problem::{Kind, Problem};

#[derive(Serialize, JsonSchema)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LaneView {
    #[schemars(with = "String")]
    lane: LaneName,
    open: bool,
}

/// What may be said of a closing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Closing {
    /// Why, in a word that people see; `operator` if nothing is said.
    reason: Option<String>,
    /// For how long, such as "1h"; until somebody opens it if nothing is said.
    #[serde(rename = "for", with = "humantime_serde")]
    #[schemars(rename = "for", with = "Option<String>")]
    time: Option<Duration>,
}

/// Every lane, and why it is closed; `local` too, which has no budget.
pub(super) async fn list(_: Operator, State(app): State<App>) -> Result<Json<Lanes>, Problem> {
    let lanes = app.store.lanes().await?;
    Ok(Json(Lanes { lanes }))
}

/// Let a lane take calls again; it starts slowly.
pub(super) async fn open(
    _: Operator,
    State(app): State<App>,
    Path(lane): Path<String>,
) -> Result<Json<LaneView>, Problem> {
    let lane = name(&lane)?;
    if !app.store.open_lane(&lane).await? {
        return Err(unknown(lane.as_str()));
    }
    app.notifier.jobs();
    tracing::info!(%lane, "lane opened by an operator");
    Ok(Json(LaneView { lane, open: true }))
}

/// Keep a lane from taking calls. Calls in flight end as they would.
pub(super) async fn close(
    _: Operator,
    State(app): State<App>,
    Path(lane): Path<String>,
    Whole(body): Whole,
) -> Result<Json<LaneView>, Problem> {
    let lane = name(&lane)?;
    let closing: Closing = optional_fields(&body)?;
    let reason = closing.reason.as_deref().unwrap_or("operator");
    if reason.contains('\0') || reason.chars().count() > 200 {
        let detail = "reason: it must have at most 200 characters, none of them NUL";
        return Err(Problem::new(Kind::InvalidField, detail));
    }
    if closing
        .time
        .is_some_and(|time| time > Duration::from_secs(366 * 86_400))
    {
        let detail = "for: it must be at most a year; leave it out for no end";
        return Err(Problem::new(Kind::InvalidField, detail));
    }
    if !app.store.close_lane(&lane, reason, closing.time).await? {
        return Err(unknown(lane.as_str()));
    }
    tracing::info!(%lane, reason, "lane closed by an operator");
    Ok(Json(LaneView { lane, open: false }))
}

fn name(given: &str) -> Result<LaneName, Problem> {
    given.parse().map_err(|_| unknown(given))
}

fn unknown(given: &str) -> Problem {
    let shown: String = given.chars().take(60).collect();
    Problem::new(Kind::NoSuchLane, format!("there is no lane {shown:?}"))
}
