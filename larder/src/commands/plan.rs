//! `larder plan`: what the budget buys.

mod solve;

use clap::Subcommand;

use crate::cli::Outcome;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Solve one instance of the planner's problem, read from standard input
    Solve(solve::Arguments),
}

/// Forecasts, solves or simulates.
pub(crate) fn run(arguments: Arguments) -> Outcome {
    match arguments.what {
        What::Solve(arguments) => solve::run(&arguments),
    }
}
