//! What the configuration comes to: providers that are ready to be asked, the rows of
//! their lanes, and every resource that is refreshed ahead of need.
//!
//! A process makes one catalog at start and shares it. Making it is also the second half
//! of checking a configuration: what only the provider engine can refuse (an unknown
//! endpoint, a parameter that it does not have) is reported with the rest, each problem
//! with its key.

mod follow;
mod lanes;
mod plan;
mod track;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::budget::Pricing;
use crate::config::{Config, ConfigErrors, Loaded, Problems, Source, load_with};
use crate::model::kind::{self, WebhookArgs};
use crate::model::{
    BatchKey, EndpointName, FollowSpec, Members, ProviderName, ResourceSpec, TrackSpec, Wanted,
};
use crate::provider::{Provider, RequestError};

pub use lanes::key_id;
pub use plan::{Known, Planning, planning};

/// Everything that a process knows of the configuration. Share it in an `Arc`.
#[derive(Debug, Clone)]
pub struct Catalog {
    config: Config,
    providers: BTreeMap<ProviderName, Arc<Provider>>,
    tracked: Vec<TrackSpec>,
    followed: Vec<FollowSpec>,
}

impl Catalog {
    /// Loads the configuration and makes the catalog of it.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn load(source: &Source) -> Result<(Self, Loaded), ConfigErrors> {
        let mut made = None;
        let loaded = load_with(source, |config, problems| {
            made = Some(Self::make(config.clone(), problems));
        })?;
        // The check ran, since loading succeeded.
        let catalog =
            made.unwrap_or_else(|| Self::make(loaded.config.clone(), &mut Problems::default()));
        Ok((catalog, loaded))
    }

    fn make(config: Config, problems: &mut Problems) -> Self {
        let mut providers = BTreeMap::new();
        for (name, section) in &config.providers {
            match Provider::compile(name, &section.provider) {
                Ok(provider) => {
                    providers.insert(name.clone(), Arc::new(provider));
                }
                Err(found) => {
                    for problem in found {
                        let key = format!("providers.{name}.{}", problem.key);
                        problems.refuse(&key, &problem.rule, &problem.reason);
                    }
                }
            }
        }
        let tracked = track::resolve(&config, &providers, problems);
        let followed = follow::resolve(&config, &providers, &tracked, problems);
        Self {
            config,
            providers,
            tracked,
            followed,
        }
    }

    /// The configuration that it was made of.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The provider of this name.
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers
            .iter()
            .find(|(known, _)| known.as_str() == name)
            .map(|(_, provider)| provider)
    }

    /// Every provider, by name.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }

    /// Every resource that the configuration names to be tracked.
    pub fn tracked(&self) -> &[TrackSpec] {
        &self.tracked
    }

    /// Every group whose members stand in a list.
    pub fn followed(&self) -> &[FollowSpec] {
        &self.followed
    }

    /// All that is to be tracked, as the store takes it.
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted {
            tracked: &self.tracked,
            followed: &self.followed,
            members: self,
        }
    }

    /// Checks that a handler of `kind` could run with `args`: that they are of its type,
    /// and that what they name stands in the configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in words.
    pub fn check_args(&self, kind: &str, args: &serde_json::Value) -> Result<(), String> {
        kind::check_args(kind, args)?;
        if kind != kind::WEBHOOK {
            return Ok(());
        }
        let WebhookArgs { target, .. } = kind::parse(args)?;
        let webhooks = &self.config.webhooks;
        if webhooks.contains_key(&target) {
            return Ok(());
        }
        let known: Vec<&str> = webhooks.keys().map(|name| name.as_str()).collect();
        Err(match known.as_slice() {
            [] => format!("target: there is no webhook {target}; the configuration has none"),
            _ => format!(
                "target: there is no webhook {target}; there is: {}",
                known.join(", ")
            ),
        })
    }

    /// The one resource that a key names, in any spelling.
    ///
    /// # Errors
    ///
    /// [`ResourceError`] for an unknown provider, and whatever its engine refuses.
    pub fn resource(&self, key: &str) -> Result<ResourceSpec, ResourceError> {
        let name = key.split([':', '.']).next().unwrap_or_default();
        let provider = self
            .provider(name)
            .ok_or_else(|| ResourceError::UnknownProvider {
                given: name.chars().take(60).collect(),
                known: self
                    .providers
                    .keys()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            })?;
        Ok(provider.resource(key)?)
    }
}

/// Why a text names no resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// The configuration has no such provider.
    #[error("there is no provider {given:?}; there is: {known}")]
    UnknownProvider {
        /// What was given.
        given: String,
        /// What there is.
        known: String,
    },
    /// The provider's engine refuses it.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl Members for Catalog {
    fn members(&self, follow: &FollowSpec, list: &str) -> Result<Vec<ResourceSpec>, String> {
        let provider = self
            .providers
            .get(&follow.provider)
            .ok_or("its provider is gone")?;
        provider
            .members(follow, list)
            .map_err(|error| match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            })
    }
}

impl Pricing for Provider {
    fn endpoint(&self, batch: &BatchKey) -> Option<EndpointName> {
        let name = batch.as_str().split('?').next()?;
        let name: EndpointName = name.parse().ok()?;
        Self::endpoint(self, &name).map(|endpoint| endpoint.name().clone())
    }

    fn worst_case(&self, batch: &BatchKey, items: usize) -> Option<u32> {
        Self::worst_case(self, batch, items).ok()
    }

    fn max_items(&self, batch: &BatchKey) -> usize {
        Self::max_items(self, batch)
    }

    fn items_for_same_cost(&self, batch: &BatchKey, items: usize) -> usize {
        Self::items_for_same_cost(self, batch, items)
    }

    fn endpoints_within(&self, credits: u32) -> Vec<EndpointName> {
        self.endpoints()
            .filter(|endpoint| !endpoint.is_local() && endpoint.cheapest() <= credits)
            .map(|endpoint| endpoint.name().clone())
            .collect()
    }
}
