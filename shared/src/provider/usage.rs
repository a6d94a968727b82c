//! What a provider says has been spent on the key.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::classify::Body;
use super::compile::pointer;
use super::pointer::Pointer;
use super::problem::Problems;
use super::{Outcome, Provider, RawReply, figure, time};
use crate::config::provider::{CalendarUnit, LimitConfig, UsageConfig};
use crate::model::{BatchKey, EndpointName};

/// Which endpoint reports usage, and where; checked.
#[derive(Debug, Clone)]
pub(super) struct Usage {
    endpoint: EndpointName,
    counts_itself: bool,
    pub(super) today: Option<Pointer>,
    pub(super) limits: Vec<UsagePointers>,
}

#[derive(Debug, Clone)]
pub(super) struct UsagePointers {
    pub(super) limit: String,
    pub(super) window: Option<CalendarUnit>,
    pub(super) used: Option<Pointer>,
    pub(super) left: Option<Pointer>,
    pub(super) cap: Option<Pointer>,
    pub(super) resets: Option<Pointer>,
    pub(super) resets_in: Option<Pointer>,
}

/// What a provider says of one limit. What it does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReading {
    /// Name of the limit.
    pub limit: String,
    /// The calendar window, in UTC, that the figures count over; `None` if it is the
    /// limit's own window.
    pub window: Option<CalendarUnit>,
    /// Spent in the current window; where the report has only what is left, what is
    /// missing of the report's own cap.
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
    pub(super) fn compile(
        config: &UsageConfig,
        known: &BTreeMap<String, LimitConfig>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let endpoint = config.endpoint.parse().ok();
        if endpoint.is_none() {
            problems.add(
                "usage.endpoint",
                &config.endpoint,
                "must be the name of an endpoint",
                "usage is read from there",
            );
        }
        let today = pointer("usage.today", config.today.as_ref(), problems);
        let mut limits = Vec::with_capacity(config.limits.len());
        for (index, limit) in config.limits.iter().enumerate() {
            let mut read = |name: &str, text: &Option<String>| {
                pointer(
                    format!("usage.limits[{index}].{name}"),
                    text.as_ref(),
                    problems,
                )
            };
            let pointers = UsagePointers {
                limit: limit.limit.clone(),
                window: limit.window,
                used: read("used", &limit.used),
                left: read("left", &limit.left),
                cap: read("cap", &limit.cap),
                resets: read("resets", &limit.resets),
                resets_in: read("resets_in", &limit.resets_in),
            };
            if !limit.optional || known.contains_key(&limit.limit) {
                limits.push(pointers);
            }
        }
        Some(Self {
            endpoint: endpoint?,
            counts_itself: config.counts_itself,
            today,
            limits,
        })
    }
}

impl Provider {
    /// Whether a usage report counts the call that asked for it.
    pub fn usage_counts_itself(&self) -> bool {
        self.usage.as_ref().is_some_and(|usage| usage.counts_itself)
    }

    /// The endpoint that reports usage, if the provider has one.
    pub fn usage_endpoint(&self) -> Option<&EndpointName> {
        self.usage.as_ref().map(|usage| &usage.endpoint)
    }

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
    /// [`UsageError`] if the reply is no usage report. A figure that is missing, or
    /// that cannot be true, is `None`, and the others count: plans of CoinMarketCap
    /// report different ones.
    pub fn usage(&self, reply: &RawReply<'_>) -> Result<Vec<UsageReading>, UsageError> {
        let usage = self.usage.as_ref().ok_or(UsageError::NotConfigured)?;
        let body = Body::read(reply.body);
        let outcome = self.classify(reply, &body, 0).outcome;
        if outcome != Outcome::Ok {
            return Err(UsageError::NoReport(outcome));
        }
        let date = time::of_reply(reply.headers);
        let number = |pointer: &Option<Pointer>| figure::parse(&body.scalar(pointer.as_ref()?)?);
        let readings: Vec<UsageReading> = usage
            .limits
            .iter()
            .map(|limit| {
                let (left, cap) = (number(&limit.left), number(&limit.cap));
                let missing = || cap?.checked_sub(left?);
                let resets = limit.resets.as_ref();
                UsageReading {
                    limit: limit.limit.clone(),
                    window: limit.window,
                    used: number(&limit.used).or_else(missing),
                    left,
                    cap,
                    resets_at: resets
                        .and_then(|pointer| time::parse(&body.scalar(pointer)?))
                        .filter(|at| time::may_end_a_window(*at, date)),
                }
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
