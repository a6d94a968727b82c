//! Makes the cluster that the private Postgres serves.
//!
//! `initdb` works in `data.new`, which is renamed when all is done: a run killed
//! in between leaves nothing that looks like data, and the next one starts over.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt;

use super::account::Account;
use super::binaries::{Binaries, leading_number};
use super::home::{failed, private_directory};
use super::{Durability, PostgresError, log};

/// Major version that made the cluster in `data`; `None` if there is no cluster.
pub(super) fn version(data: &Path) -> Result<Option<u16>, PostgresError> {
    let incomplete = |reason: &str| PostgresError::Incomplete {
        data: data.to_owned(),
        reason: reason.to_owned(),
    };
    match std::fs::read_to_string(data.join("PG_VERSION")) {
        Ok(text) => leading_number(text.trim())
            .map(Some)
            .ok_or_else(|| incomplete("its file PG_VERSION names no version")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match data.exists() {
            true => Err(incomplete("its file PG_VERSION is missing")),
            false => Ok(None),
        },
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(incomplete("its file PG_VERSION is not text"))
        }
        Err(source) => Err(failed("read", data)(source)),
    }
}

/// Makes a cluster in `data` with the superuser `larder` and a database of the
/// same name.
pub(super) async fn make(
    data: &Path,
    binaries: &Binaries,
    account: Account,
    durability: Durability,
) -> Result<(), PostgresError> {
    let new = data.with_file_name("data.new");
    match std::fs::remove_dir_all(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", &new)(error));
        }
        _ => {}
    }
    private_directory(&new, account)?;
    initdb(&new, binaries, account, durability).await?;
    create_database(&new, binaries, account).await?;
    std::fs::rename(&new, data).map_err(failed("rename", &new))
}

async fn initdb(
    new: &Path,
    binaries: &Binaries,
    account: Account,
    durability: Durability,
) -> Result<(), PostgresError> {
    let program = binaries.program("initdb");
    let mut command = account.command(&program);
    command
        .arg("--pgdata")
        .arg(new)
        .args(["--username=larder", "--encoding=UTF8", "--no-locale"])
        // Whoever can reach the socket is the owner of its directory or root;
        // nothing listens on the network.
        .args(["--auth-local=trust", "--auth-host=reject"])
        .current_dir(new);
    match durability {
        Durability::Full => command.arg("--data-checksums"),
        Durability::None => command.arg("--no-sync"),
    };
    let output = command.output().await.map_err(not_run(program))?;
    succeeded(new, &output)
}

/// Creates the database in single-user mode, which needs no client program.
async fn create_database(
    new: &Path,
    binaries: &Binaries,
    account: Account,
) -> Result<(), PostgresError> {
    let program = binaries.program("postgres");
    let mut child = account
        .command(&program)
        .arg("--single")
        .arg("-D")
        .arg(new)
        // Without it a failed statement would still end with status 0.
        .args(["-c", "exit_on_error=on", "postgres"])
        .current_dir(new)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(not_run(program.clone()))?;
    if let Some(mut input) = child.stdin.take() {
        // When Postgres has ended already, its status says more than the pipe.
        let _ = input.write_all(b"create database larder;\n").await;
    }
    let output = child.wait_with_output().await.map_err(not_run(program))?;
    succeeded(new, &output)
}

fn succeeded(new: &Path, output: &Output) -> Result<(), PostgresError> {
    if output.status.success() {
        return Ok(());
    }
    Err(PostgresError::Init {
        data: new.with_file_name("data"),
        tail: log::last_lines(&String::from_utf8_lossy(&output.stderr)),
    })
}

fn not_run(program: PathBuf) -> impl FnOnce(io::Error) -> PostgresError {
    move |source| PostgresError::Program { program, source }
}
