//! `/api/resources`: what is known, and what is tracked.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use shared::store::{ResourceFilter, ResourceRow};

use super::{Whole, cursor, optional_fields};
use crate::app::App;
use crate::operator::Operator;
use crate::problem::{Kind, Problem};
use crate::query::Query;

/// Time from one refresh to the next if nothing is said.
const USUAL: Duration = Duration::from_secs(300);

/// Shortest and longest time that can be said.
const RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);

#[derive(Serialize)]
pub(super) struct Page {
    resources: Vec<ResourceView>,
    /// Cursor of the next page; `null` on the last.
    next: Option<String>,
}

#[derive(Serialize)]
struct ResourceView {
    resource: String,
    provider: String,
    endpoint: String,
    tracked: bool,
    /// Who tracks it: config, api, or read for one that was only asked for.
    origin: String,
    group: Option<String>,
    every_secs: Option<f64>,
    next_refresh_at: Option<DateTime<Utc>>,
    fetched_at: Option<DateTime<Utc>>,
    age_secs: Option<f64>,
    is_fresh: bool,
    failures: i32,
}

/// How a resource is to be tracked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tracking {
    /// Time from one refresh to the next, such as "5m".
    #[serde(with = "humantime_serde")]
    every: Option<Duration>,
}

#[derive(Serialize)]
pub(super) struct Tracked {
    resource: String,
    tracked: bool,
    every_secs: f64,
}

/// Resources by key, a page at a time, with the age of their entries.
pub(super) async fn list(
    _: Operator,
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<Page>, Problem> {
    let query = Query::read(&uri, &["provider", "tracked", "limit", "cursor"])?;
    let limit = query.limit()?;
    let filter = ResourceFilter {
        provider: query.text("provider").map(str::to_owned),
        tracked: query.parsed("tracked", "true or false")?,
        after: cursor::read(&query)?,
        // One more than wanted tells whether there is a next page.
        limit: limit + 1,
    };
    let rows = app.store.resources(&filter).await?;
    let mut resources: Vec<_> = rows.into_iter().map(ResourceView::from).collect();
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = resources.len() > wanted;
    resources.truncate(wanted);
    let last = resources.last().filter(|_| more);
    let next = last.map(|last| cursor::after(&last.resource));
    Ok(Json(Page { resources, next }))
}

/// Refresh a resource ahead of need from now on, first at the next tick.
///
/// The key stands in the path, percent-encoded or as it is. The body may say
/// `{"every": "5m"}`. What the configuration tracks too is set back to the
/// configuration's pace at the next start.
pub(super) async fn track(
    _: Operator,
    State(app): State<App>,
    uri: Uri,
    Whole(body): Whole,
) -> Result<Json<Tracked>, Problem> {
    let tracking: Tracking = optional_fields(&body)?;
    let every = tracking.every.unwrap_or(USUAL);
    if !RANGE.contains(&every) {
        let detail = "every: it must be from 1s to 366 days";
        return Err(Problem::new(Kind::InvalidField, detail));
    }
    let resource = app
        .catalog
        .resource(&key(&uri)?)
        .map_err(|error| Problem::new(Kind::UnknownResource, error.to_string()))?;
    app.store.track(&resource, every).await?;
    tracing::info!(resource = %resource.key, "tracked by an operator");
    Ok(Json(Tracked {
        resource: resource.key.0,
        tracked: true,
        every_secs: every.as_secs_f64(),
    }))
}

/// Stop refreshing a resource ahead of need; its entry stays.
pub(super) async fn untrack(
    _: Operator,
    State(app): State<App>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let given = key(&uri)?;
    // A resource of a provider that has left the configuration has no other spelling.
    let known = app.catalog.resource(&given);
    let key = known.map_or(given, |resource| resource.key.0);
    if !app.store.untrack(&key).await? {
        let shown: String = key.chars().take(200).collect();
        return Err(Problem::new(Kind::NotTracked, format!("{shown} is not")));
    }
    tracing::info!(resource = key, "untracked by an operator");
    Ok(StatusCode::NO_CONTENT)
}

/// The key after `/api/resources/`. A question mark that was not encoded made its
/// parameters the query of the request: they belong to the key all the same.
fn key(uri: &Uri) -> Result<String, Problem> {
    let unreadable = || {
        let detail = "the key in the path must be UTF-8 without NUL, percent-encoded";
        Problem::new(Kind::UnknownResource, detail)
    };
    let path = uri.path().strip_prefix("/api/resources/");
    let mut key = percent_decode_str(path.ok_or_else(unreadable)?)
        .decode_utf8()
        .map_err(|_| unreadable())?
        .into_owned();
    if let Some(query) = uri.query() {
        key.push('?');
        key.push_str(query);
    }
    if key.contains('\0') {
        return Err(unreadable());
    }
    Ok(key)
}

impl From<ResourceRow> for ResourceView {
    fn from(row: ResourceRow) -> Self {
        Self {
            resource: row.resource_key,
            provider: row.provider,
            endpoint: row.endpoint,
            tracked: row.tracked,
            origin: row.origin,
            group: row.tracked_group,
            every_secs: row.every_secs,
            next_refresh_at: row.next_refresh_at,
            fetched_at: row.fetched_at,
            age_secs: row.age_secs,
            is_fresh: row.is_fresh,
            failures: row.failures,
        }
    }
}
