//! What the key has spent, from the ledger and in the provider's own form.
//!
//! The provider is never asked for a reader: its count would cost a request of the
//! minute, and it says nothing of what is set aside for calls in flight. The caps are
//! those that Larder keeps to, which the configuration may have set below the plan's.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use shared::model::EndpointName;
use shared::provider::{Provider, UsageReading};
use shared::store::LimitState;

use super::access::Access;
use super::headers;
use crate::app::App;
use crate::problem::{Kind, Problem};

/// Answers an endpoint that tells of the key itself.
///
/// # Errors
///
/// 404 for such an endpoint that reports no usage, 403 where strangers can reach this
/// address, since what is spent is the operator's business, and 503 without database.
pub(super) async fn answer(
    app: &App,
    provider: &Provider,
    access: Access,
    endpoint: &EndpointName,
) -> Result<Response, Problem> {
    if !provider.reports_usage(endpoint) {
        return Err(Problem::new(
            Kind::UnknownEndpoint,
            format!("{endpoint} tells of the key itself and is not cached"),
        ));
    }
    if access == Access::CacheOnly {
        return Err(Problem::new(
            Kind::CacheOnly,
            "set READ_API_SECRET, and send it, to read what the key has spent",
        ));
    }
    let lanes = app.store.budget().await?;
    let readings: Vec<UsageReading> = lanes
        .iter()
        .filter(|lane| lane.provider == provider.name().as_str())
        .flat_map(|lane| lane.limits.iter().map(reading))
        .collect();
    let today = app.store.credits_today(provider.name().as_str()).await?;
    let body = provider.usage_body(&readings, today, crate::clock::shown());
    let mut response = body.unwrap_or_default().into_response();
    let headers = response.headers_mut();
    headers::sealed(headers);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("cache-status"),
        HeaderValue::from_static("larder; detail=ledger"),
    );
    Ok(response)
}

/// Set aside counts as used: it cannot be spent on anything else.
fn reading(limit: &LimitState) -> UsageReading {
    let whole = |figure: i64| u64::try_from(figure).ok();
    UsageReading {
        limit: limit.name.clone(),
        window: None,
        used: whole(limit.spent + limit.reserved + limit.foreign),
        left: whole(limit.remaining),
        cap: whole(limit.cap),
        resets_at: limit.resets_at,
    }
}
