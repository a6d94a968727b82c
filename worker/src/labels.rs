//! What the labels of a worker's metrics can be: closed sets, from the configuration.

use shared::catalog::Catalog;
use shared::metrics::{LAPSED, Labels};
use shared::provider::{Outcome, Provider};

use crate::client::CallError;
use crate::verdict::CANNOT_STORE;

/// The labels of a worker with this configuration.
pub(crate) fn of(catalog: &Catalog) -> Labels {
    let outcomes = Outcome::ALL.iter().map(|outcome| outcome.as_str());
    Labels {
        providers: catalog
            .providers()
            .map(|provider| names(provider))
            .collect(),
        outcomes: outcomes
            .chain(CallError::OUTCOMES)
            .chain([CANNOT_STORE, LAPSED])
            .collect(),
    }
}

fn names(provider: &Provider) -> (String, Vec<String>) {
    let own = provider.endpoints().map(|endpoint| endpoint.name());
    let endpoints = own.chain(provider.usage_endpoint());
    let endpoints = endpoints.map(ToString::to_string).collect();
    (provider.name().to_string(), endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_documented() {
        let page = include_str!("../../docs/METRICS.md");
        let outcomes = Outcome::ALL.iter().map(|outcome| outcome.as_str());
        let all = outcomes.chain(CallError::OUTCOMES);
        let all = all.chain([CANNOT_STORE, LAPSED]);
        let unknown: Vec<_> = all
            .filter(|word| !page.contains(&format!("`{word}`")))
            .collect();
        assert_eq!(unknown, Vec::<&str>::new());
    }
}
