//! A JSON schema of the configuration file, for editors.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{
    DatabaseConfig, EnqueuerConfig, ProviderBudget, ProviderCache, QueueConfig, TrackGroup,
    WebhookTarget, WorkerConfig,
};

/// The file as a whole. It is never made: only its schema is.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "larder.toml")]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
struct File {
    worker: Option<WorkerConfig>,
    enqueuer: Option<EnqueuerConfig>,
    queue: Option<QueueConfig>,
    database: Option<DatabaseConfig>,
    /// What is known of each provider. Names: `[a-z][a-z0-9_]*`.
    providers: Option<std::collections::BTreeMap<String, Provider>>,
    /// Addresses that are told what changed. Names: `[a-z][a-z0-9_]*`.
    webhooks: Option<std::collections::BTreeMap<String, WebhookTarget>>,
    track: Option<Vec<TrackGroup>>,
}

/// The part of a provider's table that is the same for all.
///
/// The rest is checked against the provider engine by `larder check`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
struct Provider {
    /// The compiled-in preset to start from: its name, or `none`. Without it,
    /// the preset of the provider's own name, if there is one.
    preset: Option<String>,
    budget: Option<ProviderBudget>,
    cache: Option<ProviderCache>,
}

/// A JSON schema of the configuration file.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(File).to_value();
    schema["$id"] = json!("larder.schema.json");
    schema
}
