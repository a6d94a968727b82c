//! Answers readers from the cache, in the provider's own words.
//!
//! A read asks the database for the entries of its resources and puts them together. It
//! never calls a provider. What is missing becomes a job at a reader's priority, and the
//! reader waits for it; what is old is answered as it is.
//!
//! | entry                                  | answer                                      |
//! |----------------------------------------|---------------------------------------------|
//! | fresh, or tracked and overdue          | at once                                     |
//! | untracked and past its time            | at once, and one refresh is enqueued        |
//! | past `max_age`                         | after a refresh; the old one if none comes  |
//! | none                                   | after a refresh; else 502, 503 or 504       |
//!
//! What the key has spent is answered from the ledger, in the provider's form.
//!
//! Nothing of a reader's request goes upstream: what is fetched is the canonical
//! question, made of known parameters only.
//!
//! # Not here
//!
//! What a question means, and how answers are put together: `shared::provider`.

mod access;
mod demand;
mod headers;
mod key_info;
mod proxy;
mod renew;
mod verdict;
mod wait;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::routing::get;
use shared::config::Config;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::app::App;

pub(crate) use demand::{Demand, keep};
pub(crate) use renew::Renewals;

/// The routes of readers, for the pages of the configured origins too.
pub(crate) fn routes(config: &Config) -> Router<App> {
    let read = get(proxy::read);
    let read = match cors(config) {
        // The layer answers OPTIONS itself, but only where the method is routed at all.
        Some(cors) => read.options(async || StatusCode::NO_CONTENT).layer(cors),
        None => read,
    };
    Router::new().route("/proxy/{*rest}", read)
}

fn cors(config: &Config) -> Option<CorsLayer> {
    let origins = &config.enqueuer.cors_origins;
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(
            origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok()),
        )
    };
    let keys = config
        .providers
        .values()
        .filter_map(|section| section.provider.auth.header.as_deref())
        .filter_map(|name| name.parse::<HeaderName>().ok());
    let sent: Vec<HeaderName> = [header::AUTHORIZATION, HeaderName::from_static("prefer")]
        .into_iter()
        .chain(keys)
        .collect();
    let shown = [
        header::AGE,
        header::RETRY_AFTER,
        HeaderName::from_static("cache-status"),
    ];
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::HEAD])
            .allow_headers(sent)
            .expose_headers(shown),
    )
}
