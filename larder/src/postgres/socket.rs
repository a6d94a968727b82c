//! Where the socket of the private Postgres stands, and the URL that names it.
//!
//! A socket's path is limited to 107 bytes by Linux and 103 by macOS
//! (`sockaddr_un`), and libpq reads a comma in it as the end of a host. A
//! directory that breaks either rule gets its socket in a directory of its own
//! below `XDG_RUNTIME_DIR` or `/tmp`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::PostgresError;
use super::account::Account;
use super::home::private_directory;

/// The socket's file; its number is the port that Postgres is told.
const SOCKET: &str = ".s.PGSQL.5432";

/// The file beside it by which Postgres guards it.
const SOCKET_LOCK: &str = ".s.PGSQL.5432.lock";

/// Longest directory that leaves room for the socket's file on every system.
const LONGEST_BYTES: usize = 103 - SOCKET.len() - 1;

/// First part of the names of directories made outside `.larder`.
const ELSEWHERE: &str = "larder-run-";

/// Left as they are in the URL, for people to read.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// A directory, closed to others, in which Postgres makes its socket.
#[derive(Debug)]
pub(super) struct SocketDir {
    path: PathBuf,
}

impl SocketDir {
    /// Makes `preferred`, or another directory if no socket can stand there.
    ///
    /// Call when no Postgres runs on the data: what an earlier one left in the
    /// directory is removed, since its process id may be another program's now.
    pub(super) fn make(preferred: &Path, account: Account) -> Result<Self, PostgresError> {
        if fits(preferred) {
            remove_files(preferred);
            match private_directory(preferred, account) {
                Err(PostgresError::File { source, .. })
                    if source.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
            return Ok(Self {
                path: preferred.to_owned(),
            });
        }
        Self::make_elsewhere(account)
    }

    fn make_elsewhere(account: Account) -> Result<Self, PostgresError> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let base = runtime
            .filter(|dir| {
                account == Account::Ourselves && dir.is_dir() && fits(&dir.join(ELSEWHERE))
            })
            .unwrap_or_else(|| PathBuf::from("/tmp"));
        let process = std::process::id();
        let mut number = 0;
        loop {
            let path = base.join(format!("{ELSEWHERE}{process}-{number}"));
            match private_directory(&path, account) {
                Ok(()) => return Ok(Self { path }),
                Err(PostgresError::File { source, .. })
                    if source.kind() == io::ErrorKind::AlreadyExists =>
                {
                    number += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The value of `unix_socket_directories`, quoted, since it is a list.
    pub(super) fn setting(&self) -> String {
        format!("unix_socket_directories=\"{}\"", self.path.display())
    }

    /// The URL of the database `larder` for its superuser of the same name.
    ///
    /// The host before the `?` is there because URLs must have one; both libpq
    /// and sqlx let the parameter win.
    pub(super) fn url(&self) -> String {
        url(&self.path)
    }
}

fn url(dir: &Path) -> String {
    let dir = dir.to_string_lossy();
    let host = utf8_percent_encode(&dir, ENCODED);
    format!("postgres://larder@localhost/larder?host={host}")
}

/// The URL of a server on the cluster `data` that somebody else started, if it answers.
pub(super) fn running(data: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    // Lines: process, data directory, start time, port, socket directory.
    let dir = PathBuf::from(text.lines().nth(4)?);
    // A killed server leaves the file, and the socket too.
    UnixStream::connect(dir.join(SOCKET)).ok()?;
    Some(url(&dir))
}

impl Drop for SocketDir {
    fn drop(&mut self) {
        remove_elsewhere(&self.path);
    }
}

/// Removes a directory that [`SocketDir::make`] made outside `.larder`, also one
/// of an earlier run; leaves every other directory alone.
pub(super) fn remove_elsewhere(path: &Path) {
    let ours = |name: &OsStr| name.to_string_lossy().starts_with(ELSEWHERE);
    if path.file_name().is_some_and(ours) {
        remove_files(path);
        // Not empty or gone already: somebody else's business.
        let _ = std::fs::remove_dir(path);
    }
}

fn remove_files(dir: &Path) {
    for name in [SOCKET, SOCKET_LOCK] {
        // Mostly they are not there; one that cannot be removed makes Postgres
        // fail with a message that names it.
        let _ = std::fs::remove_file(dir.join(name));
    }
}

/// Whether a socket can stand in `dir` for Postgres, libpq and sqlx alike.
fn fits(dir: &Path) -> bool {
    dir.to_str().is_some_and(|text| {
        text.len() <= LONGEST_BYTES
            && !text.contains(|c: char| c.is_control() || matches!(c, ',' | '"' | '\'' | '\\'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_encoded_for_libpq_which_does_not_read_plus_as_a_space() {
        let dir = SocketDir {
            path: "/a b/ü+&?".into(),
        };
        assert_eq!(
            dir.url(),
            "postgres://larder@localhost/larder?host=/a%20b/%C3%BC%2B%26%3F"
        );
    }

    #[test]
    fn sqlx_reads_the_same_socket_from_the_url() {
        let dir = SocketDir {
            path: "/a b/ü+&?".into(),
        };
        let options: sqlx::postgres::PgConnectOptions = dir.url().parse().unwrap();
        assert_eq!(options.get_socket(), Some(&PathBuf::from("/a b/ü+&?")));
        assert_eq!(options.get_database(), Some("larder"));
        assert_eq!(options.get_username(), "larder");
    }

    #[test]
    fn long_paths_and_commas_go_elsewhere() {
        assert!(fits(Path::new("/home/me/project/.larder/postgres/run")));
        assert!(fits(Path::new(&format!(
            "/{}",
            "x".repeat(LONGEST_BYTES - 1)
        ))));
        assert!(!fits(Path::new(&format!("/{}", "x".repeat(LONGEST_BYTES)))));
        assert!(!fits(Path::new("/home/a,b/run")));
    }
}
