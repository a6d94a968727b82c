//! One worker: its parts, and how they start.

mod ending;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use shared::catalog::Catalog;
use shared::config::{Config, Secrets};
use shared::metrics;
use shared::model::ProviderName;
use shared::retry::RetryPolicy;
use shared::store::{Listener, Notifier, Retention, Store, StoreError, Wake};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::admitter::Admitter;
use crate::client::{Client, ClientError, Limits};
use crate::dispatcher::Dispatcher;
use crate::executor::{Anomalies, Executor};
use crate::handlers::{Handlers, Services, ServicesError};
use crate::heartbeat;
use crate::in_flight::InFlight;
use crate::labels;
use crate::local::{Local, Runner};
use crate::pump::Pump;
use crate::upkeep::Upkeep;
use crate::usage::{Throttled, UsageAsker};
use crate::vital::Vital;

/// Connections that are kept for records alone.
const VITAL_CONNECTIONS: u32 = 3;

/// Connections that are kept for heartbeats alone: one, and one for when that died.
const HEARTBEAT_CONNECTIONS: u32 = 2;

/// What a worker is made of.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// What the configuration comes to.
    pub catalog: Arc<Catalog>,
    /// Keys of providers, and what signs webhooks.
    pub secrets: Secrets,
    /// Where Postgres is.
    pub database_url: String,
    /// Where to listen, if not there.
    pub listen_url: Option<String>,
    /// The kinds of jobs that it runs.
    pub handlers: Handlers,
}

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A provider cannot be called.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Handlers cannot be given what they need.
    #[error(transparent)]
    Services(#[from] ServicesError),
}

/// A worker that is running.
#[derive(Debug)]
pub struct Worker {
    store: Store,
    name: String,
    grace: Duration,
    /// The kinds of jobs that it runs.
    kinds: Vec<String>,
    in_flight: Arc<InFlight>,
    calls: TaskTracker,
    parts: TaskTracker,
    /// Stops claiming.
    stop: CancellationToken,
    /// What goes on until the last call is recorded.
    upkeep: TaskTracker,
    /// Stops what must go on until the last call is recorded.
    end: CancellationToken,
    /// Tells what records that little of the grace is left.
    pressed: CancellationToken,
    /// Tells handlers, and what waits for the database, that their time is up.
    give_up: CancellationToken,
}

impl Worker {
    /// Starts a worker. The schema must be there; the database may be away again.
    ///
    /// # Errors
    ///
    /// [`WorkerError`] for a URL, a provider or a webhook that can never be used.
    pub fn start(options: WorkerOptions) -> Result<Self, WorkerError> {
        metrics::zero(&labels::of(&options.catalog));
        let config = &options.catalog.config().worker;
        let patience = options.catalog.config().database.acquire_timeout;
        let connections = config.database_connections;
        let store = Store::connect_lazy_within(&options.database_url, connections, patience)?;
        let pressed = CancellationToken::new();
        let vital = Vital::new(store.beside(VITAL_CONNECTIONS), pressed.clone());
        // Records may wait for locks, on all of their connections, for longer than a lease.
        let pulse = store.beside(HEARTBEAT_CONNECTIONS);
        let services = Services::new(store.clone(), options.catalog.config(), &options.secrets)?;
        let name = format!("worker-{}", Uuid::new_v4().simple());
        let (stop, end, give_up) = (
            CancellationToken::new(),
            CancellationToken::new(),
            CancellationToken::new(),
        );
        let wake = Wake::default();
        let listen_url = options
            .listen_url
            .as_deref()
            .unwrap_or(&options.database_url);
        Listener::start(listen_url, &wake, &end)?;
        let notifier = Notifier::start(&store, &end);
        let upkeep = Arc::new(Upkeep {
            store: store.clone(),
            notifier: notifier.clone(),
            worker: name.clone(),
            max_rescues: config.max_rescues,
            retention: Retention {
                finished: options.catalog.config().queue.keep_finished,
                failed: options.catalog.config().queue.keep_failed,
            },
            rescue: Notify::new(),
        });
        let worker = Self {
            store: store.clone(),
            name: name.clone(),
            grace: config.shutdown_grace,
            kinds: options.handlers.kinds(),
            in_flight: Arc::new(InFlight::default()),
            calls: TaskTracker::new(),
            parts: TaskTracker::new(),
            upkeep: TaskTracker::new(),
            stop,
            end,
            pressed,
            give_up,
        };
        let slots = Arc::new(Semaphore::new(config.concurrency as usize));
        let mut lanes = HashMap::new();
        for provider in options.catalog.providers() {
            let due = Arc::new(Notify::new());
            lanes.insert(provider.name().to_string(), Arc::clone(&due));
            let executor = worker.executor(&options, provider.name(), &vital, &notifier, &wake)?;
            let admitter = Arc::new(Admitter {
                provider: provider.name().clone(),
                store: store.clone(),
                executor: Arc::new(executor),
                worker: name.clone(),
                key_id: options.catalog.key_id(provider.name(), &options.secrets),
                lease: config.lease,
                connect_timeout: config.connect_timeout,
                calls: worker.calls.clone(),
                stop: worker.stop.clone(),
            });
            if let Some(asker) = usage_asker(&options, &admitter) {
                worker.parts.spawn(asker.run());
            }
            let pump = Pump {
                admitter,
                slots: Arc::clone(&slots),
                due,
            };
            worker.parts.spawn(pump.run());
        }
        let due = Arc::new(Notify::new());
        lanes.insert("local".to_owned(), Arc::clone(&due));
        let local = Local {
            store: store.clone(),
            vital: vital.clone(),
            runner: Arc::new(Runner {
                handlers: options.handlers.clone(),
                services: Arc::new(services),
                deadline: config.handler_timeout,
                retry: retry_policy(options.catalog.config()),
            }),
            worker: name.clone(),
            lease: config.lease,
            slots: Arc::new(Semaphore::new(config.local_concurrency as usize)),
            due,
            wake: wake.clone(),
            in_flight: Arc::clone(&worker.in_flight),
            running: TaskTracker::new(),
            give_up: worker.give_up.clone(),
            stop: worker.stop.clone(),
        };
        worker.parts.spawn(local.run());
        let dispatcher = Dispatcher {
            looker: store.looker(worker.kinds.clone()),
            wake,
            lanes,
            upkeep: Arc::clone(&upkeep),
            poll_interval: config.poll_interval,
            stop: worker.stop.clone(),
        };
        worker.parts.spawn(dispatcher.run());
        worker.upkeep.spawn(upkeep.run(worker.end.clone()));
        worker.upkeep.spawn(heartbeat::run(
            pulse,
            Arc::clone(&worker.in_flight),
            config.lease,
            worker.end.clone(),
        ));
        tracing::info!(worker = %worker.name, "worker started");
        Ok(worker)
    }

    fn executor(
        &self,
        options: &WorkerOptions,
        name: &ProviderName,
        vital: &Vital,
        notifier: &Notifier,
        wake: &Wake,
    ) -> Result<Executor, WorkerError> {
        let config = options.catalog.config();
        let unknown = || ClientError::BadUrl {
            provider: name.to_string(),
        };
        let section = config.providers.get(name).ok_or_else(unknown)?;
        let provider = options
            .catalog
            .provider(name.as_str())
            .ok_or_else(unknown)?;
        let key = section
            .provider
            .key_env
            .as_deref()
            .and_then(|variable| options.secrets.provider_key(variable));
        let limits = Limits {
            connect_timeout: config.worker.connect_timeout,
            call_timeout: config.worker.call_timeout,
            first_byte_timeout: config.worker.first_byte_timeout,
            max_body_bytes: config.worker.max_body_bytes,
        };
        Ok(Executor {
            vital: vital.clone(),
            provider: Arc::clone(provider),
            client: Client::new(name.as_str(), section, key, limits)?,
            retry: retry_policy(config),
            fresh_for: section.cache.fresh_for,
            negative_ttl: section.cache.negative_ttl,
            max_retry_after: section.budget.max_retry_after,
            throttled: Throttled::default(),
            anomalies: Anomalies::default(),
            in_flight: Arc::clone(&self.in_flight),
            notifier: notifier.clone(),
            wake: wake.clone(),
            stop: self.stop.clone(),
            give_up: self.give_up.clone(),
        })
    }

    /// The worker's name, as it stands in rows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until all that has been claimed so far is recorded.
    pub async fn recorded(&self) {
        self.in_flight.empty().await;
    }

    /// Works until nothing is due and nothing is on its way.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from looking.
    pub async fn run_until_idle(&self) -> Result<(), StoreError> {
        loop {
            // What is claimed between these would be neither due nor held in the rows seen.
            let quiet = self.in_flight.quiet_since();
            let look = self.store.look(&self.kinds).await?;
            let due = look
                .lanes
                .iter()
                .any(|lane| lane.wait == Some(Duration::ZERO));
            if !due && quiet.is_some() && quiet == self.in_flight.quiet_since() {
                return Ok(());
            }
            self.in_flight.empty().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What asks the provider for its count, where it tells one and is to be asked.
fn usage_asker(options: &WorkerOptions, admitter: &Arc<Admitter>) -> Option<UsageAsker> {
    let section = options.catalog.config().providers.get(&admitter.provider)?;
    let every = section.budget.reconcile_every;
    if every.is_zero() {
        return None;
    }
    Some(UsageAsker {
        admitter: Arc::clone(admitter),
        batch_key: admitter.executor.provider.usage_call()?,
        every,
    })
}

/// How jobs that failed wait for their next attempt.
fn retry_policy(config: &Config) -> RetryPolicy {
    let retry = &config.queue.retry;
    RetryPolicy {
        initial: retry.initial,
        max: retry.max,
        multiplier: retry.multiplier,
        jitter: retry.jitter,
    }
}
