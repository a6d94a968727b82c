//! The routes for operators and cron, a file to each group.

mod budget;
mod calls;
mod cursor;
mod health;
mod job_view;
mod jobs;
mod jobs_many;
mod jobs_request;
mod lanes;
mod process_pending;
mod resources;
mod root;
mod why;

use axum::Router;
use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::problem::{Kind, Problem};

/// Everything but reads and metrics.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(root::show))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route(
            "/api/jobs/process-pending",
            post(process_pending::run)
                .get(process_pending::run)
                .head(process_pending::refuse_head),
        )
        .route("/api/jobs", post(jobs::create).get(jobs::list))
        .route("/api/jobs/retry", post(jobs_many::retry))
        .route("/api/jobs/cancel", post(jobs_many::cancel))
        .route("/api/jobs/{id}", get(jobs::show))
        .route("/api/jobs/{id}/retry", post(jobs::retry))
        .route("/api/jobs/{id}/cancel", post(jobs::cancel))
        .route("/api/budget", get(budget::show))
        .route("/api/calls", get(calls::list))
        .route("/api/resources", get(resources::list))
        .route(
            "/api/resources/{*key}",
            put(resources::track).delete(resources::untrack),
        )
        .route("/api/lanes/{lane}/open", post(lanes::open))
        .route("/api/lanes/{lane}/close", post(lanes::close))
}

/// The whole body of a request.
pub(crate) struct Whole(pub(crate) Bytes);

impl FromRequest<App> for Whole {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, app: &App) -> Result<Self, Problem> {
        match Bytes::from_request(request, app).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(error) => Err(unreadable(error, app)),
        }
    }
}

fn unreadable(error: BytesRejection, app: &App) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let most = app.config().enqueuer.max_body_bytes;
        let detail = format!("a body may have at most {most} bytes (enqueuer.max_body_bytes)");
        return Problem::new(Kind::TooLarge, detail);
    }
    // What was read so far cannot be answered to: the other side is gone, or breaks HTTP.
    let _ = error.into_response();
    Problem::new(
        Kind::BrokenBody,
        "it ended early, or is not framed as HTTP wants",
    )
}

/// The fields of a body that may be left out altogether.
///
/// # Errors
///
/// 400 if it is not JSON, 422 if a field is unknown or of the wrong type.
fn optional_fields<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    let body: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| Problem::new(Kind::MalformedJson, error.to_string()))?;
    serde_path_to_error::deserialize(body).map_err(|error| {
        let text: String = error.to_string().chars().take(200).collect();
        Problem::new(Kind::InvalidField, text)
    })
}
