//! What a provider says has been spent on the key.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::classify::Body;
use super::pointer::Pointer;
use super::problem::Problems;
use super::{Outcome, Provider, RawReply, time};
use crate::config::provider::UsageConfig;
use crate::model::{BatchKey, EndpointName};

/// Which endpoint reports usage, and where; checked.
#[derive(Debug, Clone)]
pub(super) struct Usage {
    endpoint: EndpointName,
    /// What stands around the figures when we report them ourselves.
    pub(super) around: Value,
    pub(super) limits: Vec<UsagePointers>,
}

#[derive(Debug, Clone)]
pub(super) struct UsagePointers {
    pub(super) limit: String,
    pub(super) used: Option<Pointer>,
    pub(super) left: Option<Pointer>,
    pub(super) cap: Option<Pointer>,
    pub(super) resets: Option<Pointer>,
}

/// What a provider says of one limit. What it does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReading {
    /// Name of the limit.
    pub limit: String,
    /// Spent in the current window.
    pub used: Option<u64>,
    /// Left in the current window.
    pub left: Option<u64>,
    /// The cap that the provider applies.
    pub cap: Option<u64>,
    /// When the window ends, by the provider's clock.
    pub resets_at: Option<DateTime<Utc>>,
}

/// Why a reply does not tell what has been spent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// The provider reports no usage.
    #[error("the provider has no endpoint that reports usage")]
    NotConfigured,
    /// The reply is an error.
    #[error("the reply is no usage report but {}", .0.as_str())]
    NoReport(Outcome),
    /// The reply has none of the figures.
    #[error("the usage report has none of the figures that the configuration names")]
    NoFigures,
}

impl Usage {
    /// Which endpoint reports.
    pub(super) fn endpoint(&self) -> &EndpointName {
        &self.endpoint
    }

    /// Checks the section; `None` when it broke a rule.
    pub(super) fn compile(config: &UsageConfig, problems: &mut Problems) -> Option<Self> {
        let endpoint = config.endpoint.parse().ok();
        if endpoint.is_none() {
            problems.add(
                "usage.endpoint",
                &config.endpoint,
                "must be the name of an endpoint",
                "usage is read from there",
            );
        }
        let around = config.around.as_deref().unwrap_or("{}");
        let around = serde_json::from_str(around)
            .ok()
            .filter(Value::is_object)
            .unwrap_or_else(|| {
                problems.add(
                    "usage.around",
                    around,
                    "must be a JSON object",
                    "the figures are put into it where the pointers lead",
                );
                Value::Null
            });
        let mut limits = Vec::with_capacity(config.limits.len());
        for (index, limit) in config.limits.iter().enumerate() {
            let mut read = |name: &str, text: &Option<String>| {
                let text = text.as_ref()?;
                match Pointer::parse(text) {
                    Ok(pointer) => Some(pointer),
                    Err(error) => {
                        problems.add(
                            format!("usage.limits.{index}.{name}"),
                            text,
                            "must be a JSON pointer",
                            error.to_string(),
                        );
                        None
                    }
                }
            };
            limits.push(UsagePointers {
                limit: limit.limit.clone(),
                used: read("used", &limit.used),
                left: read("left", &limit.left),
                cap: read("cap", &limit.cap),
                resets: read("resets", &limit.resets),
            });
        }
        Some(Self {
            endpoint: endpoint?,
            around,
            limits,
        })
    }
}

impl Provider {
    /// The batch key of the call that reports usage, if the provider has one. It
    /// carries no items.
    pub fn usage_call(&self) -> Option<BatchKey> {
        let usage = self.usage.as_ref()?;
        Some(BatchKey(usage.endpoint.to_string()))
    }

    /// What the provider says has been spent, from a reply to [`Provider::usage_call`].
    ///
    /// # Errors
    ///
    /// [`UsageError`] if the reply is no usage report. A figure that is missing or
    /// no whole number is `None`, as older plans of CoinMarketCap report fewer.
    pub fn usage(&self, reply: &RawReply<'_>) -> Result<Vec<UsageReading>, UsageError> {
        let usage = self.usage.as_ref().ok_or(UsageError::NotConfigured)?;
        let body = Body::read(reply.body);
        let outcome = self.classify(reply, &body, 0).outcome;
        if outcome != Outcome::Ok {
            return Err(UsageError::NoReport(outcome));
        }
        let number = |pointer: &Option<Pointer>| body.scalar(pointer.as_ref()?)?.parse().ok();
        let readings: Vec<UsageReading> = usage
            .limits
            .iter()
            .map(|limit| UsageReading {
                limit: limit.limit.clone(),
                used: number(&limit.used),
                left: number(&limit.left),
                cap: number(&limit.cap),
                resets_at: limit
                    .resets
                    .as_ref()
                    .and_then(|pointer| time::parse(&body.scalar(pointer)?)),
            })
            .filter(|reading| {
                reading.used.is_some() || reading.left.is_some() || reading.cap.is_some()
            })
            .collect();
        if readings.is_empty() {
            return Err(UsageError::NoFigures);
        }
        Ok(readings)
    }
}
