//! Counts what is read, and keeps what nobody asks for any more from piling up.
//!
//! A read costs one addition in memory. Once a second the counts are written, all in one
//! statement of at most [`MOST_ROWS`] rows: the most read first. What does not fit fades at
//! the pace of the database's own counters until its turn comes. What a killed process has
//! counted is lost, which only makes a resource look a second less read than it is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::model::ResourceKey;

use crate::app::App;

/// Shortest time between two writes.
const EVERY: Duration = Duration::from_secs(1);

/// Most rows of one write.
const MOST_ROWS: usize = 500;

/// Most resources that wait for their turn; of more the least read are left out.
const MOST_WAITING: usize = 50_000;

/// What is left of a count after a second of waiting, as it fades in `reads_recent`.
const FADE: f64 = 1.0 - 1.0 / 1_800.0;

/// Reads of one resource since they were last taken.
#[derive(Debug)]
pub(super) struct Counter {
    key: ResourceKey,
    reads: AtomicU32,
}

impl Counter {
    /// A counter of a resource.
    pub(super) fn of(key: ResourceKey) -> Arc<Self> {
        Arc::new(Self {
            key,
            reads: AtomicU32::new(0),
        })
    }

    /// Whose reads it counts.
    pub(super) fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// What readers have asked for since the last write.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    counted: Mutex<Vec<Arc<Counter>>>,
    /// What was asked for and is not kept in memory.
    noted: Mutex<HashMap<ResourceKey, f64>>,
    /// Whether some of it may be new to the database.
    is_new: AtomicBool,
}

impl Demand {
    /// Counts a read of a resource that is kept in memory.
    pub(super) fn count(&self, counter: &Arc<Counter>) {
        if counter.reads.fetch_add(1, Ordering::Relaxed) == 0 {
            lock(&self.counted).push(Arc::clone(counter));
        }
    }

    /// Counts a read of resources that were not there.
    pub(super) fn note_missing<'k>(&self, keys: impl Iterator<Item = &'k ResourceKey>) {
        let mut noted = lock(&self.noted);
        for key in keys {
            if let Some(count) = noted.get_mut(key) {
                *count += 1.0;
            } else if noted.len() < MOST_WAITING {
                noted.insert(key.clone(), 1.0);
            }
        }
        self.is_new.store(true, Ordering::Relaxed);
    }

    /// Adds what was counted since to `waiting`.
    fn take(&self, waiting: &mut HashMap<ResourceKey, f64>) {
        let counted = std::mem::take(&mut *lock(&self.counted));
        let counted = counted.into_iter().map(|counter| {
            let reads = counter.reads.swap(0, Ordering::Relaxed);
            (counter.key.clone(), f64::from(reads))
        });
        let noted = std::mem::take(&mut *lock(&self.noted));
        for (key, reads) in counted.chain(noted) {
            *waiting.entry(key).or_default() += reads;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what was read, and drops what is too much, until the server stops.
pub(crate) async fn keep(app: &App) {
    let mut waiting = HashMap::new();
    while app
        .stop
        .run_until_cancelled(tokio::time::sleep(EVERY))
        .await
        .is_some()
    {
        app.demand.take(&mut waiting);
        let chosen = choose(&mut waiting);
        if chosen.is_empty() {
            continue;
        }
        if let Err(error) = app.store.note_reads(&chosen).await {
            tracing::debug!(cause = error.chain(), "reads are not noted");
            for (key, reads) in chosen {
                *waiting.entry(key).or_default() += reads;
            }
        }
        if app.demand.is_new.swap(false, Ordering::Relaxed) {
            drop_untracked(app).await;
        }
    }
}

/// Takes out what is to be written now, the most read first, and fades the rest.
fn choose(waiting: &mut HashMap<ResourceKey, f64>) -> Vec<(ResourceKey, f64)> {
    let mut all: Vec<(ResourceKey, f64)> = waiting.drain().collect();
    if all.len() > MOST_ROWS {
        all.sort_unstable_by(|(_, a), (_, b)| b.total_cmp(a));
        let rest = all.split_off(MOST_ROWS);
        let faded = rest.into_iter().take(MOST_WAITING);
        waiting.extend(faded.map(|(key, reads)| (key, reads * FADE)));
    }
    all
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

    fn key(name: &str) -> ResourceKey {
        ResourceKey(name.to_owned())
    }

    #[test]
    fn each_read_is_counted_once_whether_it_was_kept_or_missing() {
        let demand = Demand::default();
        let counter = Counter::of(key("a"));
        for _ in 0..3 {
            demand.count(&counter);
        }
        demand.note_missing([key("a"), key("b")].iter());
        let mut waiting = HashMap::new();
        demand.take(&mut waiting);
        demand.take(&mut waiting);
        assert_eq!(waiting, HashMap::from([(key("a"), 4.0), (key("b"), 1.0)]));
        demand.count(&counter);
        demand.take(&mut waiting);
        assert_eq!(waiting[&key("a")], 5.0);
    }

    #[test]
    fn a_write_is_small_and_takes_the_most_read_first() {
        let mut waiting: HashMap<ResourceKey, f64> = (0..2_000)
            .map(|nth| (key(&nth.to_string()), f64::from(nth)))
            .collect();
        let chosen = choose(&mut waiting);
        assert_eq!((chosen.len(), waiting.len()), (500, 1_500));
        assert!(chosen.iter().all(|(_, reads)| *reads >= 1_500.0));
        assert!(waiting[&key("1000")] < 1_000.0, "it fades while it waits");
        assert!(choose(&mut HashMap::new()).is_empty());
    }
}
