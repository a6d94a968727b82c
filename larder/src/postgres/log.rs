//! What Postgres printed, kept in a file and quoted in errors.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::PostgresError;
use super::home::failed;

/// Enough to hold the reason and what led to it, and to fit a terminal.
const LINES: usize = 15;

/// Opens a new log; that of the run before is kept as `log.previous`.
pub(super) fn open(path: &Path) -> Result<File, PostgresError> {
    // The first run has nothing to keep.
    let _ = std::fs::rename(path, path.with_file_name("log.previous"));
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(failed("open", path))
}

/// The last lines of the log; empty when it cannot be read.
pub(super) fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&bytes))
}

/// The last lines of `text`.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
