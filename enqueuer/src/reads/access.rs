//! Who may read, and whether a read may cause a call.

use std::net::IpAddr;

use axum::http::HeaderMap;
use shared::provider::Provider;

use crate::app::App;
use crate::door::{Refusal, bearer};
use crate::problem::Problem;

/// What a reader may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read, and have what is missing fetched.
    Full,
    /// Read what is in the cache: strangers can reach this address and nothing is asked
    /// of them, so nothing that they ask may cost.
    CacheOnly,
}

/// Checks what a reader shows.
///
/// With `READ_API_SECRET` it must be shown: as bearer, or where a program puts the
/// provider's key, so that an SDK needs no change but its base URL.
///
/// # Errors
///
/// 401 if a secret is needed and none of those shown is right.
pub(super) async fn check(
    app: &App,
    provider: Option<&Provider>,
    headers: &HeaderMap,
    query: &[(String, String)],
    from: IpAddr,
) -> Result<Access, Problem> {
    let Some(door) = &app.readers else {
        return Ok(if app.is_loopback {
            Access::Full
        } else {
            Access::CacheOnly
        });
    };
    let mut shown: Vec<&[u8]> = bearer(headers).into_iter().collect();
    if let Some(provider) = provider {
        let auth = &provider.config().auth;
        let header = auth.header.as_deref().and_then(|name| headers.get(name));
        shown.extend(header.map(axum::http::HeaderValue::as_bytes));
        let is_key = |name: &str| {
            let mut names = auth.query.iter().chain(&auth.reader_query);
            names.any(|key| key.eq_ignore_ascii_case(name))
        };
        shown.extend(
            query
                .iter()
                .filter(|(name, _)| is_key(name))
                .map(|(_, value)| value.as_bytes()),
        );
    }
    match door.pass(&shown, from).await {
        Ok(()) => Ok(Access::Full),
        Err(Refusal::Missing) => Err(Problem::unauthorized(
            "send READ_API_SECRET as bearer, or where the provider's own key goes",
        )),
        Err(Refusal::Wrong) => Err(Problem::unauthorized("the secret is not a right one")),
    }
}
