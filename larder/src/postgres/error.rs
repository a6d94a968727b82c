//! What can go wrong with the private Postgres, and what to do about it.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use super::install;

/// Why the private Postgres does not run.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Neither on PATH nor where packages put them.
    #[error("Postgres is not installed (looked for `initdb` and `postgres`)")]
    Missing,

    /// Binaries were found, none of a major version that Larder supports.
    #[error("Larder needs Postgres 15 to 18, and found {found}")]
    Unsupported {
        /// Versions with their directories, for people.
        found: String,
    },

    /// The data was made by a major version that is not installed.
    #[error("{} was made by Postgres {made_by}, and installed is {installed}", .data.display())]
    OtherVersion {
        /// The data directory.
        data: PathBuf,
        /// Major version that made the data.
        made_by: u16,
        /// Versions found, for people.
        installed: String,
    },

    /// The data directory is there, but it is not one that Postgres can read.
    #[error("{} is not a complete Postgres data directory: {reason}", .data.display())]
    Incomplete {
        /// The data directory.
        data: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },

    /// Another Larder process holds this directory's Postgres.
    #[error("another Larder runs in this directory: it holds {}", .home.display())]
    InUse {
        /// Where the data stands.
        home: PathBuf,
    },

    /// The data belongs to a user that we are not and cannot become.
    #[error("{} belongs to {owner}, and this process runs as {us}", .home.display())]
    OtherOwner {
        /// Where the data stands.
        home: PathBuf,
        /// Name or number of its owner.
        owner: String,
        /// Name or number of our user.
        us: String,
    },

    /// We are root, Postgres refuses to run as root, and nobody else is there.
    #[error("Postgres does not run as root, and no other user is known here: {reason}")]
    NoAccount {
        /// Which users were looked for.
        reason: String,
    },

    /// A file or directory could not be made, read or changed.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },

    /// A program of Postgres could not be run at all.
    #[error("cannot run {}", .program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },

    /// `initdb` or the first statement in the new cluster failed.
    #[error("Postgres could not make a new data directory in {}", .data.display())]
    Init {
        /// The data directory that was to be made.
        data: PathBuf,
        /// The last lines that the program printed.
        tail: String,
    },

    /// Postgres ended before it took connections, or while it was needed.
    #[error("Postgres {what} ({})", .log.display())]
    Ended {
        /// What it did, for people: "did not start" or "stopped by itself".
        what: &'static str,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },

    /// A Postgres that an earlier run left behind does not stop.
    #[error("an earlier Postgres (process {pid}) still holds {} and does not stop", .data.display())]
    Stuck {
        /// Its process id.
        pid: i32,
        /// The data directory.
        data: PathBuf,
    },
}

impl PostgresError {
    /// What the person at the terminal can do about it, in one or more lines.
    pub fn help(&self) -> String {
        match self {
            Self::Missing => format!("install it with: {}", install::line()),
            Self::Unsupported { .. } => {
                format!("install a supported one with: {}", install::line())
            }
            Self::OtherVersion { data, made_by, .. } => format!(
                "install Postgres {made_by}, or upgrade the data with pg_upgrade, or (the data is \
                 lost, the cache refills) remove {}",
                data.display()
            ),
            Self::Incomplete { data, .. } => restore_or_remove(&data.display().to_string()),
            Self::InUse { .. } => {
                "stop it first, or run this one in another directory or with DATABASE_URL set"
                    .to_owned()
            }
            Self::OtherOwner { owner, home, .. } => format!(
                "run as {owner} or as root, or remove {} (the data is lost, the cache refills)",
                home.display()
            ),
            Self::NoAccount { .. } => "run as an ordinary user, or set DATABASE_URL".to_owned(),
            Self::File { source, .. } | Self::Program { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "run in a directory that you may write to, or set DATABASE_URL".to_owned()
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "the disk is full: make room, then start again".to_owned()
                }
                io::ErrorKind::ReadOnlyFilesystem => {
                    "run in a directory that can be written to, or set DATABASE_URL".to_owned()
                }
                _ => "see the cause above; DATABASE_URL names another Postgres to use instead"
                    .to_owned(),
            },
            Self::Init { tail, data } => {
                with_tail(diagnose(tail, &data.display().to_string()), tail)
            }
            Self::Ended { tail, log, .. } => {
                let data = log.with_file_name("data");
                with_tail(diagnose(tail, &data.display().to_string()), tail)
            }
            Self::Stuck { pid, .. } => format!("stop it with: kill -QUIT {pid}"),
        }
    }
}

fn restore_or_remove(data: &str) -> String {
    format!("restore a backup, or (the data is lost, the cache refills) remove {data}")
}

/// Turns what Postgres logged into advice.
///
/// Only messages whose remedy differs are told apart; they are English, because
/// Postgres is started with `LC_ALL=C`.
fn diagnose(tail: &str, data: &str) -> String {
    let says = |text: &str| tail.contains(text);
    if says("No space left on device")
        || says("Check free disk space")
        || says("Disk quota exceeded")
    {
        "the disk is full: make room, then start again".to_owned()
    } else if says("could not create shared memory") || says("could not resize shared memory") {
        "the system gives out no shared memory: raise its limit (a container: --shm-size)"
            .to_owned()
    } else if says("is being used") || says("already exists") || says("still in use") {
        "another Postgres runs on this data: stop it first".to_owned()
    } else if says("Permission denied") || says("has invalid permissions") {
        format!("the files of {data} must belong to one user and be closed to others (mode 0700)")
    } else if says("could not locate a valid checkpoint")
        || says("invalid checkpoint")
        || says("pg_control")
        || says("could not open file")
        || says("could not open directory")
        || says("could not read")
        || says("invalid data in")
        || says("PANIC")
        || says("checksum")
    {
        format!("the data is damaged: {}", restore_or_remove(data))
    } else {
        "the log says why".to_owned()
    }
}

fn with_tail(mut help: String, tail: &str) -> String {
    for line in tail.lines() {
        // Writing to a String cannot fail.
        let _ = write!(help, "\n  | {line}");
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_from_damage() {
        let full = PostgresError::Init {
            data: "d".into(),
            tail: "could not write to file: No space left on device".to_owned(),
        };
        assert!(
            full.help().starts_with("the disk is full"),
            "{}",
            full.help()
        );

        let damaged = PostgresError::Ended {
            what: "did not start",
            log: "/x/log".into(),
            tail: "PANIC:  could not locate a valid checkpoint record".to_owned(),
        };
        assert!(
            damaged.help().contains("remove /x/data"),
            "{}",
            damaged.help()
        );
    }
}
