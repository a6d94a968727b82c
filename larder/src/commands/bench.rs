//! `larder bench`: how fast the queue is on this machine, and what a call costs.
//!
//! Each measurement runs in a database of its own on the server of `DATABASE_URL`, or on a
//! private Postgres that is made for it and deleted after it, as durable as one in use.
//! Beside the queue runs the least SQL that does the same work, so that what the queue
//! adds can be told from what the machine is.
//!
//! # Not here
//!
//! The SQL it compares with: [`shared::store::bench`].

mod admit;
mod calls;
mod closed;
mod credits;
mod drain;
mod enqueue;
mod held;
mod place;
mod plan;
mod read;
mod report;
mod upstream;
mod wake;

use std::process::ExitCode;

use clap::Subcommand;

use super::signals::Signals;
use crate::cli::{Failure, Outcome};

use place::Place;
use report::Report;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How fast workers get through a backlog of jobs that do nothing
    Drain(drain::Arguments),
    /// How fast jobs are put in
    Enqueue(enqueue::Arguments),
    /// What claims cost while somebody holds a snapshot for minutes
    Held(held::Arguments),
    /// How long a job that is put into an idle queue waits for its start
    Wake(wake::Arguments),
    /// What the transaction costs that admits one call, with ten limits
    Admit(admit::Arguments),
    /// How many calls a second workers make of one provider
    Calls(calls::Arguments),
    /// How long the planner takes, and how much it writes
    Plan(plan::Arguments),
    /// What jobs that wait for a closed lane cost those of another one
    Closed(closed::Arguments),
    /// How fast readers are answered from memory, side by side with nginx
    Read(read::Arguments),
    /// What a day costs with ever more readers, beside a cache that fetches when it is read
    Credits(credits::Arguments),
    /// Serves readers of a database that bench read has filled
    #[command(hide = true)]
    ServeReads,
}

/// Measures, and leaves nothing behind, also after a signal.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let mut signals = Signals::register_with_hangup()?;
    // These two need no database of their own.
    match &arguments.what {
        What::ServeReads => return read::serve(&mut signals).await,
        What::Credits(arguments) => return credits::run(arguments),
        _ => {}
    }
    let json = match &arguments.what {
        What::Drain(arguments) => arguments.json,
        What::Enqueue(arguments) => arguments.json,
        What::Held(arguments) => arguments.json,
        What::Wake(arguments) => arguments.json,
        What::Admit(arguments) => arguments.json,
        What::Calls(arguments) => arguments.json,
        What::Closed(arguments) => arguments.json,
        What::Read(arguments) => arguments.json,
        What::Credits(arguments) => arguments.json,
        What::ServeReads => false,
        What::Plan(arguments) => arguments.json,
    };
    let mut making = std::pin::pin!(Place::make());
    let place = tokio::select! {
        place = &mut making => place?,
        () = signals.stop() => {
            // What is half made cannot be removed; a second signal ends it all the same.
            if let Ok(place) = making.await {
                place.remove().await?;
            }
            return Err(interrupted());
        }
    };
    let mut report = Report::new(json);
    let measuring = async {
        match &arguments.what {
            What::Drain(arguments) => drain::run(arguments, &place, &mut report).await,
            What::Enqueue(arguments) => enqueue::run(arguments, &place, &mut report).await,
            What::Held(arguments) => held::run(arguments, &place, &mut report).await,
            What::Wake(arguments) => wake::run(arguments, &place, &mut report).await,
            What::Admit(arguments) => admit::run(arguments, &place, &mut report).await,
            What::Calls(arguments) => calls::run(arguments, &place, &mut report).await,
            What::Closed(arguments) => closed::run(arguments, &place, &mut report).await,
            What::Read(arguments) => read::run(arguments, &place, &mut report).await,
            What::Credits(_) | What::ServeReads => Ok(()),
            What::Plan(arguments) => plan::run(arguments, &place, &mut report).await,
        }
    };
    let measured = tokio::select! {
        measured = measuring => measured,
        () = signals.stop() => Err(interrupted()),
    };
    let removed = place.remove().await;
    measured?;
    report.end();
    removed?;
    Ok(ExitCode::SUCCESS)
}

fn interrupted() -> Failure {
    Failure::new("interrupted")
}
