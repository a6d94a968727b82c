//! Hears what other processes announce, on one supervised connection.
//!
//! A notification is a hint: whoever is woken reads the rows. So what is lost while the
//! connection is down is made up by waking everybody once after each reconnect, and by
//! the pollers, who never trust that they will be woken.
//!
//! A connection through a pooler that gives each transaction another session cannot
//! listen; there the process polls. A connection that died without a word is found by a
//! statement on it every few seconds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{CACHE_CHANNEL, JOBS_CHANNEL, StoreError, connect_options, pooler};

/// How often the connection is tried.
const HEARTBEAT: Duration = Duration::from_secs(8);

/// How long an answer on the connection may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Longest wait between two tries to connect.
const MOST_WAIT: Duration = Duration::from_secs(10);

/// Says once a process that it cannot listen, however many parts of it would.
static WARNED: Once = Once::new();

/// Wakes whoever waits for a kind of change. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    jobs: Arc<Notify>,
    calls: Arc<Notify>,
    cache: Arc<Notify>,
    up: Arc<AtomicBool>,
}

impl Wake {
    /// Woken when jobs may have been enqueued. One waiter a process: the dispatcher. A
    /// wake that comes while nobody waits is kept for the next one.
    pub async fn jobs(&self) {
        self.jobs.notified().await;
    }

    /// Wakes the dispatcher of this process.
    pub fn wake_jobs(&self) {
        self.jobs.notify_one();
    }

    /// Woken when a call of this process has ended: its slot is free, and what waited for
    /// its cost may fit now. One waiter, as for [`Wake::jobs`].
    pub async fn calls(&self) {
        self.calls.notified().await;
    }

    /// Tells the dispatcher of this process that a call has ended.
    pub fn wake_calls(&self) {
        self.calls.notify_one();
    }

    /// Woken when entries may have been renewed. Register before looking at the rows:
    /// what changes between the two would be missed otherwise.
    pub fn cache(&self) -> tokio::sync::futures::Notified<'_> {
        self.cache.notified()
    }

    /// Wakes every reader of this process that waits.
    pub fn wake_cache(&self) {
        self.cache.notify_waiters();
    }

    /// Whether notifications arrive at present.
    pub fn is_listening(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }
}

/// The task that listens.
#[derive(Debug)]
pub struct Listener;

impl Listener {
    /// Starts listening, until `stop`. Connects again, ever less often, for as long as
    /// the database is away.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadUrl`] if `url` is not a Postgres URL.
    pub fn start(url: &str, wake: &Wake, stop: &CancellationToken) -> Result<(), StoreError> {
        let options = connect_options(url)?.application_name("larder listen");
        let (wake, stop) = (wake.clone(), stop.clone());
        tokio::spawn(async move {
            let mut wait = Duration::from_millis(100);
            let mut is_direct = false;
            while !stop.is_cancelled() {
                let ended = async {
                    if !is_direct {
                        match tokio::time::timeout(ANSWER, pooler::is_shared(&options)).await {
                            Ok(Ok(is_shared)) if is_shared => return None,
                            Ok(Ok(_)) => is_direct = true,
                            Ok(Err(error)) => return Some(error.to_string()),
                            Err(_) => return Some("no answer while connecting".to_owned()),
                        }
                    }
                    Some(listen(&options, &wake, &mut wait).await)
                };
                let ended = tokio::select! {
                    ended = ended => ended,
                    () = stop.cancelled() => break,
                };
                let Some(reason) = ended else {
                    // What was registered would be another client's, and hear nothing.
                    WARNED.call_once(|| {
                        tracing::warn!(
                            "cannot listen through a pooler that shares sessions: polling instead; \
                             set DATABASE_LISTEN_URL to the address of Postgres itself"
                        );
                    });
                    break;
                };
                if wake.up.swap(false, Ordering::Relaxed) {
                    tracing::warn!(
                        reason,
                        "listening connection lost; polling until it is back"
                    );
                } else {
                    tracing::debug!(reason, "cannot listen; polling");
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.cancelled() => break,
                }
                wait = (wait * 2).min(MOST_WAIT);
            }
        });
        Ok(())
    }
}

/// Listens until the connection is lost; answers why.
async fn listen(options: &PgConnectOptions, wake: &Wake, wait: &mut Duration) -> String {
    // A pool of its own: a listener that is dropped says goodbye on its connection before it
    // gives that back, and on one that died without a word it waits for an answer as long as
    // the operating system lets it.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ANSWER)
        .connect_lazy_with(options.clone());
    let connected = async {
        let mut listener = PgListener::connect_with(&pool).await?;
        // Reconnecting is done here, where everybody is woken after it.
        listener.ignore_pool_close_event(true);
        listener.listen_all([JOBS_CHANNEL, CACHE_CHANNEL]).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    let mut listener = match tokio::time::timeout(ANSWER, connected).await {
        Ok(Ok(listener)) => listener,
        Ok(Err(error)) => return error.to_string(),
        Err(_) => return "no answer while connecting".to_owned(),
    };
    *wait = Duration::from_millis(100);
    wake.up.store(true, Ordering::Relaxed);
    tracing::debug!("listening");
    // What was announced while nobody listened is lost: look once.
    wake.wake_jobs();
    wake.wake_cache();
    loop {
        match tokio::time::timeout(HEARTBEAT, listener.try_recv()).await {
            Ok(Ok(Some(notification))) if notification.channel() == CACHE_CHANNEL => {
                wake.wake_cache();
            }
            Ok(Ok(Some(_))) => wake.wake_jobs(),
            Ok(Ok(None)) => return "closed by the server".to_owned(),
            Ok(Err(error)) => return error.to_string(),
            Err(_) => {
                let alive = sqlx::query!(
                    r#"
                    -- name: listen_heartbeat
                    select 1 as one
                    "#
                )
                .fetch_all(&mut listener);
                match tokio::time::timeout(ANSWER, alive).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return error.to_string(),
                    Err(_) => return "no answer".to_owned(),
                }
            }
        }
    }
}
