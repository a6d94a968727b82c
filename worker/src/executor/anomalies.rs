//! Costs that cannot be true, such as a negative one: each is counted, and each endpoint's
//! first one is told. A provider that always writes one would otherwise fill the log.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use shared::metrics;
use shared::model::{EndpointName, ProviderName};
use shared::store::CallId;

/// Endpoints whose reported cost was told to be wrong.
#[derive(Debug, Default)]
pub(crate) struct Anomalies(Mutex<HashSet<EndpointName>>);

impl Anomalies {
    /// Notes a call whose cost is taken from the endpoint's rule, since what was reported
    /// is no cost.
    pub(super) fn note(&self, provider: &ProviderName, endpoint: &EndpointName, call: CallId) {
        metrics::cost_anomaly(provider.as_str(), endpoint.as_str());
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(endpoint.clone()) {
            tracing::warn!(%provider, %endpoint, %call, "the reported cost is missing or cannot be true; the endpoint's rule is used, and this is not told again");
        }
    }
}
