//! What the headers of a reply say is left.
//!
//! Providers that send such headers send them with every reply, so they tell sooner
//! than a usage endpoint what others spend on the same key. Each has a dialect of its
//! own; the configuration names the headers and how the reset is written.
//!
//! # When headers lie
//!
//! | header                                    | reading                              |
//! |-------------------------------------------|--------------------------------------|
//! | no number, negative, broken, over 10^15   | that figure is `None`                |
//! | more left than the cap                    | both are `None`: one of them is wrong |
//! | a reset over 366 days ahead, or a day ago | the reset is `None`                  |
//! | nothing sound at all                      | no reading                           |
//! | `Age` over 0                              | no readings: a cache repeats old ones |
//!
//! # Not here
//!
//! What follows for a lane, and `Retry-After`, which goes before all of this.

mod reset;
mod structured;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use self::reset::Reset;
use self::structured::Policies;
use super::compile::is_token;
use super::problem::Problems;
use super::retry_after::header;
use super::{Provider, RawReply, figure, time};
use crate::config::provider::{LimitConfig, RateLimitConfig, ResetFormat};

/// What a reply's headers say of one limit. What they do not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitReading {
    /// Name of the limit that they speak of, if it is one of ours.
    pub limit: Option<String>,
    /// The cap that the provider applies.
    pub cap: Option<u64>,
    /// Left in the current window.
    pub remaining: Option<u64>,
    /// How long after the reply the window ends; zero if it has just ended.
    pub resets_in: Option<Duration>,
    /// When the window ends by the provider's clock, if the headers give an instant.
    pub resets_at: Option<DateTime<Utc>>,
}

/// The headers that speak of one limit, checked.
#[derive(Debug, Clone)]
pub(super) struct RateLimit {
    limit: Option<String>,
    cap: Option<String>,
    remaining: Option<String>,
    reset: Option<(String, ResetFormat)>,
    policy: Option<String>,
}

impl RateLimit {
    /// Checks one section; what it broke is then among `problems`.
    pub(super) fn compile(
        index: usize,
        config: &RateLimitConfig,
        limits: &BTreeMap<String, LimitConfig>,
        problems: &mut Problems,
    ) -> Self {
        let key = format!("rate_limits[{index}]");
        check_names(&key, config, limits, problems);
        check_together(&key, config, problems);
        Self {
            limit: config.limit.clone(),
            cap: config.cap.clone(),
            remaining: config.remaining.clone(),
            reset: config.reset.clone().zip(config.format),
            policy: config.policy.clone(),
        }
    }

    fn reading(
        &self,
        headers: &[(String, String)],
        date: Option<DateTime<Utc>>,
    ) -> Option<RateLimitReading> {
        let (cap, remaining, reset) = match &self.reset {
            Some((name, ResetFormat::Structured)) => self.structured(headers, name),
            other => {
                let figure =
                    |name: &Option<String>| figure::parse(header(headers, name.as_ref()?)?);
                let reset = other
                    .as_ref()
                    .and_then(|(name, format)| Reset::parse(*format, header(headers, name)?));
                (figure(&self.cap), figure(&self.remaining), reset)
            }
        };
        let reset = reset
            .and_then(|reset| reset.seen_at(date))
            .unwrap_or_default();
        let is_torn = cap.zip(remaining).is_some_and(|(cap, left)| left > cap);
        let reading = RateLimitReading {
            limit: self.limit.clone(),
            cap: cap.filter(|_| !is_torn),
            remaining: remaining.filter(|_| !is_torn),
            resets_in: reset.after,
            resets_at: reset.at,
        };
        let says_something = reading.cap.is_some()
            || reading.remaining.is_some()
            || reading.resets_in.is_some()
            || reading.resets_at.is_some();
        says_something.then_some(reading)
    }

    fn structured(
        &self,
        headers: &[(String, String)],
        name: &str,
    ) -> (Option<u64>, Option<u64>, Option<Reset>) {
        let state = Policies::read(headers, name);
        let Some(policy) = state.chosen(self.policy.as_deref()) else {
            return (None, None, None);
        };
        let cap = self.cap.as_ref().and_then(|name| {
            let quotas = Policies::read(headers, name);
            quotas.chosen(Some(&policy.name))?.figure("q")
        });
        let reset = policy.figure("t").map(Reset::after_secs);
        (cap, policy.figure("r"), reset)
    }
}

impl Provider {
    /// What the reply's headers say is left, one reading for each section that says
    /// anything sound; empty for a reply that a cache on the way has kept.
    ///
    /// `date` is when the reply was made by the provider's clock; its own `Date` header
    /// goes before it. Without either, an instant is given as it is, and `resets_in` is
    /// `None`.
    pub fn rate_limits(
        &self,
        reply: &RawReply<'_>,
        date: Option<DateTime<Utc>>,
    ) -> Vec<RateLimitReading> {
        // Whoever answers from a cache repeats the figures of another time (IETF draft 11
        // of the RateLimit headers, 2026-05-23, and its issue 98).
        let is_kept = header(reply.headers, "age")
            .and_then(figure::parse)
            .is_some_and(|age| age > 0);
        if is_kept {
            return Vec::new();
        }
        let date = time::of_reply(reply.headers).or(date);
        self.rate_limits
            .iter()
            .filter_map(|section| section.reading(reply.headers, date))
            .collect()
    }
}

fn check_names(
    key: &str,
    config: &RateLimitConfig,
    limits: &BTreeMap<String, LimitConfig>,
    problems: &mut Problems,
) {
    if let Some(limit) = &config.limit
        && !limits.contains_key(limit)
    {
        problems.add(
            format!("{key}.limit"),
            limit,
            "must be the name of a limit",
            "what the headers say is compared with it",
        );
    }
    for (name, header) in [
        ("cap", &config.cap),
        ("remaining", &config.remaining),
        ("reset", &config.reset),
    ] {
        if let Some(header) = header
            && !is_token(header)
        {
            problems.add(
                format!("{key}.{name}"),
                header,
                "must be the name of a header",
                "HTTP allows letters, digits and a few signs in it",
            );
        }
    }
}

fn check_together(key: &str, config: &RateLimitConfig, problems: &mut Problems) {
    if config.remaining.is_none() && config.reset.is_none() {
        problems.add(
            key,
            config.cap.as_deref().unwrap_or_default(),
            "must have remaining or reset",
            "a cap alone does not change from reply to reply; it belongs to limits",
        );
        return;
    }
    if config.reset.is_some() != config.format.is_some() {
        problems.add(
            format!("{key}.format"),
            "",
            "must be given with reset, and only then",
            "3600 may be an hour from now or an instant in 1970",
        );
    }
    let is_structured = config.format == Some(ResetFormat::Structured);
    if is_structured && let Some(remaining) = &config.remaining {
        problems.add(
            format!("{key}.remaining"),
            remaining,
            "must not stand beside format = \"structured\"",
            "what is left stands in the header of reset, as r",
        );
    }
    if !is_structured && let Some(policy) = &config.policy {
        problems.add(
            format!("{key}.policy"),
            policy,
            "must stand beside format = \"structured\" only",
            "no other header speaks of several policies",
        );
    }
}
