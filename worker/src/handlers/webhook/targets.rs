//! The targets of the configuration, each with its key.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use shared::config::{Config, Secrets};
use shared::model::WebhookName;
use url::Url;

use super::message::Key;

/// Every target that jobs can name.
#[derive(Debug)]
pub struct Webhooks {
    by_name: BTreeMap<WebhookName, Target>,
}

/// Why a target of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Its URL cannot be read.
    #[error("webhooks.{target}.url cannot be read as a URL")]
    BadUrl {
        /// Which target.
        target: WebhookName,
    },
    /// Its secret is not in the environment.
    #[error(
        "{variable} must be set, or {variable}_FILE: webhooks.{target} signs its messages with it"
    )]
    NoSecret {
        /// Which target.
        target: WebhookName,
        /// Where its secret should be.
        variable: String,
    },
    /// Its secret cannot be a key.
    #[error("{variable} {rule}: webhooks.{target} signs its messages with it")]
    BadSecret {
        /// Which target.
        target: WebhookName,
        /// Where its secret is.
        variable: String,
        /// What the secret must be.
        rule: String,
    },
}

/// Where messages go, and what they are signed with.
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) key: Key,
    pub(super) timeout: Duration,
}

/// Shows neither the key nor the URL, which can be what keeps strangers out.
impl fmt::Debug for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Target")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Webhooks {
    /// The targets of a configuration.
    ///
    /// # Errors
    ///
    /// [`WebhookError`] for one that no message could be sent to: a worker that starts
    /// without a secret would use up the attempts of every job.
    pub fn read(config: &Config, secrets: &Secrets) -> Result<Self, WebhookError> {
        let mut by_name = BTreeMap::new();
        for (name, section) in &config.webhooks {
            let target = || name.clone();
            let variable = || section.secret_env.clone();
            let url =
                Url::parse(&section.url).map_err(|_| WebhookError::BadUrl { target: target() })?;
            let secret = secrets.webhook_secret(&section.secret_env).ok_or_else(|| {
                WebhookError::NoSecret {
                    target: target(),
                    variable: variable(),
                }
            })?;
            let key = Key::read(secret).map_err(|rule| WebhookError::BadSecret {
                target: target(),
                variable: variable(),
                rule,
            })?;
            let timeout = section.timeout;
            by_name.insert(target(), Target { url, key, timeout });
        }
        Ok(Self { by_name })
    }

    /// The target of this name.
    pub(super) fn get(&self, name: &WebhookName) -> Option<&Target> {
        self.by_name.get(name)
    }
}
