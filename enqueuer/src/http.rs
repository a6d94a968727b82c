//! The routes for operators and cron, a file to each group.

mod budget;
mod calls;
mod cursor;
mod health;
mod history;
mod job_view;
mod jobs;
mod jobs_many;
mod jobs_request;
mod lanes;
mod openapi;
mod process_pending;
mod resources;
mod root;
mod routes;
mod sort;
mod why;

use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::problem::{Kind, Problem};

use routes::OPERATIONS;
pub(crate) use routes::routes;

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
/// 400 if it is not JSON, 422 if it is no object, or a field is unknown or of the wrong
/// type.
fn optional_fields<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    let body: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| Problem::new(Kind::MalformedJson, error.to_string()))?;
    // serde would take an array for the fields in their order: [true] for {"all": true}.
    if !body.is_object() {
        return Err(Problem::new(
            Kind::InvalidField,
            "the body must be an object",
        ));
    }
    serde_path_to_error::deserialize(body).map_err(|error| {
        let text: String = error.to_string().chars().take(200).collect();
        Problem::new(Kind::InvalidField, text)
    })
}
