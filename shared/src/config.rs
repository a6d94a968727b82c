//! The configuration: what the operator decides.
//!
//! It is one TOML file, `larder.toml`, in which every key has a default; presets
//! that stand under its providers; and variables that set single keys. Secrets
//! are apart, in [`Secrets`]: they come from the environment only.
//!
//! Every mistake is found at once and named with its key, value and place, by
//! [`load()`]; see [`ConfigErrors`].
//!
//! # Not here
//!
//! What a provider's table means is the provider engine's to say: it compiles
//! [`provider::ProviderConfig`] and adds what it finds wrong through
//! [`load_with`]. Which resources a group stands for is found with its help too.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{ProviderName, WebhookName};

mod budget;
mod cache;
mod database;
mod enqueuer;
mod environment;
mod layers;
mod load;
mod optional;
mod origin;
mod overrides;
mod problems;
pub mod provider;
mod queue;
mod schema;
mod secrets;
mod sections;
mod shown;
mod strict;
mod track;
mod tree;
mod typed;
mod webhook;
mod wording;
mod worker;

pub use budget::{BudgetMode, ProviderBudget};
pub use cache::ProviderCache;
pub use database::DatabaseConfig;
pub use enqueuer::EnqueuerConfig;
pub use environment::environment;
pub use load::{EXAMPLE_ORIGIN, Loaded, Source, load, load_with};
pub use origin::{Origin, Places};
pub use problems::{ConfigErrors, Problem, Problems};
pub use queue::{QueueConfig, RetryConfig};
pub use schema::schema;
pub use secrets::{Secrets, without_password};
pub use track::{GroupName, ParameterValue, Scalar, TrackGroup};
pub use webhook::WebhookTarget;
pub use worker::WorkerConfig;

/// The shipped `larder.toml`, which stands in when there is no file.
pub const EXAMPLE: &str = include_str!("../../larder.toml");

/// Everything that the operator decides, secrets apart.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Config {
    /// How jobs are claimed and run.
    pub worker: WorkerConfig,
    /// The HTTP side.
    pub enqueuer: EnqueuerConfig,
    /// How often a job is tried and how long it is remembered.
    pub queue: QueueConfig,
    /// How every process talks to Postgres.
    pub database: DatabaseConfig,
    /// The APIs, by name.
    pub providers: BTreeMap<ProviderName, ProviderSection>,
    /// Whom jobs of the kind `webhook` can tell what changed, by name.
    pub webhooks: BTreeMap<WebhookName, WebhookTarget>,
    /// What is refreshed ahead of need.
    pub track: Vec<TrackGroup>,
}

/// `[providers.x]`: one API, its budget and its answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderSection {
    /// What the provider engine is told, with the preset under it.
    pub provider: provider::ProviderConfig,
    /// How carefully its budget is guarded.
    pub budget: ProviderBudget,
    /// How long its answers are good.
    pub cache: ProviderCache,
}
