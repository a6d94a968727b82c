//! Runs an enqueuer: binds its addresses, prepares the database, serves until stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use shared::catalog::Catalog;
use shared::config::Secrets;
use shared::metrics::{self, Recorder};
use shared::store::{Listener, Notifier, Store, Wake};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::{self, App, Shared};
use crate::census::Census;
use crate::door::Door;
use crate::error::EnqueuerError;
use crate::lists::Lists;
use crate::phase::CurrentPhase;
use crate::reads::{self, Copies, Demand, Flights, Keeper, Manners, Misses, Renewals};
use crate::{connections, descriptors, plan, prepare, tick};

/// How long requests in flight may take to end after the stop.
const DRAIN: Duration = Duration::from_secs(10);

/// What an enqueuer needs to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration and what it comes to.
    pub catalog: Arc<Catalog>,
    /// Where the database is, and who may call what.
    pub secrets: Secrets,
    /// What `/metrics` shows; the one of this process.
    pub recorder: Recorder,
}

/// An enqueuer whose addresses are bound, and which serves nothing yet.
#[derive(Debug)]
pub struct Enqueuer {
    settings: Settings,
    database_url: SecretString,
    listener: TcpListener,
    address: SocketAddr,
    metrics: Option<TcpListener>,
}

impl Enqueuer {
    /// Binds the addresses of the configuration, so that the caller can print them.
    ///
    /// # Errors
    ///
    /// [`EnqueuerError`] if a secret or the database's URL is missing, or an address
    /// cannot be listened on. The database is not asked yet.
    pub async fn bind(settings: Settings) -> Result<Self, EnqueuerError> {
        if settings.secrets.jobs_api.is_empty() {
            return Err(EnqueuerError::NoSecret);
        }
        let database_url = settings
            .secrets
            .database_url
            .clone()
            .ok_or(EnqueuerError::NoDatabase)?;
        let config = &settings.catalog.config().enqueuer;
        descriptors::raise();
        let (listener, address) = listen(config.listen, "LARDER__ENQUEUER__LISTEN").await?;
        let metrics = match config.metrics_listen {
            Some(wanted) => Some(listen(wanted, "LARDER__ENQUEUER__METRICS_LISTEN").await?.0),
            None => None,
        };
        Ok(Self {
            settings,
            database_url,
            listener,
            address,
            metrics,
        })
    }

    /// The address of the API, with the port that was given for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of `/metrics`.
    pub fn metrics_address(&self) -> SocketAddr {
        let own = self.metrics.as_ref().and_then(|own| own.local_addr().ok());
        own.unwrap_or(self.address)
    }

    /// Serves until `stop`, then lets requests in flight end.
    ///
    /// # Errors
    ///
    /// [`EnqueuerError::Database`] if the database cannot be used before somebody changes
    /// a setting. One that is away is waited for instead.
    pub async fn run(self, stop: CancellationToken) -> Result<(), EnqueuerError> {
        let stop = stop.child_token();
        let ended = self.serve(&stop).await;
        stop.cancel();
        ended
    }

    async fn serve(self, stop: &CancellationToken) -> Result<(), EnqueuerError> {
        let url = self.database_url.expose_secret();
        let (keeper, wishes) = Keeper::new();
        let app = self.app(keeper, stop)?;
        let listen_url = self.settings.secrets.database_listen_url.as_ref();
        let listen_url = listen_url.map_or(url, |url| url.expose_secret());
        Listener::start(listen_url, &app.wake, stop).map_err(EnqueuerError::Database)?;

        let mut servers = JoinSet::new();
        let most = descriptors::connections();
        let routes = app::router(app.clone());
        servers.spawn(connections::serve(
            self.listener,
            routes,
            Some(app.clone()),
            most,
            stop.clone(),
        ));
        if let Some(metrics) = self.metrics {
            let routes = app::metrics_router(app.clone());
            servers.spawn(connections::serve(
                metrics,
                routes,
                None,
                most,
                stop.clone(),
            ));
        }
        let upkeep = async {
            prepare::prepare(&app, url, &self.settings.secrets).await?;
            tokio::join!(
                tick::every_so_often(&app),
                plan::every_so_often(&app),
                app.recorder.keep(stop)
            );
            Ok(())
        };
        let reading = app.clone();
        // Beside the preparing: what is there is read while the schema waits.
        tokio::spawn(async move { reads::keep(&reading, wishes).await });
        tokio::select! {
            done = upkeep => done.map_err(EnqueuerError::Database)?,
            ended = servers.join_next() => finished(ended)?,
        }
        drain(servers).await
    }

    fn app(&self, keeper: Keeper, stop: &CancellationToken) -> Result<App, EnqueuerError> {
        let Settings {
            catalog,
            secrets,
            recorder,
        } = &self.settings;
        let connections = catalog.config().enqueuer.database_connections;
        let patience = catalog.config().database.acquire_timeout;
        let url = self.database_url.expose_secret();
        let store = Store::connect_lazy_within(url, connections, patience)
            .map_err(EnqueuerError::Database)?;
        let config = catalog.config();
        let providers = catalog.providers().map(|provider| provider.name().as_str());
        metrics::zero_cancelled(providers);
        Ok(App::new(Shared {
            waiting: Census::default(),
            resources: Census::default(),
            copies: Copies::new(config.enqueuer.memory_bytes),
            flights: Flights::default(),
            keeper,
            manners: Manners::new(catalog.providers(), config, secrets.read_api.is_some()),
            misses: Misses::new(config.enqueuer.misses_per_minute),
            catalog: Arc::clone(catalog),
            notifier: Notifier::start(&store, stop),
            store,
            wake: Wake::default(),
            recorder: recorder.clone(),
            operators: Door::new(&secrets.jobs_api),
            readers: secrets.read_api.as_ref().map(|read| Door::new([read])),
            is_loopback: self.address.ip().is_loopback(),
            renewals: Renewals::default(),
            demand: Demand::default(),
            lists: Lists::default(),
            phase: CurrentPhase::new(),
            stop: stop.clone(),
        }))
    }
}

async fn listen(
    address: SocketAddr,
    variable: &'static str,
) -> Result<(TcpListener, SocketAddr), EnqueuerError> {
    let refused = |source| EnqueuerError::Listen {
        address,
        variable,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

type Ended = Option<Result<Result<(), std::io::Error>, tokio::task::JoinError>>;

fn finished(ended: Ended) -> Result<(), EnqueuerError> {
    match ended {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => Err(EnqueuerError::Serve(error)),
        Some(Err(error)) => Err(EnqueuerError::Serve(std::io::Error::other(error))),
    }
}

/// Waits for requests in flight; what takes too long is cut off.
async fn drain(mut servers: JoinSet<Result<(), std::io::Error>>) -> Result<(), EnqueuerError> {
    let all = async {
        while let Some(ended) = servers.join_next().await {
            finished(Some(ended))?;
        }
        Ok(())
    };
    tokio::time::timeout(DRAIN, all).await.unwrap_or(Ok(()))
}
