//! The subcommands, one file each.
//!
//! A new one is a file here, a variant below, and an arm in `Command::run`.

mod health;
mod with_postgres;

use clap::Subcommand;

use crate::cli::Outcome;

/// What `larder` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
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
            Self::WithPostgres(arguments) => with_postgres::run(arguments).await,
            Self::Health(arguments) => health::run(&arguments).await,
        }
    }

    /// What is logged unless `LARDER_LOG` or `RUST_LOG` says otherwise.
    pub(crate) fn log_level(&self) -> &'static str {
        match self {
            Self::WithPostgres(_) | Self::Health(_) => "warn",
        }
    }
}
