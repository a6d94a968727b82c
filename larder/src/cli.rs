//! Reads the arguments, runs the subcommand, prints what went wrong.
//!
//! An error is one line on standard error that starts with `error:`, and where
//! something can be done about it a second one that starts with `help:`. Exit
//! status: 0 for success only, 1 for a failure, 2 for arguments that are wrong.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use shared::config::environment;
use shared::logging::{self, LoggingError};

use crate::commands::Command;

/// Keeps answers from usage-priced APIs in Postgres, within a budget.
#[derive(Debug, Parser)]
#[command(name = "larder", version, about, max_term_width = 80)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The whole command line, as clap describes it.
pub(crate) fn command() -> clap::Command {
    Arguments::command()
}

/// What a subcommand ends with: an exit status, or a failure to print.
pub type Outcome = Result<ExitCode, Failure>;

/// A failure as people see it.
#[derive(Debug)]
pub struct Failure {
    message: String,
    help: Option<String>,
}

impl Failure {
    /// A failure with a message of one line, without a full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    /// Says what can be done about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The message of the error and of each of its causes, joined by colons.
impl<E: Error> From<&E> for Failure {
    fn from(error: &E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Self::new(message)
    }
}

/// The whole program: parses, runs, reports.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = start_logging(&arguments.command).and_then(|()| {
        worker::runtime::run(arguments.command.run()).map_err(|error| Failure::from(&error))?
    });
    outcome.unwrap_or_else(|failure| {
        report(&failure);
        ExitCode::FAILURE
    })
}

/// Logs go to standard error, so that what a command prints can be piped.
fn start_logging(command: &Command) -> Result<(), Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::from(&error))?;
    let environment = environment(&here).map_err(|error| Failure::from(&error))?;
    match logging::init_at(&environment, command.log_level()) {
        // Somebody who embeds this library may have set a subscriber of their own.
        Ok(()) | Err(LoggingError::Twice) => Ok(()),
        Err(error) => Err(Failure::from(&error)),
    }
}

/// Prints what a command has to say.
pub(crate) fn say(text: &str) {
    // With standard output closed there is nobody left to tell.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn report(failure: &Failure) {
    let mut text = format!("error: {}\n", failure.message);
    if let Some(help) = &failure.help {
        text.push_str(&format!("help: {help}\n"));
    }
    // With standard error closed there is nobody left to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
