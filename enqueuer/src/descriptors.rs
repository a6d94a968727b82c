//! How many files and connections this process may have open.
//!
//! The usual soft limit of 1,024 is meant for programs that use `select`; the hard limit is
//! what the system grants. A process that runs out of descriptors cannot reach its database
//! any more, so connections are refused before that ([`connections`]).

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors that are kept for the database, files and names.
const KEPT: u64 = 128;

/// More connections than one process can serve; some systems grant numbers beyond it.
const MOST: u64 = 1_000_000;

/// Raises the soft limit to the hard one, as far as it makes sense.
pub(crate) fn raise() {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(MOST).min(MOST);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    limit.current = Some(wanted);
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// How many connections may be open at once, so that descriptors are left for all else.
pub(crate) fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile)
        .current
        .unwrap_or(MOST)
        .min(MOST);
    let kept = KEPT.min(limit / 2);
    usize::try_from(limit - kept).unwrap_or(usize::MAX)
}
