//! Deals with what a killed run left in the data directory.
//!
//! Called while we hold the lock of the directory, so that whatever runs there
//! has no Larder above it any more. `postmaster.pid` names the process:
//!
//! | the process is                 | done                                            |
//! |--------------------------------|-------------------------------------------------|
//! | gone                           | nothing: Postgres sees that and recovers        |
//! | the Postgres of this directory | stopped; a new one is started under our eyes    |
//! | some other program by now      | the file is pointed at us, see [`disown`]       |
//!
//! The old Postgres is stopped rather than taken over because its settings are of
//! another start and its end could not be awaited.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::home::failed;
use super::{PostgresError, socket};

/// How long a fast shutdown may take: it writes a checkpoint.
const FAST: Duration = Duration::from_secs(30);

/// How long an immediate shutdown may take: it writes nothing.
const IMMEDIATE: Duration = Duration::from_secs(10);

/// How often to look whether a process that is not our child has gone.
const LOOK: Duration = Duration::from_millis(20);

/// Stops or disowns what `postmaster.pid` in `data` names.
pub(super) async fn clear(data: &Path) -> Result<(), PostgresError> {
    let file = data.join("postmaster.pid");
    let Ok(text) = std::fs::read_to_string(&file) else {
        return Ok(());
    };
    let mut lines = text.lines();
    let Some(pid) = lines.next().and_then(parse_pid) else {
        // Written by a process that was killed at that very moment, or with a
        // full disk. Postgres would refuse to start; there is nothing to keep.
        tracing::warn!(file = %file.display(), "removing an unreadable lock file");
        return std::fs::remove_file(&file).map_err(failed("remove", &file));
    };
    // Lines: process, data directory, start time, port, socket directory.
    let socket_dir = lines.nth(3).map(PathBuf::from);
    if is_alive(pid) {
        if is_postgres_of(pid, data).await {
            tracing::warn!(
                pid = pid.as_raw_nonzero(),
                "stopping the Postgres that an earlier run left behind"
            );
            stop(pid, data).await?;
        } else {
            disown(&file, &text)?;
        }
    }
    if let Some(dir) = socket_dir {
        socket::remove_elsewhere(&dir);
    }
    Ok(())
}

/// Reads a process id; single-user mode writes it negated.
fn parse_pid(line: &str) -> Option<Pid> {
    let number: i32 = line.trim().parse().ok()?;
    Pid::from_raw(number.checked_abs()?)
}

fn is_alive(pid: Pid) -> bool {
    !matches!(test_kill_process(pid), Err(Errno::SRCH))
}

/// Whether `pid` is a Postgres that was started on `data`.
///
/// Process ids are used again, after a reboot even soon. The command line is
/// readable for everybody, unlike the working directory.
async fn is_postgres_of(pid: Pid, data: &Path) -> bool {
    let pid = pid.as_raw_nonzero();
    let command_line = match std::fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).replace('\0', " "),
        Err(_) => {
            // Not Linux. Without `ps` too, nothing can be known, and Postgres
            // itself will say that the file is there.
            let output = Command::new("ps")
                .args(["-ww", "-o", "args=", "-p", &pid.to_string()])
                .output()
                .await;
            output.map_or_else(
                |_| String::new(),
                |output| String::from_utf8_lossy(&output.stdout).into_owned(),
            )
        }
    };
    let program = command_line.split(" -D ").next().unwrap_or_default();
    program.ends_with("postgres") && command_line.contains(&format!(" -D {}", data.display()))
}

async fn stop(pid: Pid, data: &Path) -> Result<(), PostgresError> {
    for (signal, patience) in [(Signal::INT, FAST), (Signal::QUIT, IMMEDIATE)] {
        if let Err(error) = kill_process(pid, signal)
            && error != Errno::SRCH
        {
            break;
        }
        let until = Instant::now() + patience;
        while Instant::now() < until {
            // Asked by command line, because a container without an init keeps
            // the dead process in its table for ever.
            if !is_postgres_of(pid, data).await {
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }
    Err(PostgresError::Stuck {
        pid: pid.as_raw_nonzero().get(),
        data: data.to_owned(),
    })
}

/// Names ourselves in the lock file instead of a process that is not Postgres.
///
/// Postgres refuses to start while the process in the file lives, unless that is
/// its own parent. Deleting the file would work too, but with it goes the key of
/// the shared memory by which Postgres sees that servers of the dead one still
/// work on the data; pointing it at us keeps that check.
fn disown(file: &Path, text: &str) -> Result<(), PostgresError> {
    tracing::info!(file = %file.display(), "the process in this lock file is another program by now");
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    std::fs::write(file, format!("{}\n{rest}", std::process::id())).map_err(failed("write", file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lock_file_of_another_program_is_pointed_at_us_and_keeps_its_rest() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("postmaster.pid");
        let parent = rustix::process::getppid().unwrap().as_raw_nonzero();
        std::fs::write(&file, format!("{parent}\n/data\n1\n5432\n/run\n\n99 7\n")).unwrap();

        clear(dir.path()).await.unwrap();

        let us = std::process::id();
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            format!("{us}\n/data\n1\n5432\n/run\n\n99 7\n")
        );
    }

    #[tokio::test]
    async fn an_empty_lock_file_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("postmaster.pid"), "").unwrap();

        clear(dir.path()).await.unwrap();

        assert!(!dir.path().join("postmaster.pid").exists());
    }
}
