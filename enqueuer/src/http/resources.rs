//! `/api/resources`: what is known, and what is tracked.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::model::{Pace, Tracking};
use shared::schedule;
use shared::store::{ResourceFilter, ResourceRow};

use super::sort::Sorting;
use super::{Whole, optional_fields, why};
use crate::app::App;
use crate::operator::Operator;
use crate::problem::{Kind, Problem};
use crate::query::Query;

/// Shortest and longest time that can be said.
const RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);

#[derive(Serialize, JsonSchema)]
pub(super) struct Page {
    resources: Vec<ResourceView>,
    /// Cursor of the next page; `null` on the last.
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ResourceView {
    resource: String,
    provider: String,
    endpoint: String,
    tracked: bool,
    /// Who tracks it: config, api, or read for one that was only asked for.
    origin: String,
    group: Option<String>,
    every_secs: Option<f64>,
    schedule: Option<String>,
    zone: Option<String>,
    max_age_secs: Option<f64>,
    weight: f64,
    next_refresh_at: Option<DateTime<Utc>>,
    fetched_at: Option<DateTime<Utc>>,
    age_secs: Option<f64>,
    is_fresh: bool,
    failures: i32,
    /// How often it was read lately: reads of the last half hour count most.
    recent_reads_per_second: f64,
    /// What keeping it costs, by its pace and what a refresh came to lately.
    credits_a_day: Option<f64>,
    /// Whether the planner says its pace; the four after it are what it went by.
    planned: bool,
    reads_per_second: Option<f64>,
    changes_per_second: Option<f64>,
    credits_per_refresh: Option<f64>,
    /// The age that is kept instead of `max_age_secs`, where the budget does not suffice.
    kept_age_secs: Option<f64>,
    /// Why it is refreshed as often as it is, in a sentence.
    why: String,
}

/// How a resource is to be tracked.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    /// Time from one refresh to the next, such as "5m". Without it and without `schedule`
    /// the planner decides.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Option<String>")]
    every: Option<Duration>,
    /// Cron expression of five fields, instead of `every`.
    schedule: Option<String>,
    /// IANA time zone of the expression; UTC without it.
    zone: Option<String>,
    /// Past this age a reader waits for a refresh.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Option<String>")]
    max_age: Option<Duration>,
    /// For how long an answer counts as fresh.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Option<String>")]
    fresh_for: Option<Duration>,
    /// How much a read counts against one of another resource.
    weight: Option<f64>,
}

impl Wanted {
    /// The wish in order, or what is wrong with it.
    fn tracking(self) -> Result<Tracking, Problem> {
        let refuse = |detail: &str| Err(Problem::new(Kind::InvalidField, detail));
        for (name, value) in [
            ("every", self.every),
            ("max_age", self.max_age),
            ("fresh_for", self.fresh_for),
        ] {
            if value.is_some_and(|value| !RANGE.contains(&value)) {
                return refuse(&format!("{name}: it must be from 1s to 366 days"));
            }
        }
        let pace = match (self.every, self.schedule) {
            (Some(_), Some(_)) => return refuse("schedule: it must not be given with every"),
            (_, None) if self.zone.is_some() => {
                return refuse("zone: it must be given with schedule");
            }
            (Some(every), None) => Pace::Every(every),
            (None, None) => Pace::Planned,
            (None, Some(expression)) => {
                let zone = self.zone.unwrap_or_else(|| "UTC".to_owned());
                if schedule::read(&expression).is_none() {
                    return refuse("schedule: it must be a cron expression of five fields");
                }
                if !schedule::is_zone(&zone) {
                    return refuse("zone: it must be an IANA time zone, such as Europe/Berlin");
                }
                Pace::Schedule { expression, zone }
            }
        };
        let weight = self.weight.unwrap_or(1.0);
        if !(0.0..=1e9).contains(&weight) {
            return refuse("weight: it must be from 0 to 1000000000");
        }
        Ok(Tracking {
            pace,
            max_age: self.max_age,
            fresh_for: self.fresh_for,
            weight,
        })
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Tracked {
    resource: String,
    tracked: bool,
    every_secs: Option<f64>,
    schedule: Option<String>,
}

/// Resources, a page at a time, with the age of their entries.
pub(super) async fn list(
    _: Operator,
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<Page>, Problem> {
    let known = [
        "provider", "tracked", "search", "sort", "reverse", "limit", "cursor",
    ];
    let query = Query::read(&uri, &known)?;
    let limit = query.limit()?;
    let sorting = Sorting::read(&query)?;
    let start = sorting.start(&query)?;
    let filter = ResourceFilter {
        provider: query.text("provider").map(str::to_owned),
        tracked: query.parsed("tracked", "true or false")?,
        search: query.text("search").map(str::to_owned),
        order: sorting.order,
        is_reversed: sorting.is_reversed,
        after: start.after.clone(),
        skip: start.skip.into(),
        // One more than wanted tells whether there is a next page.
        limit: limit + 1,
    };
    let rows = app.store.resources(&filter).await?;
    let mut resources: Vec<_> = rows.into_iter().map(ResourceView::from).collect();
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = resources.len() > wanted;
    resources.truncate(wanted);
    let last = resources.last().filter(|_| more);
    let next = last.map(|last| sorting.next(&start, limit, &last.resource));
    Ok(Json(Page { resources, next }))
}

/// Refresh a resource ahead of need from now on, first at the next tick.
///
/// The key stands in the path, percent-encoded or as it is. The body may say
/// `{"every": "5m"}` or `{"schedule": "0 9 * * 1-5", "zone": "Europe/Berlin"}`. What the
/// configuration tracks too is set back to the configuration's pace at the next start.
pub(super) async fn track(
    _: Operator,
    State(app): State<App>,
    uri: Uri,
    Whole(body): Whole,
) -> Result<Json<Tracked>, Problem> {
    let wanted: Wanted = optional_fields(&body)?;
    let tracking = wanted.tracking()?;
    let resource = app
        .catalog
        .resource(&key(&uri)?)
        .map_err(|error| Problem::new(Kind::UnknownResource, error.to_string()))?;
    app.store.track(&resource, &tracking).await?;
    tracing::info!(resource = %resource.key, "tracked by an operator");
    let (every_secs, schedule) = match tracking.pace {
        Pace::Every(every) => (Some(every.as_secs_f64()), None),
        Pace::Schedule { expression, .. } => (None, Some(expression)),
        Pace::Planned => (None, None),
    };
    Ok(Json(Tracked {
        resource: resource.key.0,
        tracked: true,
        every_secs,
        schedule,
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
            why: why::why(&row),
            recent_reads_per_second: row.recent_reads,
            credits_a_day: row.credits_a_day,
            planned: row.planned,
            reads_per_second: row.planned_reads,
            changes_per_second: row.planned_changes,
            credits_per_refresh: row.planned_cost,
            kept_age_secs: row.kept_age_secs,
            resource: row.resource_key,
            provider: row.provider,
            endpoint: row.endpoint,
            tracked: row.tracked,
            origin: row.origin,
            group: row.tracked_group,
            every_secs: row.every_secs,
            schedule: row.schedule,
            zone: row.zone,
            max_age_secs: row.max_age_secs,
            weight: row.weight,
            next_refresh_at: row.next_refresh_at,
            fetched_at: row.fetched_at,
            age_secs: row.age_secs,
            is_fresh: row.is_fresh,
            failures: row.failures,
        }
    }
}
