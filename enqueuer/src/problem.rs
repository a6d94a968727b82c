//! What a request is told when it cannot be answered: a problem document of RFC 9457.
//!
//! `type` is a stable relative URI, so that programs decide by it; `detail` is for
//! people. Neither ever holds a secret, a URL of ours or what the database said: that is
//! logged, once, by the outermost layer, which finds it in [`Cause`].

mod kind;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use shared::provider::Provider;
use shared::store::StoreError;

pub(crate) use kind::Kind;

/// An answer that says why there is none.
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    index: Option<usize>,
    provider: Option<Arc<Provider>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Cause>,
}

/// What stands behind a problem that is ours, for the log.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

/// An error, as RFC 9457 of 2023 has it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Body {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

impl Problem {
    /// A problem, with what is wrong in this case.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            index: None,
            provider: None,
            headers: Vec::new(),
            cause: None,
        }
    }

    /// 401, with the header that such an answer needs.
    pub(crate) fn unauthorized(detail: &str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"larder\"");
        Self::new(Kind::Unauthorized, detail).header(header::WWW_AUTHENTICATE, challenge)
    }

    /// The same problem, of the element of an array at `index`, counted from 0.
    pub(crate) fn at(mut self, index: Option<usize>) -> Self {
        self.index = index;
        self
    }

    /// The same problem, with status and detail also where this provider's own errors have
    /// their words. It takes the place of `status` where the provider has an object of
    /// that name: a program made for the provider reads that object, and RFC 9457
    /// (section 3.1) has others ignore a `status` that is no number.
    pub(crate) fn in_words_of(mut self, provider: &Arc<Provider>) -> Self {
        self.provider = Some(Arc::clone(provider));
        self
    }

    /// The same problem, with when to try again, in full seconds and at least one.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.header(header::RETRY_AFTER, HeaderValue::from(secs.max(1)))
    }

    /// The same problem, with one more header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same problem, with what the log should say of it.
    pub(crate) fn because(mut self, cause: String) -> Self {
        self.cause = Some(Cause(cause));
        self
    }

    /// What kind of problem it is.
    #[cfg(test)]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (name, status, title) = self.kind.parts();
        let body = Body {
            r#type: format!("/problems/{name}"),
            title,
            status: status.as_u16(),
            detail: self.detail,
            index: self.index,
        };
        let mut response = match (self.provider, serde_json::to_value(&body)) {
            (Some(provider), Ok(mut document)) => {
                provider.put_error(
                    &mut document,
                    status.as_u16(),
                    &body.detail,
                    crate::clock::shown(),
                );
                (status, Json(document)).into_response()
            }
            _ => (status, Json(body)).into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(
            self.headers
                .into_iter()
                .map(|(name, value)| (Some(name), value)),
        );
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::NoJob(_) => Self::new(Kind::NoSuchJob, error.to_string()),
            StoreError::WrongStatus { .. } => Self::new(Kind::WrongStatus, error.to_string()),
            StoreError::ReadOnly => Self::new(Kind::DatabaseAway, error.to_string())
                .retry_after(Duration::from_secs(5))
                .because(error.chain()),
            error if error.is_transient() => Self::new(
                Kind::DatabaseAway,
                "the database cannot be used at the moment; GET /readyz says more",
            )
            .retry_after(Duration::from_secs(2))
            .because(error.chain()),
            error => {
                Self::new(Kind::Internal, "the log of the server says more").because(error.chain())
            }
        }
    }
}
