//! The binary `enqueuer`: the HTTP side of Larder, by itself.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use enqueuer::{Enqueuer, EnqueuerError, Settings};
use shared::catalog::Catalog;
use shared::config::{Secrets, Source, environment};
use shared::metrics::Recorder;
use shared::{logging, orphans};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Larder's HTTP side: takes jobs, ticks, and answers readers from the cache.
///
/// Needs DATABASE_URL and JOBS_API_SECRET, from the environment, .env.local or .env.
#[derive(Debug, Parser)]
#[command(name = "enqueuer", version)]
struct Arguments {
    /// The configuration; default: LARDER_CONFIG, else ./larder.toml, else the example.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    match start(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> anyhow::Result<()> {
    let environment = environment(Path::new("."))?;
    logging::init(&environment)?;
    let source = Source {
        path: arguments.config,
        directory: PathBuf::new(),
        environment,
    };
    let (catalog, loaded) = Catalog::load(&source)?;
    let keys = catalog.config().providers.values();
    let keys = keys.filter_map(|section| section.provider.key_env.as_deref());
    let secrets = Secrets::read(&source.environment, keys)?;
    let settings = Settings {
        catalog: Arc::new(catalog),
        secrets,
        recorder: Recorder::install()?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(settings, &loaded.origin))?;
    Ok(())
}

async fn run(settings: Settings, configuration: &str) -> Result<(), EnqueuerError> {
    let enqueuer = Enqueuer::bind(settings).await?;
    tracing::info!(address = %enqueuer.address(), configuration, "listening");
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone()).map_err(EnqueuerError::Serve)?;
    orphans::collect().map_err(EnqueuerError::Serve)?;
    enqueuer.run(stop).await?;
    tracing::info!("stopped");
    Ok(())
}

/// The first signal lets requests in flight end; the second ends the process at once.
fn stop_on_signals(stop: CancellationToken) -> Result<(), std::io::Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for is_second in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if is_second {
                std::process::exit(1);
            }
            stop.cancel();
        }
    });
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "why it does not start, also where no log is"
)]
fn report(error: &anyhow::Error) {
    eprintln!("error: {error}");
}
