//! What the handlers of one worker share.

use std::time::Duration;

use shared::config::{Config, Secrets};
use shared::store::Store;

use super::webhook::{WebhookError, Webhooks};

/// How long a connection may stay unused. Servers close theirs after 5 s or more (Node's
/// default is 5 s, 2026-11), and a request on a connection that the server is closing
/// costs an attempt.
const IDLE: Duration = Duration::from_secs(4);

/// What the handlers of one worker share.
#[derive(Debug)]
pub struct Services {
    /// The database.
    pub store: Store,
    /// For the user's own systems. It follows no redirect, repeats nothing on its own and
    /// uses no proxy of the system; it has no deadline but the handler's.
    pub http: reqwest::Client,
    /// The addresses that the configuration names.
    pub webhooks: Webhooks,
}

/// Why handlers cannot be given what they need.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// A webhook of the configuration cannot be used.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// TLS or the resolver could not be set up.
    #[error("cannot set up the HTTP client of the handlers")]
    SetUp(#[source] reqwest::Error),
}

impl Services {
    /// What a worker's handlers share.
    ///
    /// # Errors
    ///
    /// [`ServicesError`], for what would fail every job.
    pub fn new(store: Store, config: &Config, secrets: &Secrets) -> Result<Self, ServicesError> {
        // Fails when another part of the process was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .connect_timeout(config.worker.connect_timeout)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(ServicesError::SetUp)?;
        Ok(Self {
            store,
            http,
            webhooks: Webhooks::read(config, secrets)?,
        })
    }
}
