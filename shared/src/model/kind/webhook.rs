//! What a job of the kind `webhook` takes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::WebhookName;

/// The args of a `webhook`: `{"target": "app", "resources": ["coinmarketcap:…"]}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookArgs {
    /// Whom to tell: a name of the configuration. Never a URL, or whoever may enqueue
    /// could make the worker call any address that it can reach.
    pub target: WebhookName,
    /// Keys of the resources that changed.
    pub resources: Vec<String>,
    /// Whatever else the application wants to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}
