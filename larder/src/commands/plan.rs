//! `larder plan`: what the budget buys.

mod forecast;
mod simulate;
mod solve;

use clap::Subcommand;
use shared::plan::Objective;

use crate::cli::Outcome;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    forecast: forecast::Arguments,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Solve one instance of the planner's problem, read from standard input
    Solve(solve::Arguments),
    /// Run a month of virtual time against a virtual provider, with the real planner
    Simulate(simulate::Arguments),
}

/// Forecasts, solves or simulates.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    match arguments.what {
        None => forecast::run(arguments.forecast).await,
        Some(What::Solve(arguments)) => solve::run(&arguments),
        Some(What::Simulate(arguments)) => simulate::run(&arguments),
    }
}

/// Reads an objective from the command line.
fn objective(text: &str) -> Result<Objective, String> {
    match text {
        "age" => Ok(Objective::Age),
        "fresh" => Ok(Objective::Fresh),
        "lag" => Ok(Objective::Lag),
        _ => Err("must be age, fresh or lag".to_owned()),
    }
}
