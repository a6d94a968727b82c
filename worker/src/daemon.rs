//! A worker as a process of its own: database, signals, health, and a quiet end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use shared::metrics::Recorder;
use shared::orphans;
use shared::retry::RetryPolicy;
use shared::setup::Setup;
use shared::store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{Handlers, RenderMetrics, Worker, WorkerOptions, http};

/// Longest time for one try to connect.
const CONNECT: Duration = Duration::from_secs(5);

/// Runs a worker until a signal says to stop; with `once`, until nothing is due.
///
/// The first SIGTERM or SIGINT stops in order, a second one at once.
///
/// # Errors
///
/// What makes it useless to start: a database URL that cannot be right, a schema from a
/// later release, an address that is taken. A database that is away is waited for.
pub async fn run(setup: Setup, once: bool) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let signalled = stop.clone();
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            signals += 1;
            if signals > 1 {
                std::process::exit(130);
            }
            signalled.cancel();
            tracing::info!("stopping; once more to stop at once");
        }
    });
    orphans::collect()?;
    let url = setup
        .secrets
        .database_url
        .as_ref()
        .map(|url| url.expose_secret().to_owned())
        .context("DATABASE_URL is not set")?;
    let config = &setup.catalog.config().worker;
    let recorder = Recorder::install()?;
    let rendered = recorder.clone();
    let render: RenderMetrics = Arc::new(move || rendered.render());
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "cannot listen on {}: choose another address with LARDER__WORKER__LISTEN",
            config.listen
        )
    })?;
    let patience = setup.catalog.config().database.acquire_timeout;
    let store = Store::connect_lazy_within(&url, 2, patience)?;
    let health = stop.child_token();
    tokio::spawn(http::serve(listener, store.clone(), render, health));
    let kept = stop.clone();
    tokio::spawn(async move { recorder.keep(&kept).await });
    if !prepare(&store, &url, &setup, &stop).await? {
        return Ok(());
    }
    let listen_url = setup
        .secrets
        .database_listen_url
        .as_ref()
        .map(|url| url.expose_secret().to_owned());
    let worker = Worker::start(WorkerOptions {
        catalog: setup.catalog,
        secrets: setup.secrets,
        database_url: url,
        listen_url,
        handlers: Handlers::shipped(),
    })?;
    if once {
        tokio::select! {
            done = worker.run_until_idle() => done?,
            () = stop.cancelled() => {}
        }
    } else {
        stop.cancelled().await;
    }
    worker.stop().await;
    Ok(())
}

/// Migrates and brings the configuration into rows, waiting for a database that is away;
/// answers no if told to stop before that.
async fn prepare(
    store: &Store,
    url: &str,
    setup: &Setup,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    let lanes = setup.catalog.lanes(&setup.secrets);
    let mut attempt = 0;
    loop {
        let prepared = async {
            Store::reach(url, CONNECT).await?;
            store.ping().await?;
            store.migrate().await?;
            store.sync_all(&lanes, &setup.catalog.wanted()).await
        };
        let error = match prepared.await {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        if error.is_misconfigured() || !error.is_transient() {
            return Err(anyhow::anyhow!(error.chain()));
        }
        attempt += 1;
        if attempt == 1 {
            tracing::warn!(error = %error.chain(), "the database cannot be used yet; waiting for it");
        }
        tokio::select! {
            () = tokio::time::sleep(RetryPolicy::DATABASE.after(attempt)) => {}
            () = stop.cancelled() => return Ok(false),
        }
    }
}
