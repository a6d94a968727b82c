//! Counts that read every row: the longer one takes, the more seldom it is made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::store::StoreError;
use tokio::task::{AbortHandle, JoinHandle};

/// Of the time of one connection, a census takes one part in so many.
const SHARE: u32 = 100;

/// For how long whoever wants to know waits for a census; it goes on without them.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was counted last.
#[derive(Debug)]
pub(crate) struct Census<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
struct State<T> {
    /// `None` when it is not known.
    found: Option<Arc<[T]>>,
    /// Not before then is it counted again.
    next: Option<Instant>,
    /// Who counts, or did.
    task: Option<AbortHandle>,
}

impl<T> Default for Census<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            found: None,
            next: None,
            task: None,
        })))
    }
}

impl<T: Send + Sync + 'static> Census<T> {
    /// What is known: newly counted if it is time again and that does not take long. `None`
    /// until it was counted once.
    ///
    /// # Errors
    ///
    /// What counting came to. Nothing is known then.
    pub(crate) async fn take(
        &self,
        counting: impl Future<Output = Result<Vec<T>, StoreError>> + Send + 'static,
    ) -> Result<Option<Arc<[T]>>, StoreError> {
        let begun = self.begin(counting);
        if let Some(census) = begun
            && let Ok(Ok(counted)) = tokio::time::timeout(PATIENCE, census).await
        {
            counted?;
        }
        Ok(lock(&self.0).found.clone())
    }

    /// Begins to count, if it is time and nobody else does.
    fn begin(
        &self,
        counting: impl Future<Output = Result<Vec<T>, StoreError>> + Send + 'static,
    ) -> Option<JoinHandle<Result<(), StoreError>>> {
        let mut state = lock(&self.0);
        let is_due = state.next.is_none_or(|next| Instant::now() >= next);
        let is_begun = (state.task.as_ref()).is_some_and(|task| !task.is_finished());
        if !is_due || is_begun {
            return None;
        }
        let shared = Arc::clone(&self.0);
        let census = tokio::spawn(async move {
            let began = Instant::now();
            let counted = counting.await;
            let took = began.elapsed();
            let mut state = lock(&shared);
            match counted {
                Ok(rows) => {
                    state.found = Some(rows.into());
                    state.next = Some(Instant::now() + took * SHARE);
                    Ok(())
                }
                Err(error) => {
                    state.found = None;
                    Err(error)
                }
            }
        });
        state.task = Some(census.abort_handle());
        Some(census)
    }
}

fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use shared::model::JobId;

    use super::*;

    /// Takes so long, and answers how often it was done.
    async fn slow(times: Arc<AtomicI64>, takes: Duration) -> Result<Vec<i64>, StoreError> {
        tokio::time::sleep(takes).await;
        Ok(vec![times.fetch_add(1, Ordering::Relaxed) + 1])
    }

    #[tokio::test]
    async fn what_takes_long_is_seldom_counted() -> Result<(), StoreError> {
        let (census, times) = (Census::default(), Arc::new(AtomicI64::new(0)));
        let takes = Duration::from_millis(20);
        let begun = Instant::now();
        while begun.elapsed() < takes * (SHARE / 2) {
            let found = census.take(slow(Arc::clone(&times), takes)).await?;
            assert_eq!(found.as_deref(), Some(&[1][..]));
        }
        while times.load(Ordering::Relaxed) < 2 {
            census.take(slow(Arc::clone(&times), takes)).await?;
            assert!(begun.elapsed() < takes * (SHARE * 20), "never again");
        }
        assert!(begun.elapsed() >= takes * SHARE);
        Ok(())
    }

    /// Nobody waits for what takes very long, and it is not begun twice.
    #[tokio::test]
    async fn nobody_waits_for_what_takes_very_long() -> Result<(), StoreError> {
        let (census, times) = (Census::default(), Arc::new(AtomicI64::new(0)));
        let takes = PATIENCE + Duration::from_millis(500);
        // The second finds that somebody counts.
        for _ in 0..2 {
            let found = census.take(slow(Arc::clone(&times), takes)).await?;
            assert_eq!(found, None, "not known yet");
        }
        tokio::time::sleep(takes).await;
        let found = census.take(slow(Arc::clone(&times), takes)).await?;
        assert_eq!(found.as_deref(), Some(&[1][..]));
        assert_eq!(times.load(Ordering::Relaxed), 1);
        Ok(())
    }

    #[tokio::test]
    async fn after_a_failure_nothing_is_known() -> Result<(), StoreError> {
        let (census, times) = (Census::default(), Arc::new(AtomicI64::new(0)));
        let count = || slow(Arc::clone(&times), Duration::from_millis(1));
        assert!(census.take(count()).await?.is_some());
        tokio::time::sleep(Duration::from_secs(1)).await;

        let failed = census.take(async { Err(StoreError::NoJob(JobId(uuid::Uuid::nil()))) });
        assert!(failed.await.is_err());

        assert!(lock(&census.0).found.is_none());
        assert_eq!(census.take(count()).await?.as_deref(), Some(&[2][..]));
        Ok(())
    }
}
