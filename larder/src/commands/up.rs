//! `larder up`: everything in one process, from nothing but Postgres's binaries.
//!
//! What is missing from the environment is made up for: without `DATABASE_URL` a private
//! Postgres, without the key of CoinMarketCap the sandbox as upstream, without `JOBS_API_SECRET` one
//! in `.larder/jobs-api-secret`. What is there is used as it is, so that the same command
//! serves for trying out and for a small installation.
//!
//! Parts start from the bottom up, the database first, and stop in the reverse order, so
//! that whatever stops can still record.

mod greeting;
mod made_up;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use enqueuer::{Enqueuer, EnqueuerError, Settings};
use secrecy::ExposeSecret;
use shared::config::environment;
use shared::metrics::Recorder;
use shared::setup::Setup;
use shared::store::Store;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use worker::{Handlers, Worker, WorkerOptions};

use super::signals::Signals;
use crate::cli::{Failure, Outcome, say};

use made_up::MadeUp;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file; without it LARDER_CONFIG, else ./larder.toml, else the example
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Runs everything until a signal.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let mut signals = Signals::register()?;
    let directory = std::env::current_dir().map_err(|error| Failure::from(&error))?;
    let mut environment = environment(&directory).map_err(|error| Failure::from(&error))?;
    // A mistake in the configuration is told before anything is started.
    let setup = Setup::from_environment(environment.clone(), &directory, arguments.config.clone())
        .map_err(|error| Failure::from(&error))?;

    let starting = MadeUp::start(&directory, &setup.catalog, &mut environment);
    let mut made_up = tokio::select! {
        made_up = starting => made_up?,
        () = signals.stop() => return Ok(ExitCode::SUCCESS),
    };
    let outcome = match Setup::from_environment(environment, &directory, arguments.config) {
        Ok(setup) => serve(setup, &mut made_up, &mut signals).await,
        Err(error) => Err(Failure::from(&error)),
    };
    made_up.stop().await;
    outcome
}

/// Runs enqueuer and worker on what is there by now.
async fn serve(setup: Setup, made_up: &mut MadeUp, signals: &mut Signals) -> Outcome {
    let url = setup.secrets.database_url.as_ref();
    let url = url
        .map(|url| url.expose_secret().to_owned())
        .unwrap_or_default();
    let listen_url = setup.secrets.database_listen_url.as_ref();
    let listen_url = listen_url.map(|url| url.expose_secret().to_owned());
    let store = Store::connect_lazy(&url, 1).map_err(|error| Failure::from(&error))?;
    super::init::prepare(&store, &url, &setup).await?;

    let stop = CancellationToken::new();
    let enqueuer = Enqueuer::bind(Settings {
        catalog: Arc::clone(&setup.catalog),
        secrets: setup.secrets.clone(),
        recorder: Recorder::install().map_err(|error| Failure::from(&error))?,
    })
    .await
    .map_err(|error| Failure::from(&error))?;
    let address = enqueuer.address();
    let mut serving = tokio::spawn(enqueuer.run(stop.clone()));
    let worker = Worker::start(WorkerOptions {
        catalog: Arc::clone(&setup.catalog),
        secrets: setup.secrets.clone(),
        database_url: url,
        listen_url,
        handlers: Handlers::shipped(),
    })
    .map_err(|error| Failure::from(&error))?;
    say(&greeting::text(&setup, made_up, address));

    let ended = tokio::select! {
        () = signals.stop() => Ok(ExitCode::SUCCESS),
        failure = made_up.ends() => Err(failure),
        served = &mut serving => return finished(served).map(|()| ExitCode::SUCCESS),
    };
    tracing::info!("stopping; Ctrl-C again stops at once");
    worker.stop().await;
    stop.cancel();
    finished(serving.await)?;
    ended
}

fn finished(served: Result<Result<(), EnqueuerError>, JoinError>) -> Result<(), Failure> {
    match served {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::from(&error)),
        Err(error) => Err(Failure::from(&error)),
    }
}
