//! Puts the entries of a read together to the provider's own body.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::value::RawValue;
use shared::config::Config;
use shared::metrics::CacheReads;
use shared::model::{ProviderName, ResourceSpec};
use shared::provider::{Part, Provider};

use super::answer::{Answer, Manner};
use super::entries::{self, Entries};
use super::headers;
use super::held::Held;
use super::proxy::Reading;
use super::triggers::Trigger;
use super::verdict;
use crate::problem::{Kind, Problem};

/// What the answers of each provider have in common.
#[derive(Debug)]
pub(crate) struct Manners(BTreeMap<ProviderName, Arc<Manner>>);

impl Manners {
    /// The manners of the configured providers. `is_private` if readers need a secret.
    pub(crate) fn new<'p>(
        providers: impl Iterator<Item = &'p Arc<Provider>>,
        config: &Config,
        is_private: bool,
    ) -> Self {
        let origins = &config.enqueuer.cors_origins;
        let by_origin = !origins.is_empty() && !origins.iter().any(|origin| origin == "*");
        let manner = |provider: &Arc<Provider>| {
            let mut shown = HeaderMap::new();
            headers::sealed(&mut shown);
            headers::vary(&mut shown, provider, is_private, by_origin);
            let manner = Manner {
                headers: shown,
                is_private,
                reads: CacheReads::of(provider.name().as_str()),
                trigger: trigger(config, provider),
            };
            (provider.name().clone(), Arc::new(manner))
        };
        Self(providers.map(manner).collect())
    }

    fn of(&self, provider: &Provider) -> Option<&Arc<Manner>> {
        self.0.get(provider.name())
    }

    /// Whether reads of a provider's planned resources may cause calls.
    pub(super) fn trigger(&self, provider: &Provider) -> Option<Arc<Trigger>> {
        self.of(provider)?.trigger.clone()
    }

    /// Where reads of a provider are counted.
    pub(super) fn reads(&self, provider: &Provider) -> CacheReads {
        let manner = self.of(provider);
        manner.map_or_else(
            || CacheReads::of(provider.name().as_str()),
            |manner| manner.reads.clone(),
        )
    }
}

fn trigger(config: &Config, provider: &Provider) -> Option<Arc<Trigger>> {
    let wait = config.providers.get(provider.name())?.cache.trigger_wait;
    (!wait.is_zero()).then(|| Arc::new(Trigger::new(wait)))
}

/// Credits that the reader's question would have cost as a call, or as several if it is too
/// large for one.
fn worth(reading: &Reading<'_>) -> u64 {
    let (provider, key) = (reading.provider, &reading.request.batch_key);
    let items = reading.request.resources.len();
    let most = provider.max_items(key).max(1);
    let cost = |items: usize| match items {
        0 => 0,
        _ => provider.worst_case(key, items).map_or(0, u64::from),
    };
    let full = u64::try_from(items / most).unwrap_or(0);
    full * cost(most) + cost(items % most)
}

/// Puts the entries together.
///
/// # Errors
///
/// 404 if there is none, since the provider knows nothing of what was asked for; 500 if what
/// is cached does not fit the configuration.
pub(super) fn compose(reading: &Reading<'_>, entries: &Entries) -> Result<Arc<Answer>, Problem> {
    let misfit = |cause: String| {
        Problem::new(
            Kind::Internal,
            "what is cached does not fit the configuration",
        )
        .because(cause)
    };
    let found: Vec<(&ResourceSpec, &Arc<Held>)> = (reading.request.resources.iter())
        .filter_map(|resource| Some((resource, entries.get(&resource.key)?)))
        .collect();
    if found.is_empty() {
        return Err(verdict::unknown());
    }
    let parts: Vec<Part<'_>> = found
        .iter()
        .map(|(resource, held)| Part {
            item: resource.item.as_deref(),
            body: held.body.get(),
            envelope: held.envelope.as_deref().map(RawValue::get),
            fetched_at: held.fetched_at,
        })
        .collect();
    let body = reading
        .provider
        .join(reading.request, &parts)
        .map_err(|error| misfit(error.to_string()))?;
    let manner = reading.app.manners.of(reading.provider);
    let manner = manner.ok_or_else(|| misfit("a provider without manners".to_owned()))?;
    let states = found.iter().map(|(_, held)| Arc::clone(&held.state));
    let most = entries::most(reading).map(|most| most.as_secs_f64());
    let answer = Answer::new(
        states.collect(),
        Bytes::from(body),
        Arc::clone(manner),
        most,
        entries::shortest(reading).as_secs_f64(),
        worth(reading),
    );
    Ok(Arc::new(answer))
}
