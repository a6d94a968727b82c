//! `larder with-postgres -- COMMAND`: a private Postgres for one command.
//!
//! `make test` and `make sqlx` use it, so that they need neither a running
//! server nor a password. With `--fast` the data is made in a temporary
//! directory, is not durable, and is deleted afterwards; without, it is the one
//! that `larder up` uses in this directory.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::{TcpListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use crate::cli::{Failure, Outcome};
use crate::postgres::{Durability, PostgresError, PrivatePostgres, TemporaryPostgres};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// New data in a temporary directory, fast rather than durable, deleted at the end
    #[arg(long)]
    fast: bool,
    /// The command and its arguments
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

/// Runs the command and passes its exit status on.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    match arguments.fast {
        true => run_fast(&arguments.command).await,
        false => {
            let server = PrivatePostgres::start(Path::new("."), Durability::Full).await?;
            let outcome = run_command(&arguments.command, &server.url()).await;
            server.stop().await;
            outcome
        }
    }
}

async fn run_fast(command: &[OsString]) -> Outcome {
    let server = TemporaryPostgres::start(Durability::None).await?;
    let outcome = match relay(&server.url()).await {
        Ok(url) => run_command(command, &url).await,
        Err(error) => Err(Failure::from(&error)),
    };
    server.stop().await?;
    outcome
}

impl From<PostgresError> for Failure {
    fn from(error: PostgresError) -> Self {
        let help = error.help();
        Self::from(&error).with_help(help)
    }
}

/// Makes the server reachable by TCP on this machine too, and answers the URL: tests put
/// relays in between, name hosts that do not exist, and so on. While it runs, everybody on
/// this machine can reach the data, which is made to be thrown away.
async fn relay(url: &str) -> std::io::Result<String> {
    let socket = socket(url).ok_or_else(|| std::io::Error::other("the server has no socket"))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                if let Ok(mut onward) = UnixStream::connect(&socket).await {
                    // An end of either side is the end of both; nobody asks why.
                    let _ = tokio::io::copy_bidirectional(&mut from, &mut onward).await;
                }
            });
        }
    });
    Ok(format!("postgres://larder@{address}/larder"))
}

/// The socket that a URL of ours names.
fn socket(url: &str) -> Option<PathBuf> {
    let url = Url::parse(url).ok()?;
    let (_, directory) = url.query_pairs().find(|(name, _)| name == "host")?;
    Some(Path::new(directory.as_ref()).join(".s.PGSQL.5432"))
}

async fn run_command(command: &[OsString], url: &str) -> Outcome {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new("no command was given"));
    };
    // Registered before the command starts, so that no signal ends us first and
    // leaves Postgres behind.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| Failure::from(&error))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| Failure::from(&error))?;
    let mut command = Command::new(program);
    command.args(arguments).env("DATABASE_URL", url);
    for name in package_variables() {
        command.env_remove(name);
    }
    let mut child = command.spawn().map_err(|error| {
        Failure::new(format!("cannot run {}: {error}", program.to_string_lossy()))
    })?;
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status.map_err(|error| Failure::from(&error))?;
                return Ok(exit_code(status));
            }
            // The terminal sends Ctrl-C to the command too; we outlive it.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => forward_terminate(&child),
        }
    }
}

/// What `cargo run` says about this package. A cargo inside the command would
/// pass it on to build scripts, which take it for a change and build everything
/// again.
fn package_variables() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    })
}

fn forward_terminate(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        // It may have ended a moment ago.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// The command's status as a shell shows it: 128 + the signal that ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}
