//! Where a measurement takes place: a database that is made for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::catalog::Catalog;
use shared::config::{Secrets, Source};
use shared::setup::Setup;
use shared::store::bench::BenchDatabase;
use shared::store::{Store, StoreError};
use worker::{Handlers, Worker, WorkerOptions};

use crate::cli::Failure;
use crate::commands::connect;
use crate::postgres::{Durability, TemporaryPostgres};

/// A configuration without a provider, and so without a budget.
const CONFIGURATION: &str = "# A measurement calls no provider.\n";

/// A database, and the server if that is ours too.
pub(super) struct Place {
    database: BenchDatabase,
    server: Option<TemporaryPostgres>,
}

impl Place {
    /// Makes a database on the server of `DATABASE_URL`, else on a new private one.
    pub(super) async fn make() -> Result<Self, Failure> {
        // Not the server of a `larder up` beside us: that would measure both.
        let url = connect::environment_url()?;
        let server = match url {
            Some(_) => None,
            None => Some(TemporaryPostgres::start(Durability::Full).await?),
        };
        let url = match (&server, url) {
            (Some(server), _) => server.url(),
            (None, url) => url.unwrap_or_default(),
        };
        match BenchDatabase::create(&url).await {
            Ok(database) => {
                tracing::info!(
                    database = database.name(),
                    "measuring in a database of its own"
                );
                Ok(Self { database, server })
            }
            Err(error) => {
                if let Some(server) = server {
                    server.stop().await?;
                }
                Err(refused(&error))
            }
        }
    }

    /// The database.
    pub(super) fn database(&self) -> &BenchDatabase {
        &self.database
    }

    /// A store on the database, of at most `connections` connections.
    pub(super) fn store(&self, connections: u32) -> Result<Store, Failure> {
        Store::connect_lazy(self.database.url(), connections)
            .map_err(|error| connect::failure(&error))
    }

    /// Starts a worker that runs these kinds, `concurrency` jobs at once.
    pub(super) fn worker(&self, handlers: Handlers, concurrency: u32) -> Result<Worker, Failure> {
        let options = WorkerOptions {
            catalog: Arc::new(catalog(concurrency)?),
            secrets: Secrets::read(&BTreeMap::new(), []).map_err(|error| Failure::from(&error))?,
            database_url: self.database.url().to_owned(),
            listen_url: None,
            handlers,
        };
        Worker::start(options).map_err(|error| Failure::from(&error))
    }

    /// Starts a worker of a configuration that has providers.
    pub(super) fn worker_of(&self, setup: &Setup, handlers: Handlers) -> Result<Worker, Failure> {
        let options = WorkerOptions {
            catalog: Arc::clone(&setup.catalog),
            secrets: setup.secrets.clone(),
            database_url: self.database.url().to_owned(),
            listen_url: None,
            handlers,
        };
        Worker::start(options).map_err(|error| Failure::from(&error))
    }

    /// Drops the database, and deletes the server if it is ours.
    pub(super) async fn remove(self) -> Result<(), Failure> {
        let dropped = self.database.drop_it().await;
        if let Some(server) = self.server {
            server.stop().await?;
            return Ok(());
        }
        dropped.map_err(|error| {
            connect::failure(&error).with_help(format!(
                "the database is left over: drop database {} with (force)",
                self.database.name()
            ))
        })
    }
}

/// What a worker is configured with; a configuration is always read from a file.
fn catalog(concurrency: u32) -> Result<Catalog, Failure> {
    let file = tempfile::NamedTempFile::new().map_err(|error| Failure::from(&error))?;
    std::fs::write(file.path(), CONFIGURATION).map_err(|error| Failure::from(&error))?;
    let concurrency = (
        "LARDER__WORKER__LOCAL_CONCURRENCY".to_owned(),
        concurrency.to_string(),
    );
    let source = Source {
        path: Some(file.path().to_owned()),
        environment: BTreeMap::from([concurrency]),
        ..Source::default()
    };
    let (catalog, _) = Catalog::load(&source).map_err(|error| Failure::from(&error))?;
    Ok(catalog)
}

fn refused(error: &StoreError) -> Failure {
    if BenchDatabase::may_not_create(error) {
        return Failure::new("this role may not create databases, and a measurement needs its own")
            .with_help(
                "let an administrator run: alter role ... createdb; \
                 or unset DATABASE_URL, to measure on a private Postgres",
            );
    }
    connect::failure(error)
}
