//! Where the private Postgres keeps its files, and who may use them now.
//!
//! Everything stands in `.larder/postgres`: `data/` (the cluster), `run/` (its
//! socket), `log`, and `lock`, which one Larder process holds at a time. The
//! kernel drops the lock when its holder dies, however it dies, so that a lock
//! never has to be judged stale.
//!
//! As root the files belong to another user ([`Account`]). When that user cannot
//! reach the directory (below `/root`, say), they stand in `/var/lib/larder`
//! and `.larder/postgres` is a symbolic link to them.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::PostgresError;
use super::account::{Account, name_of};

/// Holds the files of users who cannot reach the directory that Larder runs in.
const ELSEWHERE: &str = "/var/lib/larder";

/// The directory with all files of one private Postgres, locked for us.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    /// `.larder/postgres` as it was asked for; differs when it is a link.
    name: PathBuf,
    /// Held open, since closing it gives the lock up.
    _lock: File,
}

impl Home {
    /// Where the files of a Larder in `dir` are found, as a link or a directory.
    pub(super) fn name_in(dir: &Path) -> PathBuf {
        dir.join(".larder").join("postgres")
    }

    /// Makes the directory if it is missing, checks its owner, and locks it.
    ///
    /// `probe` is a program that everybody may run; see [`Account::can_reach`].
    pub(super) async fn open(
        dir: &Path,
        account: Account,
        probe: &Path,
    ) -> Result<Self, PostgresError> {
        let name = Self::name_in(dir);
        let path = match name.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&name, account, probe).await?
            }
            Err(source) => return Err(failed("open", &name)(source)),
        };
        claim(&path, account)?;
        let lock = lock(&path)?;
        Ok(Self {
            path,
            name,
            _lock: lock,
        })
    }

    /// The cluster.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Where the socket stands, unless that path is too long for one.
    pub(super) fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    /// What Postgres printed since its last start.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Deletes everything, the link included.
    pub(super) fn remove(self) -> Result<(), PostgresError> {
        std::fs::remove_dir_all(&self.path).map_err(failed("remove", &self.path))?;
        match std::fs::remove_file(&self.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &self.name)(error))
            }
            _ => Ok(()),
        }
    }
}

/// Makes the directory behind `name` and returns its real path.
async fn make(name: &Path, account: Account, probe: &Path) -> Result<PathBuf, PostgresError> {
    let parent = name.parent().unwrap_or(name);
    make_parent(parent, account)?;
    if account == Account::Ourselves || account.can_reach(parent, probe).await? {
        // `name` may still be a link whose target is gone.
        match std::fs::remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("replace", name)(error));
            }
            _ => {}
        }
        private_directory(name, account)?;
        return name.canonicalize().map_err(failed("open", name));
    }
    let path = make_elsewhere(parent, account)?;
    let _ = std::fs::remove_file(name);
    symlink(&path, name).map_err(failed("link", name))?;
    tracing::info!(
        data = %path.display(),
        link = %name.display(),
        "the database files stand elsewhere, because the user that Postgres runs as cannot reach this directory"
    );
    Ok(path)
}

/// Makes `.larder` itself: closed to others, but passable for the account.
fn make_parent(parent: &Path, account: Account) -> Result<(), PostgresError> {
    let mode = match account {
        Account::Ourselves => 0o700,
        Account::Other { .. } => 0o711,
    };
    match DirBuilder::new().mode(mode).create(parent) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(failed("make", parent)(source)),
    }
    if account == Account::Ourselves {
        return Ok(());
    }
    let metadata = std::fs::metadata(parent).map_err(failed("read", parent))?;
    let permissions = Permissions::from_mode(metadata.permissions().mode() | 0o011);
    std::fs::set_permissions(parent, permissions).map_err(failed("open", parent))
}

/// Makes a directory below `/var/lib/larder` that no earlier one used.
///
/// Whoever deleted `.larder` wanted to start anew, so older files of the same
/// directory are left alone, and named in the log.
fn make_elsewhere(parent: &Path, account: Account) -> Result<PathBuf, PostgresError> {
    let base = Path::new(ELSEWHERE);
    DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(base)
        .map_err(failed("make", base))?;
    let digest = Sha256::digest(parent.as_os_str().as_bytes());
    let hash: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut path = base.join(&hash);
    let mut number = 1;
    while path.exists() {
        tracing::warn!(
            data = %path.display(),
            "database files of an earlier run in this directory; delete them if they are not needed"
        );
        number += 1;
        path = base.join(format!("{hash}-{number}"));
    }
    private_directory(&path, account)?;
    Ok(path)
}

/// Makes a directory that only the account (and root) can open.
pub(super) fn private_directory(path: &Path, account: Account) -> Result<(), PostgresError> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(failed("make", path))?;
    account.own(path).map_err(failed("give away", path))
}

/// Checks that the files are the account's, and takes over what root left
/// between making a directory and giving it away.
fn claim(path: &Path, account: Account) -> Result<(), PostgresError> {
    let metadata = std::fs::metadata(path).map_err(failed("read", path))?;
    if metadata.uid() == account.uid() {
        return Ok(());
    }
    if metadata.uid() == 0 && account != Account::Ourselves {
        return account.own(path).map_err(failed("give away", path));
    }
    Err(PostgresError::OtherOwner {
        home: path.to_owned(),
        owner: name_of(metadata.uid()),
        us: name_of(account.uid()),
    })
}

fn lock(home: &Path) -> Result<File, PostgresError> {
    let path = home.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PostgresError::InUse {
            home: home.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed("lock", &path)(source)),
    }
}

/// Names what was tried on which file, for `map_err`.
pub(super) fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> PostgresError + 'a {
    move |source| PostgresError::File {
        action,
        path: path.to_owned(),
        source,
    }
}
