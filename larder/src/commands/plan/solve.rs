//! `larder plan solve`: the solver by itself, for checking it against other ones.

use std::io::Read;
use std::process::ExitCode;

use shared::plan::{Answer, Instance, Status};

use super::super::table::{NONE, print_json, print_table};
use crate::cli::{Failure, Outcome, say};

/// What an instance looks like.
const EXAMPLE: &str = r#"it looks like {"objective":"lag","mu":[1],"delta":[1],"c":[1],"budget":1,"rho_min":[0],"rho_max":[null]}, with "age", "fresh" or "lag""#;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Reads an instance, solves it, prints the answer.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut text = String::new();
    (std::io::stdin().lock())
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(format!("standard input cannot be read: {error}")))?;
    let instance: Instance = serde_json::from_str(&text).map_err(|error| {
        Failure::new(format!("standard input is no instance: {error}")).with_help(EXAMPLE)
    })?;
    let answer = instance.answer().map_err(|error| Failure::from(&error))?;
    if arguments.json {
        print_json(&answer)?;
    } else {
        show(&answer);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(answer: &Answer) {
    let status = match answer.status {
        Status::Ok => "the budget is spent",
        Status::Saturated => "the budget exceeds what can be used",
        Status::Infeasible => "the least rates cost more than the budget",
    };
    let price = answer
        .lam
        .map_or_else(|| NONE.to_owned(), |price| format!("{price:.6}"));
    say(&format!(
        "{status}: spend {:.6}, price {price}, phi {:.6}\n",
        answer.spend, answer.phi
    ));
    let rows = answer.rates.iter().enumerate();
    print_table(
        ["item", "rate", "interval"],
        &["item", "rate", "interval"],
        rows.map(|(nth, rate)| {
            let interval = match *rate > 0.0 {
                true => format!("{:.6}", 1.0 / rate),
                false => NONE.to_owned(),
            };
            [nth.to_string(), format!("{rate:.9}"), interval]
        }),
    );
}
