//! Remembers what was read, and keeps what nobody asks for any more from piling up.
//!
//! Reads are noted in memory and written once a second for all of them, so that a read
//! costs no statement of its own. What a killed process has noted is lost, which only
//! makes a resource look a second older than it is.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared::model::ResourceKey;

use crate::app::App;

/// Shortest time between two writes.
const EVERY: Duration = Duration::from_secs(1);

/// Most resources that are remembered between two writes; more are as good as read.
const MOST: usize = 50_000;

/// What readers have asked for since the last write.
#[derive(Debug, Default)]
pub(crate) struct Demand(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    read: HashSet<ResourceKey>,
    /// Whether some of it may be new to the database.
    is_new: bool,
}

impl Demand {
    /// Notes a read; `is_new` if something was asked for that was not there.
    pub(super) fn note<'k>(&self, keys: impl Iterator<Item = &'k ResourceKey>, is_new: bool) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.is_new |= is_new;
        for key in keys {
            if noted.read.len() >= MOST {
                return;
            }
            if !noted.read.contains(key) {
                noted.read.insert(key.clone());
            }
        }
    }

    fn take(&self) -> Noted {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes what was read, and drops what is too much, until the server stops.
pub(crate) async fn keep(app: &App) {
    while app
        .stop
        .run_until_cancelled(tokio::time::sleep(EVERY))
        .await
        .is_some()
    {
        let noted = app.demand.take();
        if noted.read.is_empty() {
            continue;
        }
        let keys: Vec<(ResourceKey, f64)> = noted.read.into_iter().map(|key| (key, 1.0)).collect();
        if let Err(error) = app.store.note_reads(&keys).await {
            tracing::debug!(cause = error.chain(), "reads are not noted");
        }
        if noted.is_new {
            drop_untracked(app).await;
        }
    }
}

async fn drop_untracked(app: &App) {
    for (provider, section) in &app.config().providers {
        let most = section.cache.max_untracked;
        match app.store.drop_untracked(provider.as_str(), most).await {
            Ok(0) => {}
            Ok(dropped) => tracing::info!(%provider, dropped, "untracked resources dropped"),
            Err(error) => tracing::debug!(cause = error.chain(), "untracked resources stay"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_noted_once_and_taken_once() {
        let demand = Demand::default();
        let keys = ["a", "b", "a"].map(|key| ResourceKey(key.to_owned()));
        demand.note(keys.iter(), false);
        demand.note(keys.iter(), true);
        let noted = demand.take();
        assert_eq!((noted.read.len(), noted.is_new), (2, true));
        assert!(demand.take().read.is_empty());
    }
}
