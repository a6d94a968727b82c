//! `GET /proxy/{provider}/{path}?{query}`: the provider's own answer, from the cache.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use shared::metrics;
use shared::model::{LaneName, ResourceKey, ResourceSpec};
use shared::provider::{Part, Provider, ReadRequest, RequestError};
use shared::store::CachedEntry;

use super::access::{self, Access};
use super::headers::{self, Freshness};
use super::renew::renew;
use super::{key_info, verdict, wait};
use crate::address::Address;
use crate::app::App;
use crate::problem::{Kind, Problem};

type Entries = HashMap<ResourceKey, CachedEntry>;

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
    answer(&app, provider, access, path, &query, &headers)
        .await
        .map_err(|problem| problem.in_words_of(provider))
}

async fn answer(
    app: &App,
    provider: &Arc<Provider>,
    access: Access,
    path: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let request = provider.read(path, query).map_err(refuse)?;
    if request.resources.is_empty() {
        return key_info::answer(app, provider, access, &request.endpoint).await;
    }

    let mut entries = by_key(app.store.entries(&keys(&request.resources)).await?);
    count(provider, &request, &entries);
    let most = max_age(app, provider);
    let missing: Vec<ResourceSpec> = request
        .resources
        .iter()
        .filter(|resource| {
            !entries
                .get(&resource.key)
                .is_some_and(|it| is_good(it, most))
        })
        .cloned()
        .collect();
    let wanted = headers::wanted_wait(headers);
    let is_hit = missing.is_empty();
    let read = request.resources.iter().map(|resource| &resource.key);
    app.demand.note(read, !is_hit);
    if access == Access::Full {
        renew_old(app, &request, &entries, most);
        if !is_hit {
            let longest = app.config().enqueuer.max_wait;
            let wait = wanted.unwrap_or(app.config().enqueuer.default_wait);
            let wait = wait.min(longest);
            fetch(app, provider, &request, &missing, &mut entries, wait, most).await?;
        }
    } else if missing.iter().any(|it| !entries.contains_key(&it.key)) {
        return Err(Problem::new(
            Kind::CacheOnly,
            "set READ_API_SECRET, and send it, to have missing resources fetched",
        ));
    }
    let mut response = compose(app, provider, &request, &entries, is_hit)?;
    if let Some(wanted) = wanted {
        let wait = wanted.min(app.config().enqueuer.max_wait);
        let (name, value) = headers::preference_applied(wait);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Has `missing` fetched into `entries`.
async fn fetch(
    app: &App,
    provider: &Provider,
    request: &ReadRequest,
    missing: &[ResourceSpec],
    entries: &mut Entries,
    wait: Duration,
    most: Option<Duration>,
) -> Result<(), Problem> {
    let lane = LaneName::from(provider.name());
    // What is there is too old, so that it must not be taken for the answer.
    let old = |key: &ResourceKey| entries.contains_key(key);
    let fetched = wait::fetch(app, &lane, missing, wait, old, |entry| is_good(entry, most)).await;
    let waited = match fetched {
        Ok(waited) => waited,
        // The database takes no jobs: old answers are answers still.
        Err(_) if missing.iter().all(|it| entries.contains_key(&it.key)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    entries.extend(by_key(waited.entries));
    verdict::after_wait(
        &request.resources,
        |key| entries.contains_key(key),
        &waited.failed,
        &waited.end,
        wait,
    )
}

/// Puts the entries together, with the headers that say how old they are.
fn compose(
    app: &App,
    provider: &Provider,
    request: &ReadRequest,
    entries: &Entries,
    is_hit: bool,
) -> Result<Response, Problem> {
    let found: Vec<(&ResourceSpec, &CachedEntry)> = request
        .resources
        .iter()
        .filter_map(|resource| Some((resource, entries.get(&resource.key)?)))
        .collect();
    let parts: Vec<Part<'_>> = found
        .iter()
        .map(|(resource, entry)| Part {
            item: resource.item.as_deref(),
            body: entry.body.get(),
            envelope: entry.envelope.as_deref().map(RawValue::get),
            fetched_at: entry.fetched_at,
        })
        .collect();
    let body = provider.join(request, &parts).map_err(|error| {
        Problem::new(
            Kind::Internal,
            "what is cached does not fit the configuration",
        )
        .because(error.to_string())
    })?;
    let ages = found.iter().map(|(_, entry)| entry.age_secs);
    let ttls = found.iter().map(|(_, entry)| entry.ttl_secs);
    let freshness = Freshness {
        age_secs: ages.fold(0.0, f64::max),
        ttl_secs: ttls.fold(f64::INFINITY, f64::min),
        is_hit,
    };
    let is_private = app.readers.is_some();
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers::sealed(headers);
    headers::freshness(headers, freshness, is_private);
    if is_private {
        headers::vary(headers, provider);
    }
    Ok(response)
}

/// Old entries that nobody refreshes ahead of need get one refresh. A tracked one does
/// not: the plan has its turn, and readers add nothing to what it costs.
fn renew_old(app: &App, request: &ReadRequest, entries: &Entries, most: Option<Duration>) {
    let is_old = |resource: &&ResourceSpec| {
        let entry = entries.get(&resource.key);
        entry.is_some_and(|it| !it.tracked && it.ttl_secs <= 0.0 && is_good(it, most))
    };
    renew(
        app,
        request.resources.iter().filter(is_old).cloned().collect(),
    );
}

fn count(provider: &Provider, request: &ReadRequest, entries: &Entries) {
    for resource in &request.resources {
        let entry = entries.get(&resource.key);
        let result = match entry {
            Some(entry) if entry.ttl_secs > 0.0 => "fresh",
            Some(_) => "stale",
            None => "miss",
        };
        let age = entry.map(|entry| entry.age_secs);
        metrics::cache_read(provider.name().as_str(), result, age);
    }
}

/// Age past which a reader of this provider waits for a refresh.
fn max_age(app: &App, provider: &Provider) -> Option<Duration> {
    let section = app.config().providers.get(provider.name())?;
    section.cache.max_age
}

/// Whether an entry will do as it is: what the resource itself says of its age wins over
/// what its provider says.
fn is_good(entry: &CachedEntry, most: Option<Duration>) -> bool {
    let most = entry.max_age_secs.or(most.map(|most| most.as_secs_f64()));
    most.is_none_or(|most| entry.age_secs <= most)
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

fn refuse(error: RequestError) -> Problem {
    let kind = match &error {
        RequestError::UnknownEndpoint { .. } => Kind::UnknownEndpoint,
        _ => Kind::InvalidParameter,
    };
    Problem::new(kind, error.to_string())
}

fn keys(resources: &[ResourceSpec]) -> Vec<ResourceKey> {
    resources
        .iter()
        .map(|resource| resource.key.clone())
        .collect()
}

fn by_key(entries: Vec<CachedEntry>) -> Entries {
    entries
        .into_iter()
        .map(|entry| (entry.resource_key.clone(), entry))
        .collect()
}
