//! `GET /api/budget/history`: how the current window of a limit has filled.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use shared::store::SpentBy;

use crate::app::App;
use crate::operator::Operator;
use crate::problem::{Kind, Problem};
use crate::query::{Query, invalid};

/// Points of a chart: as many as can be told apart on a phone.
const STEPS: i32 = 96;

#[derive(Serialize, JsonSchema)]
pub(super) struct History {
    provider: String,
    limit: String,
    /// When the window began; null for limits whose window moves, which have no points.
    starts_at: Option<DateTime<Utc>>,
    points: Vec<Point>,
}

#[derive(Serialize, JsonSchema)]
struct Point {
    at: DateTime<Utc>,
    /// What our calls had come to by then. What others spent is known as a sum only.
    spent: i64,
}

/// How much of the current window had been taken by when.
pub(super) async fn show(
    _: Operator,
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<History>, Problem> {
    let query = Query::read(&uri, &["provider", "limit"])?;
    let needed = |name: &str| {
        let missing = || invalid(format!("{name} must be given"));
        query.text(name).map(str::to_owned).ok_or_else(missing)
    };
    let (provider, name) = (needed("provider")?, needed("limit")?);
    let lanes = app.store.budget().await?;
    let lane = lanes.iter().find(|lane| lane.provider == provider);
    let limit = lane.and_then(|lane| lane.limits.iter().find(|limit| limit.name == name));
    let Some(limit) = limit else {
        let detail = "no provider has a limit of that name: GET /api/budget lists them";
        return Err(Problem::new(Kind::NotFound, detail));
    };
    let points = match limit.starts_at {
        None => Vec::new(),
        Some(from) => {
            let credits = limit.unit == "credits";
            app.store.spending(&provider, from, credits, STEPS).await?
        }
    };
    Ok(Json(History {
        provider,
        limit: name,
        starts_at: limit.starts_at,
        points: points.into_iter().map(Point::from).collect(),
    }))
}

impl From<SpentBy> for Point {
    fn from(point: SpentBy) -> Self {
        Self {
            at: point.at,
            spent: point.spent,
        }
    }
}
