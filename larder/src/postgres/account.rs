//! The user that Postgres runs as.
//!
//! An ordinary user runs it under the own name. Root cannot: Postgres refuses. So
//! as root the programs are started under another user, chosen so that a later
//! run finds data that it can use: the owner of existing data, else the owner of
//! the directory (a checkout worked on with `sudo`), else `postgres`, else
//! `nobody`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Stdio;

use nix::unistd::{Uid, User};
use tokio::process::Command;

use super::PostgresError;

/// Users without a password of their own that systems have for services.
const SERVICE_USERS: [&str; 2] = ["postgres", "nobody"];

/// Variables that a program may need to find its libraries. Nothing else of our
/// environment reaches Postgres: it may hold secrets.
const LIBRARY_PATHS: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// Who runs the programs of Postgres and owns its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// The user of this process.
    Ourselves,
    /// Another user, since this process is root.
    Other {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
}

impl Account {
    /// Chooses the user for data in `home`, below the directory `dir`.
    pub(super) fn choose(dir: &Path, home: &Path) -> Result<Self, PostgresError> {
        if !Uid::effective().is_root() {
            return Ok(Self::Ourselves);
        }
        if let Some(owner) = owner(home).filter(|uid| *uid != 0) {
            // The data decides. `initdb` and `postgres` look their user's name up,
            // so a number without a name cannot run them.
            return by_uid(owner).ok_or_else(|| PostgresError::NoAccount {
                reason: format!("the data belongs to user id {owner}, which has no name here"),
            });
        }
        let of_directory = owner(dir).filter(|uid| *uid != 0).and_then(by_uid);
        let service = || SERVICE_USERS.iter().find_map(|name| by_name(name));
        of_directory
            .or_else(service)
            .ok_or_else(|| PostgresError::NoAccount {
                reason: format!("looked for {}", SERVICE_USERS.join(" and ")),
            })
    }

    /// The user id that files of this account have.
    pub(super) fn uid(self) -> u32 {
        match self {
            Self::Ourselves => Uid::effective().as_raw(),
            Self::Other { uid, .. } => uid,
        }
    }

    /// A command that runs `program` as this user, with nothing on its input, in
    /// a process group of its own (Ctrl-C in the terminal must not reach
    /// Postgres: Larder stops it last), and with an empty environment.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").process_group(0);
        for name in LIBRARY_PATHS {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::null());
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a file that we made to this user.
    pub(super) fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid)),
        }
    }

    /// Whether this user can reach `dir`, tried by running `program --version`
    /// in it: permissions, access lists and mounts all count.
    pub(super) async fn can_reach(self, dir: &Path, program: &Path) -> Result<bool, PostgresError> {
        let failed = |source| PostgresError::Program {
            program: program.to_owned(),
            source,
        };
        let run_in = async |dir: &Path| {
            self.command(program)
                .arg(OsStr::new("--version"))
                .current_dir(dir)
                .output()
                .await
        };
        // First where everybody may be, so that a program that this user cannot
        // run is not taken for a directory that it cannot reach.
        run_in(Path::new("/")).await.map_err(failed)?;
        match run_in(dir).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Name of a user for people; the number where it has none.
pub(super) fn name_of(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("user {}", user.name),
        Ok(None) | Err(_) => format!("user id {uid}"),
    }
}

fn owner(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| metadata.uid())
}

fn by_uid(uid: u32) -> Option<Account> {
    User::from_uid(Uid::from_raw(uid))
        .ok()
        .flatten()
        .map(account_of)
}

fn by_name(name: &str) -> Option<Account> {
    User::from_name(name).ok().flatten().map(account_of)
}

fn account_of(user: User) -> Account {
    Account::Other {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    }
}
