//! `larder completions SHELL`: what a shell needs to complete commands and options.

use std::process::ExitCode;

use clap_complete::Shell;

use crate::cli::{Outcome, command, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// For which shell
    shell: Shell,
}

/// Prints the script; where it belongs is in the README.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "larder", &mut script);
    say(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
