//! The kind `webhook`: tells the user's application that resources changed.
//!
//! A job names a target of the configuration, never a URL. Its message is a signed POST
//! as Standard Webhooks 1.0.0 says (standardwebhooks.com, 2026-11), so that the libraries
//! of that convention verify it.
//!
//! | answer                          | outcome                                            |
//! |---------------------------------|----------------------------------------------------|
//! | 2xx                             | done                                               |
//! | 408, 425, 429, 5xx              | tried again; `Retry-After` in seconds is honoured   |
//! | none: no connection, too late   | tried again                                        |
//! | 410 and all others, 3xx too     | failed for good: the same message would fare the same |
//! | the target is not configured    | tried again: this worker may not know it yet        |
//!
//! # Not here
//!
//! Nothing of the answer's body is kept: it may hold anything, and errors are stored.

mod answer;
mod message;
mod targets;

use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use shared::model::kind::{self, WebhookArgs};

use self::message::{Body, timestamp};
use super::{Handler, HandlerContext, Outcome};

pub use targets::{WebhookError, Webhooks};

/// How long to wait for a worker that knows the target: about as long as it takes to
/// restart the next one with the new configuration.
const UNKNOWN_TARGET: Duration = Duration::from_secs(30);

/// Tells the user's application that resources changed.
#[derive(Debug, Clone, Copy)]
pub struct Webhook;

impl Handler for Webhook {
    const KIND: &'static str = kind::WEBHOOK;
    type Args = WebhookArgs;

    async fn run(&self, args: WebhookArgs, context: HandlerContext) -> Outcome {
        let services = &context.services;
        let Some(target) = services.webhooks.get(&args.target) else {
            return Outcome::Retry {
                after: Some(UNKNOWN_TARGET),
                error: format!(
                    "there is no webhook {} in this worker's configuration",
                    args.target
                ),
            };
        };
        let id = context.job.to_string();
        let body = match serde_json::to_vec(&Body::new(&id, &args, context.attempt)) {
            Ok(body) => body,
            Err(error) => return Outcome::fail(format!("no message can be made: {error}")),
        };
        let at = timestamp(context.started_at);
        let request = services
            .http
            .post(target.url.clone())
            .timeout(target.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", &at)
            .header("webhook-signature", target.key.sign(&id, &at, &body))
            .body(body);
        let sent = Instant::now();
        let outcome = answer::outcome(request.send().await).await;
        tracing::info!(
            job = %id,
            attempt = context.attempt,
            webhook = %args.target,
            elapsed_ms = sent.elapsed().as_millis(),
            outcome = match &outcome {
                Outcome::Done => "done",
                Outcome::Retry { .. } => "retry",
                Outcome::Fail { .. } => "failed",
            },
            "webhook sent"
        );
        outcome
    }
}
