//! Announces changes after their commit, at most once in 2 ms.
//!
//! A NOTIFY inside the transaction that inserts takes a lock of the whole server through
//! the commit's flush: 8 connections fall from 11,400 to 4,100 inserts a second. So the
//! process announces afterwards. Whoever commits while nothing was announced for 2 ms
//! does it at once, on a connection that is warm; who comes sooner leaves it to a task, which
//! sends one NOTIFY for all that was committed in the meantime. A process that dies between
//! the two costs a wait until the next poll, at most 1 s.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{CACHE_CHANNEL, JOBS_CHANNEL, Store, StoreError};

/// Shortest time between two announcements.
const GAP: Duration = Duration::from_millis(2);

/// Tells other processes that something changed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notifier {
    store: Store,
    jobs: Arc<Channel>,
    cache: Arc<Channel>,
}

/// What is announced, and when it was last.
#[derive(Debug)]
struct Channel {
    name: &'static str,
    asked: Notify,
    /// From when on it may be announced again.
    next: Mutex<Instant>,
}

impl Notifier {
    /// Starts the tasks that announce, until `stop`.
    pub fn start(store: &Store, stop: &CancellationToken) -> Self {
        let notifier = Self {
            store: store.clone(),
            jobs: Arc::new(Channel::new(JOBS_CHANNEL)),
            cache: Arc::new(Channel::new(CACHE_CHANNEL)),
        };
        for channel in [&notifier.jobs, &notifier.cache] {
            let announced = announce(store.clone(), Arc::clone(channel), stop.clone());
            tokio::spawn(announced);
        }
        notifier
    }

    /// Jobs were enqueued, or may run again.
    pub fn jobs(&self) {
        self.jobs.asked.notify_one();
    }

    /// Jobs were enqueued: whoever waits is told before this returns, unless somebody was just
    /// now.
    pub(super) async fn jobs_now(&self) {
        match self.jobs.turn() {
            Ok(()) => self.store.announce_or_log(self.jobs.name).await,
            Err(_) => self.jobs(),
        }
    }

    /// Entries were renewed.
    pub fn cache(&self) {
        self.cache.asked.notify_one();
    }
}

impl Channel {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            asked: Notify::new(),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Takes the turn to announce; if it is nobody's yet, from when on it is.
    fn turn(&self) -> Result<(), Instant> {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if now < *next {
            return Err(*next);
        }
        *next = now + GAP;
        Ok(())
    }
}

impl Store {
    /// Announces jobs at once: for a process that ends before a [`Notifier`] would.
    ///
    /// # Errors
    ///
    /// Whatever the database reports. A lost hint costs a poll, nothing more.
    pub async fn announce_jobs(&self) -> Result<(), StoreError> {
        self.announce(JOBS_CHANNEL).await
    }

    async fn announce_or_log(&self, channel: &'static str) {
        if let Err(error) = self.announce(channel).await {
            // A lost hint costs a poll, nothing more.
            tracing::debug!(channel, error = %error.chain(), "announcement was not sent");
        }
    }

    /// Announces what is committed, and durable, already: its own commit is not waited for, which
    /// would be another flush before anybody is woken.
    async fn announce(&self, channel: &str) -> Result<(), StoreError> {
        sqlx::query!(
            r#"
            -- name: notify
            select set_config('synchronous_commit', 'off', true), pg_notify($1, '')::text
            "#,
            channel,
        )
        .fetch_all(&self.db)
        .await?;
        Ok(())
    }
}

async fn announce(store: Store, channel: Arc<Channel>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = channel.asked.notified() => {}
            () = stop.cancelled() => return,
        }
        while let Err(next) = channel.turn() {
            tokio::time::sleep_until(next.into()).await;
        }
        store.announce_or_log(channel.name).await;
    }
}
