//! `/api/jobs`: create, list, look at, retry and cancel.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use shared::model::{JobId, JobStatus};
use shared::store::{Enqueued, JobFilter, StoreError};

use super::job_view::JobView;
use super::jobs_request::{self, Wanted};
use super::{Whole, cursor};
use crate::app::App;
use crate::job_log;
use crate::operator::Operator;
use crate::problem::{Kind, Problem};
use crate::query::{Query, invalid};

#[derive(Serialize, JsonSchema)]
pub(super) struct Page {
    jobs: Vec<JobView>,
    /// Cursor of the next page; `null` on the last.
    next: Option<String>,
}

/// A created job, and whether it is a new one.
#[derive(Serialize, JsonSchema)]
pub(super) struct Created {
    #[serde(flatten)]
    job: JobView,
    is_new: bool,
}

/// Enqueue a job, or an array of them, all or none.
///
/// Answers at once, in the order asked. A refresh of a resource that has an unfinished
/// job is answered with that job, made as urgent as the more urgent of the two, so the
/// request is safe to repeat.
pub(super) async fn create(
    _: Operator,
    State(app): State<App>,
    Whole(body): Whole,
) -> Result<Response, Problem> {
    let wanted = jobs_request::read(&body, &app.catalog)?;
    let requests = wanted.requests();
    let mut enqueued = app.store.enqueue_announced(requests, &app.notifier).await?;
    explain(&app, &mut enqueued).await;
    job_log::enqueued(&enqueued, "an operator");

    let is_new = enqueued.iter().any(|job| job.is_new);
    let status = if is_new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let mut jobs = enqueued.into_iter().map(Created::from);
    Ok(match wanted {
        Wanted::Several(_) => (status, Json(jobs.collect::<Vec<_>>())).into_response(),
        Wanted::One(_) => {
            // Not reached: every request is answered.
            let job = jobs
                .next()
                .ok_or_else(|| Problem::new(Kind::Internal, "no job was made"))?;
            let place = format!("/api/jobs/{}", job.job.id());
            (status, [(header::LOCATION, place)], Json(job)).into_response()
        }
    })
}

/// Says of handlers' jobs that wait in a closed lane that they do. They are stored: that nobody
/// can tell is no error.
async fn explain(app: &App, enqueued: &mut [Enqueued]) {
    if enqueued.iter().all(|new| new.job.resource_key.is_some()) {
        return;
    }
    let Ok(closed) = app.store.closed().await else {
        return;
    };
    for Enqueued { job, .. } in enqueued {
        if job.waiting.is_some() && closed.contains_key(&job.lane) {
            job.waiting = Some("lane_closed".to_owned());
        }
    }
}

/// Jobs, newest first, a page at a time.
pub(super) async fn list(
    _: Operator,
    State(app): State<App>,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = Query::read(&uri, &["status", "lane", "kind", "limit", "cursor"])?;
    let filter = JobFilter {
        status: status(&query)?,
        lane: query.text("lane").map(str::to_owned),
        kind: query.text("kind").map(str::to_owned),
    };
    let after = match cursor::read(&query)? {
        Some(last) => Some(JobId(last.parse().map_err(|_| cursor::wrong())?)),
        None => None,
    };
    let page = app.store.jobs(&filter, after, query.limit()?).await?;
    Ok(Json(Page {
        jobs: page.jobs.into_iter().map(JobView::from).collect(),
        next: page.next.map(|last| cursor::after(&last.to_string())),
    })
    .into_response())
}

/// One job, with the errors of all its attempts.
pub(super) async fn show(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, Problem> {
    Ok(Json(app.store.job(job_id(&id)?).await?.into()))
}

/// Let a failed or cancelled job wait again, with all its attempts.
pub(super) async fn retry(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, Problem> {
    match app.store.retry(job_id(&id)?).await {
        Ok(job) => {
            app.notifier.jobs();
            tracing::info!(job = %job.id, "retried by an operator");
            Ok(Json(job.into()))
        }
        Err(StoreError::WrongStatus {
            id,
            status: status @ ("failed" | "cancelled"),
        }) => Err(Problem::new(
            Kind::WrongStatus,
            format!("job {id} is {status}, but another job for its resource is unfinished"),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Cancel a pending job, or ask a running one to stop: 202 with `cancel_requested`.
pub(super) async fn cancel(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<JobView>), Problem> {
    let job = app.store.cancel(job_id(&id)?).await?;
    tracing::info!(job = %job.id, status = job.status.as_str(), "cancelled by an operator");
    let status = match job.status {
        JobStatus::Running => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    Ok((status, Json(job.into())))
}

fn job_id(text: &str) -> Result<JobId, Problem> {
    let shown = || text.chars().take(60).collect::<String>();
    text.parse().map(JobId).map_err(|_| {
        Problem::new(
            Kind::NoSuchJob,
            format!("{:?} is not the id of a job", shown()),
        )
    })
}

fn status(query: &Query) -> Result<Option<JobStatus>, Problem> {
    let Some(text) = query.text("status") else {
        return Ok(None);
    };
    let found = JobStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == text);
    found.map(Some).ok_or_else(|| {
        let known = JobStatus::ALL.map(JobStatus::as_str).join(", ");
        let shown: String = text.chars().take(60).collect();
        invalid(format!("status={shown:?} must be one of {known}"))
    })
}

impl From<Enqueued> for Created {
    fn from(enqueued: Enqueued) -> Self {
        Self {
            job: enqueued.job.into(),
            is_new: enqueued.is_new,
        }
    }
}
