//! `larder doctor`: looks at everything that Larder needs, and says what to do.
//!
//! It changes nothing, makes no call that a provider counts, and goes on after a finding,
//! so that one look tells all. Its exit status is 1 if something is broken; what is only
//! unwise is a warning.
//!
//! # Not here
//!
//! What is wrong with the configuration is `larder check`'s to say; the alerts of
//! `ops/prometheus` watch what changes while it runs.

mod database;
mod findings;
mod notifications;
mod providers;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use secrecy::ExposeSecret;
use shared::setup::Setup;

use super::table::print_json;
use crate::cli::{Failure, Outcome, say};
use crate::postgres::running_url;
use findings::{Findings, Grade};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file; without it LARDER_CONFIG, else ./larder.toml, else the example
    #[arg(long)]
    config: Option<PathBuf>,

    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Looks, and prints what it found.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let here = std::env::current_dir().map_err(|error| Failure::from(&error))?;
    let mut findings = Findings::default();
    match Setup::read(&here, arguments.config) {
        Ok(setup) => look(&setup, &here, &mut findings).await,
        Err(error) => findings.bad(
            "configuration",
            error.to_string().lines().next().unwrap_or_default(),
            "larder check tells every problem in it",
        ),
    }
    if arguments.json {
        print_json(&findings)?;
    } else {
        say(&findings.text());
    }
    Ok(match findings.worst() {
        Grade::Bad => ExitCode::FAILURE,
        Grade::Good | Grade::Warning => ExitCode::SUCCESS,
    })
}

async fn look(setup: &Setup, here: &std::path::Path, findings: &mut Findings) {
    findings.good("configuration", &format!("{} is in order", setup.origin));
    let url = setup.secrets.database_url.as_ref();
    let own = url.map(|url| url.expose_secret().to_owned());
    let Some(url) = own.or_else(|| running_url(here)) else {
        findings.bad(
            "database",
            "DATABASE_URL is not set, and no larder up runs in this directory",
            "set DATABASE_URL, or start larder up here in another terminal",
        );
        providers::look(setup, None, findings).await;
        return;
    };
    let store = database::look(setup, &url, findings).await;
    providers::look(setup, store.as_ref(), findings).await;
}
