//! Loads entries into memory, and keeps what is there up to date.
//!
//! One task asks the database, one statement after the other, so that what it puts into the
//! copies is never older than what it put there before:
//!
//! - **Loads**: what readers miss, all of it that has come together while the last statement
//!   ran. Ten thousand readers of one entry cost one statement.
//! - **Looks**: what was written since the last look, which lanes are closed, which jobs have
//!   ended that somebody waits for. A look follows each announcement of changes, and comes
//!   once a second without one while somebody reads or waits: an announcement is a hint, and
//!   a lost one costs no more than that. What was read since it was loaded is loaded anew;
//!   what was not is forgotten.
//!
//! While nothing is kept and nobody waits, the database is left alone. While nobody reads, and
//! announcements arrive, it is asked every [`QUIET_POLL`]; the first read after a while waits for
//! a look, so that it, too, gets nothing that a lost announcement left to be old.
//!
//! # When the database is away
//!
//! What is in memory goes on being answered, with its age. Loads fail, and their readers are
//! told. The first look after it is exact again, since it begins where the last good one
//! ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use shared::model::{JobId, ResourceKey};
use shared::store::{Position, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::held::Held;
use crate::app::App;

/// Longest time between two looks.
const POLL: Duration = Duration::from_secs(1);

/// The same while nobody reads, and announcements arrive.
const QUIET_POLL: Duration = Duration::from_secs(10);

/// Shortest time between two looks, however many changes are announced.
const GAP: Duration = Duration::from_millis(5);

/// Longest time for a statement; after it the next one may do better.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often everything that is kept is compared with the database: what was deleted, or
/// is tracked from now on, was not written.
const COMPARE: Duration = Duration::from_secs(10);

/// Most loads that one statement takes together.
const MOST_LOADS: usize = 1_000;

/// Most entries that one statement asks for, so that their bodies fit memory.
const MOST_KEYS: usize = 500;

/// What a load found: the entries that exist.
type Loaded = Result<Vec<Arc<Held>>, Arc<StoreError>>;

struct Load {
    keys: Vec<ResourceKey>,
    done: oneshot::Sender<Loaded>,
}

/// Takes wishes for entries. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Keeper(mpsc::UnboundedSender<Load>);

/// The wishes, on the keeper's side.
pub(crate) struct Wishes(mpsc::UnboundedReceiver<Load>);

impl Keeper {
    /// A keeper, and what [`run`] needs to serve it.
    pub(crate) fn new() -> (Self, Wishes) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Wishes(receiver))
    }

    /// The entries of `keys` that exist, from the database.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub(super) async fn load(&self, keys: Vec<ResourceKey>) -> Loaded {
        let (done, loaded) = oneshot::channel();
        // The task has gone: the process stops.
        let gone = || Arc::new(StoreError::TooSlow);
        self.0.send(Load { keys, done }).map_err(|_| gone())?;
        loaded.await.map_err(|_| gone())?
    }
}

/// Serves loads and looks until the server stops.
pub(crate) async fn run(app: &App, mut wishes: Wishes) {
    let mut position = None;
    let mut batch = Vec::new();
    let mut compared = Instant::now();
    while !app.stop.is_cancelled() {
        // Registered before the look: what changes after it wakes us.
        let woken = app.wake.cache();
        tokio::pin!(woken);
        woken.as_mut().enable();
        // Before the look: who reads while it runs may miss what it finds.
        app.copies.attention.expect_reads();
        look(app, &mut position).await;
        app.copies.attention.end_pause();
        if compared.elapsed() >= COMPARE {
            compare(app).await;
            compared = Instant::now();
        }
        let looked = Instant::now();
        loop {
            let poll = match is_quiet(app) {
                true => QUIET_POLL,
                false => POLL,
            };
            tokio::select! {
                biased;
                () = app.stop.cancelled() => return,
                () = &mut woken, if looked.elapsed() >= GAP => break,
                () = tokio::time::sleep_until(looked + poll) => break,
                () = tokio::time::sleep_until(looked + POLL), if poll > POLL && !app.copies.attention.is_paused() => {
                    app.copies.attention.pause();
                }
                // The next look comes sooner.
                () = app.copies.attention.first_read() => {}
                taken = wishes.0.recv_many(&mut batch, MOST_LOADS) => {
                    if taken == 0 {
                        return;
                    }
                    if position.is_none() {
                        // Without one, what changes after the load would be missed.
                        begin(app, &mut position).await;
                    }
                    load(app, &mut batch).await;
                }
                () = tokio::time::sleep_until(looked + GAP), if looked.elapsed() < GAP => {}
            }
        }
    }
}

/// Whether a look may wait, since nobody would see what it brings.
fn is_quiet(app: &App) -> bool {
    app.wake.is_listening() && !app.copies.attention.were_read() && app.flights.is_empty()
}

async fn load(app: &App, batch: &mut Vec<Load>) {
    // Somebody may have been faster; and who has gone needs nothing.
    batch.retain(|load| !load.done.is_closed());
    let mut keys: Vec<ResourceKey> = batch.iter().flat_map(|load| load.keys.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    let found = fetch(app, &keys).await;
    for load in batch.drain(..) {
        let answer = match &found {
            Ok(found) => {
                let of = |key: &ResourceKey| {
                    let at = found.binary_search_by(|held| held.state.counter.key().cmp(key));
                    at.ok().map(|at| Arc::clone(&found[at]))
                };
                Ok(load.keys.iter().filter_map(of).collect())
            }
            Err(error) => Err(Arc::clone(error)),
        };
        // Whoever has gone in the meantime needs none.
        let _ = load.done.send(answer);
    }
}

/// Loads entries into the copies; answers them in the order of their keys.
async fn fetch(app: &App, keys: &[ResourceKey]) -> Loaded {
    let mut found = Vec::with_capacity(keys.len());
    for keys in keys.chunks(MOST_KEYS) {
        let at = app.copies.now();
        let entries = in_time(app.store.entries(keys)).await.map_err(Arc::new)?;
        // Ages are those of the statement's run: one that is kept too young is the worse slip.
        found.extend(entries.into_iter().map(|entry| app.copies.put(entry, at)));
    }
    found.sort_unstable_by(|a, b| a.state.counter.key().cmp(b.state.counter.key()));
    Ok(found)
}

/// Takes a position to look from. What was kept without one may be old.
async fn begin(app: &App, position: &mut Option<Position>) {
    match in_time(app.store.changes(None)).await {
        Ok(changes) => {
            app.copies.forget_all();
            app.copies.set_closed(changes.closed);
            *position = Some(changes.next);
        }
        Err(error) => tracing::debug!(cause = error.chain(), "cannot look for changes"),
    }
}

/// One look, if anybody needs it.
async fn look(app: &App, position: &mut Option<Position>) {
    app.flights.expire();
    let jobs = app.flights.jobs();
    if app.copies.is_empty() && app.flights.is_empty() {
        *position = None;
        return;
    }
    if let Err(error) = try_look(app, position, &jobs).await {
        tracing::debug!(cause = error.chain(), "cannot look for changes");
    }
}

async fn try_look(
    app: &App,
    position: &mut Option<Position>,
    jobs: &[JobId],
) -> Result<(), Arc<StoreError>> {
    let Some(since) = position else {
        begin(app, position).await;
        return Ok(());
    };
    // Before the entries, so that the answer of a job that has ended is seen with it.
    let ended = match jobs {
        [] => Vec::new(),
        jobs => in_time(app.store.ended_refreshes(jobs))
            .await
            .map_err(Arc::new)?,
    };
    let changes = in_time(app.store.changes(Some(since))).await;
    let changes = changes.map_err(Arc::new)?;
    app.copies.set_closed(changes.closed);
    let mut renewed = Vec::new();
    for (key, revision) in &changes.written {
        app.copies.note_present(key);
        match app.copies.kept(key) {
            Some((kept, _)) if kept >= *revision => {}
            Some((_, false)) if !app.flights.wants(key) => app.copies.forget(key),
            Some(_) => renewed.push(key.clone()),
            None if app.flights.wants(key) => renewed.push(key.clone()),
            None => {}
        }
    }
    fetch(app, &renewed).await?;
    // Only now: had loading failed, the next look would have to find them again.
    *since = changes.next;
    for (key, revision) in &changes.written {
        app.flights.written(key, *revision);
    }
    for ended in ended {
        app.flights.job_ended(ended);
    }
    app.flights.lanes_closed(|lane| app.copies.closed(lane));
    Ok(())
}

/// Forgets what the database no longer has as it is kept.
async fn compare(app: &App) {
    for keys in app.copies.keys().chunks(MOST_KEYS) {
        let marks = match in_time(app.store.entry_marks(keys)).await {
            Ok(marks) => marks,
            Err(error) => {
                tracing::debug!(cause = error.chain(), "cannot compare");
                return;
            }
        };
        let marks: HashMap<_, _> = (marks.iter().map(|mark| (&mark.resource_key, mark))).collect();
        for key in keys {
            app.copies.check(key, marks.get(key).copied());
        }
    }
}

async fn in_time<T>(
    statement: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let done = tokio::time::timeout(PATIENCE, statement).await;
    done.unwrap_or(Err(StoreError::TooSlow))
}
