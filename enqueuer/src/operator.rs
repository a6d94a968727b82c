//! Lets operators and cron into `/api`, and nobody else.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::address::Address;
use crate::app::App;
use crate::door::{Refusal, bearer};
use crate::problem::{Kind, Problem};

/// Proof that a request showed `JOBS_API_SECRET` and came from where it may.
///
/// A handler that takes it cannot be reached without: the check runs before the body is
/// read. The secret is taken from `Authorization: Bearer` and from no other place, since
/// a URL ends up in logs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Address(from) = Address::of(parts, &app.config().enqueuer.trusted_proxies);
        let allowed = &app.config().enqueuer.allow_from;
        if !allowed.is_empty() && !allowed.iter().any(|network| network.contains(&from)) {
            return Err(Problem::new(
                Kind::AddressNotAllowed,
                "enqueuer.allow_from does not have your address",
            ));
        }
        let shown: Vec<&[u8]> = bearer(&parts.headers).into_iter().collect();
        match app.operators.pass(&shown, from).await {
            Ok(()) => Ok(Self),
            Err(Refusal::Missing) => Err(Problem::unauthorized(
                "send Authorization: Bearer with JOBS_API_SECRET",
            )),
            Err(Refusal::Wrong) => Err(Problem::unauthorized("the secret is not a right one")),
        }
    }
}
