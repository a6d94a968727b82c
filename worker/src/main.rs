//! The binary `worker`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use shared::logging;
use shared::setup::Setup;
use worker::{daemon, runtime};

/// Takes jobs out of Larder's queue and calls providers within their budget.
#[derive(Debug, Parser)]
#[command(name = "worker", version, about)]
struct Arguments {
    /// The configuration file; without it LARDER_CONFIG, else ./larder.toml
    #[arg(long)]
    config: Option<PathBuf>,
    /// Work until nothing is due, then stop
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let setup = Setup::read(&std::env::current_dir()?, arguments.config)?;
    logging::init(&setup.environment)?;
    setup
        .secrets
        .require(&[("DATABASE_URL", "the queue and the budget are in Postgres")])?;
    runtime::run(daemon::run(setup, arguments.once))?
}

/// One line, and a second one for the cause: what people need, without a backtrace.
fn complain(error: &anyhow::Error) {
    use std::io::Write;
    let words: Vec<String> = error.chain().map(ToString::to_string).collect();
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "error: {}", words.join(": "));
}
