//! `POST /api/jobs/retry` and `/cancel`: all jobs that a filter picks.
//!
//! | body                                        | answer                         |
//! |---------------------------------------------|--------------------------------|
//! | not JSON                                    | 400 `malformed-json`           |
//! | empty, or without anything that picks       | 422 `invalid-field`: for all jobs it takes `{"all": true}` |
//! | `all` beside another field than `limit`, `cursor` | 422 `invalid-field`      |
//! | a status that cannot be retried, cancelled  | 422 `invalid-field`            |
//! | an unknown field, a wrong type or value     | 422 `invalid-field`            |

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Datelike, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::model::JobStatus;
use shared::store::{Cancelled, JobFilter, JobSelection, Retried};

use super::{Whole, cursor, optional_fields};
use crate::app::App;
use crate::operator::Operator;
use crate::problem::{Kind, Problem};

/// Which jobs are meant: those that fit every field.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    /// Every job that can be retried or cancelled.
    all: bool,
    #[schemars(with = "Option<super::openapi::Status>")]
    status: Option<JobStatus>,
    lane: Option<String>,
    kind: Option<String>,
    created_before: Option<DateTime<Utc>>,
    /// At most so many.
    limit: Option<u32>,
    /// What the answer before said under `next`: then only jobs behind those that it took.
    cursor: Option<String>,
}

/// What was done, and how to go on.
#[derive(Serialize, JsonSchema)]
pub(super) struct Round<T> {
    #[serde(flatten)]
    done: T,
    /// Cursor of the jobs that `limit` left out; `null` if there was none.
    next: Option<String>,
}

/// Let the failed and cancelled jobs that fit wait again, with all their attempts.
///
/// A refresh stays as it is while another job for its resource is unfinished: it counts
/// as already waiting. With `limit` and `cursor` many are taken round by round, each job
/// once, also where it fails again meanwhile.
pub(super) async fn retry(
    _: Operator,
    State(app): State<App>,
    Whole(body): Whole,
) -> Result<Json<Round<Retried>>, Problem> {
    let selection = read(&body, [JobStatus::Failed, JobStatus::Cancelled])?;
    let retried = app.store.retry_many(&selection).await?;
    if retried.retried > 0 {
        app.notifier.jobs();
    }
    tracing::info!(?selection, retried.retried, "jobs retried by an operator");
    Ok(Json(Round {
        next: retried.next.map(|last| cursor::after(&last.to_string())),
        done: retried,
    }))
}

/// Cancel the pending jobs that fit, and ask the running ones to stop.
pub(super) async fn cancel(
    _: Operator,
    State(app): State<App>,
    Whole(body): Whole,
) -> Result<Json<Round<Cancelled>>, Problem> {
    let selection = read(&body, [JobStatus::Pending, JobStatus::Running])?;
    let cancelled = app.store.cancel_many(&selection).await?;
    tracing::info!(
        ?selection,
        cancelled.cancelled,
        cancelled.cancel_requested,
        "jobs cancelled by an operator"
    );
    Ok(Json(Round {
        next: cancelled.next.map(|last| cursor::after(&last.to_string())),
        done: cancelled,
    }))
}

fn read(body: &[u8], possible: [JobStatus; 2]) -> Result<JobSelection, Problem> {
    let wanted: Wanted = optional_fields(body)?;
    let refuse = |detail: String| Err(Problem::new(Kind::InvalidField, detail));
    let picks = wanted.status.is_some()
        || wanted.lane.is_some()
        || wanted.kind.is_some()
        || wanted.created_before.is_some();
    match (wanted.all, picks) {
        (false, false) => {
            let detail = "say which jobs, by status, lane, kind or created_before; \
                          for all of them send {\"all\":true}";
            return refuse(detail.to_owned());
        }
        (true, true) => {
            let detail = "all: it must stand alone or with limit and cursor; \
                          leave it out for the jobs that fit the other fields";
            return refuse(detail.to_owned());
        }
        _ => {}
    }
    if let Some(status) = wanted.status
        && !possible.contains(&status)
    {
        let [one, other] = possible.map(JobStatus::as_str);
        let given = status.as_str();
        return refuse(format!("status: {given} must be {one} or {other} here"));
    }
    for (name, value) in [("lane", &wanted.lane), ("kind", &wanted.kind)] {
        if value.as_ref().is_some_and(|value| value.contains('\0')) {
            return refuse(format!("{name}: it holds a NUL character"));
        }
    }
    if wanted
        .created_before
        .is_some_and(|at| !(1..=9_999).contains(&at.year()))
    {
        return refuse("created_before: its year must have four digits".to_owned());
    }
    if wanted.limit == Some(0) {
        return refuse("limit: it must be at least 1".to_owned());
    }
    let behind = wanted.cursor.as_deref().map(|text| {
        let last = cursor::decode(text).and_then(|last| last.parse().ok());
        let detail = "cursor: it must be what the answer before said under \"next\"";
        last.ok_or_else(|| Problem::new(Kind::InvalidField, detail))
    });
    Ok(JobSelection {
        filter: JobFilter {
            status: wanted.status,
            lane: wanted.lane,
            kind: wanted.kind,
        },
        created_before: wanted.created_before,
        limit: wanted.limit,
        behind: behind.transpose()?,
    })
}
