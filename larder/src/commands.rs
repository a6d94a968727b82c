//! The subcommands, one file each.
//!
//! A new one is a file here, a variant below, and an arm in `Command::run`.

mod bench;
mod budget;
mod check;
mod completions;
mod connect;
mod doctor;
mod health;
mod init;
mod jobs;
mod lane;
mod plan;
mod progress;
mod sandbox;
mod signals;
mod table;
mod tick;
mod track;
mod up;
mod with_postgres;

use clap::Subcommand;
use shared::logging;

use crate::cli::Outcome;

/// What `larder` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process; what is not set is made up for
    Up(up::Arguments),
    /// Make the schema, bring the configuration into the database, enqueue what is due
    Init(init::Arguments),
    /// Serve a CoinMarketCap-compatible upstream for trying Larder out
    Sandbox(sandbox::Arguments),
    /// Read the configuration and tell every problem in it
    Check(check::Arguments),
    /// Make due resources into jobs, as cron does over HTTP
    Tick(tick::Arguments),
    /// List and show jobs; retry or cancel one, or all that fit
    Jobs(jobs::Arguments),
    /// Show what stands against each limit
    Budget(budget::Arguments),
    /// List lanes, open or close one by hand
    Lane(lane::Arguments),
    /// Tell what the budget buys
    Plan(plan::Arguments),
    /// Refresh a resource ahead of need
    Track(track::TrackArguments),
    /// Stop refreshing a resource ahead of need
    Untrack(track::UntrackArguments),
    /// Look at everything that Larder needs, and say what to do
    Doctor(doctor::Arguments),
    /// Measure queue, budget, planner and reads on this machine
    Bench(bench::Arguments),
    /// Print what a shell needs to complete these commands
    Completions(completions::Arguments),
    /// Run a command with a private Postgres, named in its DATABASE_URL
    #[command(name = "with-postgres", hide = true)]
    WithPostgres(with_postgres::Arguments),
    /// Ask a URL over plain HTTP; succeeds if the answer's status is 2xx
    #[command(hide = true)]
    Health(health::Arguments),
}

impl Command {
    /// Runs the subcommand.
    pub(crate) async fn run(self) -> Outcome {
        match self {
            Self::Up(arguments) => up::run(arguments).await,
            Self::Init(arguments) => init::run(arguments).await,
            Self::Sandbox(arguments) => sandbox::run(arguments).await,
            Self::Check(arguments) => check::run(arguments),
            Self::Tick(arguments) => tick::run(arguments).await,
            Self::Jobs(arguments) => jobs::run(arguments).await,
            Self::Budget(arguments) => budget::run(arguments).await,
            Self::Lane(arguments) => lane::run(arguments).await,
            Self::Plan(arguments) => plan::run(arguments).await,
            Self::Track(arguments) => track::track(arguments).await,
            Self::Untrack(arguments) => track::untrack(arguments).await,
            Self::Doctor(arguments) => doctor::run(arguments).await,
            Self::Completions(arguments) => completions::run(&arguments),
            Self::Bench(arguments) => bench::run(arguments).await,
            Self::WithPostgres(arguments) => with_postgres::run(arguments).await,
            Self::Health(arguments) => health::run(&arguments).await,
        }
    }

    /// What is logged unless `LARDER_LOG` or `RUST_LOG` says otherwise.
    pub(crate) fn log_level(&self) -> &'static str {
        match self {
            Self::Up(_) | Self::Sandbox(_) => logging::USUAL,
            // Filling a million rows is slow, and says nothing of what is measured.
            Self::Bench(_) => "warn,sqlx=error",
            // Says by itself what it found.
            Self::Doctor(_) => "off",
            _ => "warn",
        }
    }
}
