//! Answers readers from the cache, in the provider's own words.
//!
//! A read puts the entries of its resources together: from memory ([`copies`]), and from the
//! database what is not there. It never calls a provider. What is missing becomes a job at a
//! reader's priority, and the reader waits for it; what is old is answered as it is. An
//! answer that was put together before is given at once ([`fast`]).
//!
//! | entry                                  | answer                                      |
//! |----------------------------------------|---------------------------------------------|
//! | fresh, or tracked and overdue          | at once                                     |
//! | untracked and past its time            | at once, and one refresh is enqueued        |
//! | past `max_age`                         | after a refresh; the old one if none comes  |
//! | none                                   | after a refresh; else 502, 503 or 504       |
//! | planned, unusually old, `trigger_wait`  | after a refresh, within that time           |
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
mod answer;
mod attention;
mod coding;
mod compose;
mod copies;
mod demand;
mod directives;
mod entries;
mod fast;
mod fetch;
mod flights;
mod headers;
mod held;
mod keeper;
mod key_info;
mod misses;
mod proxy;
mod renew;
mod tally;
mod triggers;
mod verdict;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::routing::get;
use shared::config::Config;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::app::App;

pub(crate) use compose::Manners;
pub(crate) use copies::Copies;
pub(crate) use demand::Demand;
pub(crate) use fast::answer as fast_answer;
pub(crate) use flights::Flights;
pub(crate) use keeper::{Keeper, Wishes};
pub(crate) use misses::Misses;
pub(crate) use renew::Renewals;

/// Keeps what readers need up to date, until the server stops.
pub(crate) async fn keep(app: &App, wishes: Wishes) {
    tokio::join!(
        keeper::run(app, wishes),
        flights::run(app),
        demand::keep(app)
    );
}

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
    let sent: Vec<HeaderName> = [
        header::AUTHORIZATION,
        header::CACHE_CONTROL,
        header::IF_NONE_MATCH,
        HeaderName::from_static("prefer"),
    ]
    .into_iter()
    .chain(keys)
    .collect();
    let shown = [
        header::AGE,
        header::ETAG,
        header::RETRY_AFTER,
        HeaderName::from_static("cache-status"),
    ];
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::HEAD])
            .allow_headers(sent)
            .expose_headers(shown)
            // The answers say it themselves, also to those who name no origin.
            .vary([]),
    )
}
