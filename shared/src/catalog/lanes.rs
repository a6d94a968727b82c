//! The rows of the providers' lanes.

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::Catalog;
use crate::budget::{LaneSpec, LimitSpec, LimitWindow, Mode, Period, Unit};
use crate::config::provider::{CalendarUnit, LimitUnit};
use crate::config::{BudgetMode, Secrets};
use crate::model::ProviderName;
use crate::provider::{Limit, Window};

impl Catalog {
    /// Every provider's lane and limits, with the digest of the key that is in use.
    pub fn lanes(&self, secrets: &Secrets) -> Vec<LaneSpec> {
        self.config
            .providers
            .iter()
            .filter_map(|(name, section)| {
                let provider = self.providers.get(name)?;
                Some(LaneSpec {
                    provider: name.clone(),
                    host: provider.host().to_owned(),
                    key_id: self.key_id(name, secrets),
                    reset_grace: section.budget.reset_grace,
                    max_freeze: section.budget.max_freeze,
                    max_transit: section.budget.max_transit,
                    mode: match section.budget.mode {
                        BudgetMode::Enforce => Mode::Enforce,
                        BudgetMode::Observe => Mode::Observe,
                    },
                    readers_share: section.budget.readers_share,
                    breaker_failures: section.budget.breaker_failures,
                    breaker_pause: section.budget.breaker_pause,
                    breaker_max_pause: section.budget.breaker_max_pause,
                    usage_endpoint: provider.usage_endpoint().cloned(),
                    max_attempts: self.config.queue.max_attempts,
                    limits: provider.limits().iter().map(limit).collect(),
                })
            })
            .collect()
    }

    /// Digest of the provider's key; `None` where none is needed or set.
    pub fn key_id(&self, provider: &ProviderName, secrets: &Secrets) -> Option<String> {
        let section = self.config.providers.get(provider)?;
        let variable = section.provider.key_env.as_deref()?;
        let key = secrets.provider_key(variable)?;
        Some(key_id(key.expose_secret()))
    }
}

/// Tells one key from another without telling the key: the first 8 bytes of its SHA-256.
pub fn key_id(key: &str) -> String {
    let digest = Sha256::new()
        .chain_update(b"larder key id\0")
        .chain_update(key.as_bytes())
        .finalize();
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A limit as the store takes it.
fn limit(limit: &Limit) -> LimitSpec {
    let window = match &limit.window {
        Window::Rolling(width) => LimitWindow::Rolling(*width),
        Window::Calendar {
            unit,
            zone,
            day,
            at,
        } => LimitWindow::Calendar {
            period: match unit {
                CalendarUnit::Minute => Period::Minute,
                CalendarUnit::Hour => Period::Hour,
                CalendarUnit::Day => Period::Day,
                CalendarUnit::Month => Period::Month,
            },
            zone: zone.name().to_owned(),
            anchor_day: *day,
            anchor_time: *at,
        },
        Window::Concurrency => LimitWindow::Concurrency,
        Window::Discovered => LimitWindow::Discovered,
    };
    LimitSpec {
        name: limit.name.clone(),
        unit: match limit.unit {
            LimitUnit::Requests => Unit::Requests,
            LimitUnit::Credits => Unit::Credits,
        },
        cap: limit.cap,
        window,
        soft: limit.soft,
    }
}
