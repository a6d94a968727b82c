//! What can be cached, and what one call can fetch together.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{EndpointName, ProviderName};

/// Canonical name of one cacheable answer.
///
/// For example `coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1`: parameters
/// sorted, defaults dropped, no secrets, list parameters sorted, one key for each
/// item of the batch parameter. Only the provider engine makes keys, so that two
/// spellings of one question share one answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceKey(pub String);

impl ResourceKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Names the set of resources of a lane that one call can answer.
///
/// The endpoint and its canonical parameters, with the batch parameter's value
/// left open: `quotes_latest?convert=EUR&id=*`. An endpoint without a batch
/// parameter has one resource to a batch key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchKey(pub String);

impl BatchKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BatchKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A resource with all that is needed to queue and to fetch it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceSpec {
    /// Its canonical name.
    pub key: ResourceKey,
    /// Whose answer it is.
    pub provider: ProviderName,
    /// Which of the provider's paths gives it.
    pub endpoint: EndpointName,
    /// Which other resources the same call can fetch.
    pub batch_key: BatchKey,
    /// Its value of the batch parameter, such as an id; `None` for an endpoint
    /// that answers one question at a time.
    pub item: Option<String>,
}

/// When a tracked resource is refreshed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pace {
    /// As often as the planner decides.
    Planned,
    /// At the latest so long after the last time.
    Every(Duration),
    /// When a cron expression says so.
    Schedule {
        /// Five fields.
        expression: String,
        /// IANA time zone that it is read in.
        zone: String,
    },
}

/// How a resource is tracked.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracking {
    /// When it is refreshed.
    pub pace: Pace,
    /// Past this age a reader waits for a refresh.
    pub max_age: Option<Duration>,
    /// For how long an answer counts as fresh; `None` until the next refresh is overdue.
    pub fresh_for: Option<Duration>,
    /// How much a read counts against one of another resource.
    pub weight: f64,
}

impl Tracking {
    /// Refreshed at a pace, and nothing else said.
    pub fn every(every: Duration) -> Self {
        Self {
            pace: Pace::Every(every),
            ..Self::planned()
        }
    }

    /// Refreshed as the planner decides, and nothing else said.
    pub fn planned() -> Self {
        Self {
            pace: Pace::Planned,
            max_age: None,
            fresh_for: None,
            weight: 1.0,
        }
    }
}

/// A resource that the configuration wants refreshed ahead of need.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackSpec {
    /// Which resource.
    pub resource: ResourceSpec,
    /// Name of the group that it stands in.
    pub group: String,
    /// How it is tracked.
    pub tracking: Tracking,
}
