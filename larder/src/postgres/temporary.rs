//! A private Postgres in a temporary directory, for tests and measurements.
//!
//! The directory's name says which process made it, so that the next one deletes what a
//! killed one left, and stops its Postgres.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use super::home::failed;
use super::{Durability, PostgresError, PrivatePostgres};

/// First part of the names of temporary directories; our process id follows.
const PREFIX: &str = "larder-fast-";

/// A running Postgres whose data goes with it.
#[derive(Debug)]
pub struct TemporaryPostgres {
    server: PrivatePostgres,
    // Deleted when dropped, after the server has stopped.
    _dir: TempDir,
}

impl TemporaryPostgres {
    /// Starts a Postgres on new data, after deleting what killed runs left.
    ///
    /// # Errors
    ///
    /// See [`PostgresError`].
    pub async fn start(durability: Durability) -> Result<Self, PostgresError> {
        remove_leftovers().await;
        let base = std::env::temp_dir();
        let dir = directory().map_err(failed("make a directory in", &base))?;
        let server = PrivatePostgres::start(dir.path(), durability).await?;
        Ok(Self { server, _dir: dir })
    }

    /// Where to connect.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Stops Postgres and deletes its data.
    ///
    /// # Errors
    ///
    /// [`PostgresError::File`] when a file cannot be deleted.
    pub async fn stop(self) -> Result<(), PostgresError> {
        self.server.stop_and_remove().await
    }
}

fn directory() -> std::io::Result<TempDir> {
    let dir = tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .tempdir()?;
    // Passable for the user that Postgres runs as when we are root; what stands
    // in it is closed.
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711))?;
    Ok(dir)
}

/// Deletes what runs that were killed left in the temporary directory, and
/// stops their Postgres.
async fn remove_leftovers() {
    for dir in abandoned_directories() {
        let removed = super::remove(&dir).await;
        match removed.is_ok() && std::fs::remove_dir_all(&dir).is_ok() {
            true => tracing::info!(dir = %dir.display(), "removed what a killed run left"),
            // Perhaps another user's; not ours to worry about.
            false => tracing::debug!(dir = %dir.display(), "left over, cannot be removed"),
        }
    }
}

fn abandoned_directories() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| is_abandoned(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect()
}

/// Whether the process in a directory's name is gone. A process id that is used
/// again only means that the directory stays a little longer.
fn is_abandoned(name: &str) -> bool {
    let pid = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split('-').next())
        .and_then(|pid| pid.parse().ok())
        .and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_dead_processes_are_abandoned() {
        assert!(!is_abandoned(&format!(
            "{PREFIX}{}-abc",
            std::process::id()
        )));
        assert!(is_abandoned(&format!("{PREFIX}{}-abc", i32::MAX)));
        assert!(!is_abandoned("larder-fast-x"));
        assert!(!is_abandoned("something"));
    }
}
