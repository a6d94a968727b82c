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
    found: Arc<[T]>,
    /// Not before then is it counted again.
    next: Option<Instant>,
    /// Who counts, or did.
    task: Option<AbortHandle>,
}

impl<T> Default for Census<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            found: Arc::new([]),
            next: None,
            task: None,
        })))
    }
}

impl<T: Send + Sync + 'static> Census<T> {
    /// What is known: newly counted if it is time again and that does not take long.
    ///
    /// # Errors
    ///
    /// What counting came to. Nothing is known then.
    pub(crate) async fn take(
        &self,
        counting: impl Future<Output = Result<Vec<T>, StoreError>> + Send + 'static,
    ) -> Result<Arc<[T]>, StoreError> {
        let begun = self.begin(counting);
        if let Some(census) = begun
            && let Ok(Ok(counted)) = tokio::time::timeout(PATIENCE, census).await
        {
            counted?;
        }
        Ok(Arc::clone(&lock(&self.0).found))
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
                    state.found = rows.into();
                    state.next = Some(Instant::now() + took * SHARE);
                    Ok(())
                }
                Err(error) => {
                    state.found = Arc::new([]);
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
