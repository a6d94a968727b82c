//! `GET /proxy/{provider}/{path}?{query}`: the provider's own answer, from the cache.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use shared::provider::{Provider, ReadRequest, RequestError};

use super::access::{self, Access};
use super::answer::{Answer, Wish};
use super::directives::{Directives, wanted_wait};
use super::entries::{self, Entries};
use super::headers::{self, Source};
use super::tally::Tally;
use super::{compose, fetch, key_info, triggers};
use crate::address::Address;
use crate::app::App;
use crate::problem::{Kind, Problem};

/// A read on its way.
pub(super) struct Reading<'r> {
    pub(super) app: &'r App,
    pub(super) provider: &'r Arc<Provider>,
    pub(super) request: &'r ReadRequest,
    pub(super) access: Access,
    pub(super) directives: Directives,
    pub(super) from: IpAddr,
    /// For how long the reader waits at most.
    pub(super) wait: Duration,
}

/// Read a provider's answer from the cache, in the provider's own words.
///
/// What is missing is fetched first, for as long as `Prefer: wait=n` or the
/// configuration lets the reader wait. `Age` is that of the oldest part.
pub(super) async fn read(
    State(app): State<App>,
    Address(from): Address,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (name, path) = split(uri.path());
    let query = decode(uri.query().unwrap_or_default())?;
    let provider = app.catalog.provider(name);
    let provider_ref = provider.map(Arc::as_ref);
    let access = access::check(&app, provider_ref, &headers, &query, from)
        .await
        .map_err(|problem| match provider {
            Some(provider) => problem.in_words_of(provider),
            None => problem,
        })?;
    let provider = provider.ok_or_else(|| {
        let shown: String = name.chars().take(60).collect();
        Problem::new(
            Kind::UnknownProvider,
            format!("there is no provider {shown:?}"),
        )
    })?;
    let wanted = wanted_wait(&headers).map(|wait| wait.min(app.config().enqueuer.max_wait));
    let request = provider
        .read(path, &query)
        .map_err(|error| refuse(&error).in_words_of(provider))?;
    if request.resources.is_empty() {
        let told = key_info::answer(&app, provider, access, &request.endpoint).await;
        return told.map_err(|problem| problem.in_words_of(provider));
    }
    let reading = Reading {
        app: &app,
        provider,
        request: &request,
        access,
        directives: Directives::of(&headers),
        from,
        wait: wanted.unwrap_or(app.config().enqueuer.default_wait),
    };
    // An answer is kept by its question's words, in which there must be no secret.
    let words = uri
        .path_and_query()
        .map(axum::http::uri::PathAndQuery::as_str);
    let words = words.filter(|_| !query.iter().any(|(name, _)| provider.is_secret(name)));
    let answered = answer(&reading, words).await;
    let (answer, source) = answered.map_err(|problem| problem.in_words_of(provider))?;
    let wish = Wish::of(&headers);
    let response = answer.respond(app.copies.now(), &wish, source).await;
    let mut response = response.map(Body::new);
    if let Some(wait) = wanted {
        let (name, value) = headers::preference_applied(wait);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

async fn answer(
    reading: &Reading<'_>,
    words: Option<&str>,
) -> Result<(Arc<Answer>, Source), Problem> {
    let Reading { app, request, .. } = reading;
    let mut entries = Entries::load(app, &request.resources).await?;
    let now = app.copies.now();
    entries::count(reading, &entries);
    let needs = entries::judge(reading, &entries, now);
    let tally = Tally::begin(reading, &entries, &needs, now);
    let mut source = needs.source();
    if reading.directives.only_if_cached && source != Source::Hit {
        return Err(Problem::new(
            Kind::NotCached,
            "the request said only-if-cached",
        ));
    }
    if reading.access == Access::Full {
        // Nothing piles up in front of a closed lane.
        if app
            .copies
            .closed(reading.provider.name().as_str())
            .is_none()
        {
            super::renew::renew(app, needs.renew);
        }
        if !needs.fetch.is_empty() {
            fetch::fetch(reading, needs.fetch, &mut entries).await?;
        } else if triggers::renew(reading, &mut entries).await {
            source = Source::Stale;
        }
    } else if needs.fetch.iter().any(|need| need.base == 0) {
        return Err(Problem::new(
            Kind::CacheOnly,
            "set READ_API_SECRET, and send it, to have missing resources fetched",
        ));
    }
    let answer = compose::compose(reading, &entries)?;
    tally.given(&entries, &answer);
    if let Some(words) = words
        && entries.is_complete(&request.resources)
    {
        app.copies.keep_answer(words, &answer);
    }
    Ok((answer, source))
}

/// The provider's name and the path after it, still encoded: an encoded slash is part of
/// a value, never a separator.
fn split(path: &str) -> (&str, &str) {
    let rest = path.strip_prefix("/proxy/").unwrap_or_default();
    let (name, _) = rest.split_once('/').unwrap_or((rest, ""));
    (name, &rest[name.len()..])
}

fn decode(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    if pairs
        .iter()
        .any(|(name, value)| name.contains('\0') || value.contains('\0'))
    {
        return Err(Problem::new(
            Kind::InvalidParameter,
            "the query holds a NUL character",
        ));
    }
    Ok(pairs)
}

fn refuse(error: &RequestError) -> Problem {
    let kind = match error {
        RequestError::UnknownEndpoint { .. } => Kind::UnknownEndpoint,
        _ => Kind::InvalidParameter,
    };
    Problem::new(kind, error.to_string())
}
