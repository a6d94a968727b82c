//! `GET /api/calls`: the ledger.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use shared::store::LedgerRow;

use super::cursor;
use crate::app::App;
use crate::operator::Operator;
use crate::problem::Problem;
use crate::query::Query;

#[derive(Serialize, JsonSchema)]
pub(super) struct Page {
    calls: Vec<CallView>,
    /// Cursor of the next page; `null` on the last.
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct CallView {
    id: i64,
    provider: String,
    endpoint: String,
    class: String,
    items: i32,
    reserved_at: DateTime<Utc>,
    reserved_credits: i32,
    settled_at: Option<DateTime<Utc>>,
    credits: Option<i32>,
    outcome: Option<String>,
    http_status: Option<i16>,
    duration_secs: Option<f64>,
}

/// Calls to providers, newest first, a page at a time.
pub(super) async fn list(
    _: Operator,
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<Page>, Problem> {
    let query = Query::read(&uri, &["provider", "limit", "cursor"])?;
    let before: Option<i64> = match cursor::read(&query)? {
        Some(last) => Some(last.parse().map_err(|_| cursor::wrong())?),
        None => None,
    };
    let limit = query.limit()?;
    // One more than wanted tells whether there is a next page.
    let rows = app.store.calls(query.text("provider"), before, limit + 1);
    let mut calls: Vec<CallView> = rows.await?.into_iter().map(CallView::from).collect();
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = calls.len() > wanted;
    calls.truncate(wanted);
    let last = calls.last().filter(|_| more);
    let next = last.map(|call| cursor::after(&call.id.to_string()));
    Ok(Json(Page { calls, next }))
}

impl From<LedgerRow> for CallView {
    fn from(row: LedgerRow) -> Self {
        Self {
            id: row.id,
            provider: row.provider,
            endpoint: row.endpoint,
            class: row.class,
            items: row.items,
            reserved_at: row.reserved_at,
            reserved_credits: row.reserved_credits,
            settled_at: row.settled_at,
            credits: row.credits,
            outcome: row.outcome,
            http_status: row.http_status,
            duration_secs: row.duration_secs,
        }
    }
}
