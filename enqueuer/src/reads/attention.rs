//! Whether anybody reads what is kept in memory, and who looks after it.
//!
//! While nobody reads, the keeper looks at the database seldom, and what is kept may be older than
//! it thinks: an announcement may have been lost. So whoever reads first after a pause waits for a
//! look; everybody else is answered at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Longest wait for the look that ends a pause: it takes a millisecond.
const LOOK: Duration = Duration::from_millis(250);

/// Between those who read and the keeper.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    /// Whether somebody was answered since the last look.
    were_read: AtomicBool,
    first_read: Notify,
    /// Whether nobody has looked at the database lately, since nobody read.
    pause: AtomicBool,
    pause_over: Notify,
}

impl Attention {
    /// Notes that somebody is answered from what is kept.
    pub(super) fn note_read(&self) {
        // Mostly it is noted already: then no cache line changes hands.
        if !self.were_read.load(Ordering::Relaxed) && !self.were_read.swap(true, Ordering::AcqRel) {
            self.first_read.notify_one();
        }
    }

    /// Nobody looks at the database for a while: what is kept may be old without anybody's knowing.
    pub(super) fn pause(&self) {
        self.pause.store(true, Ordering::Release);
    }

    /// Whether that is so.
    pub(super) fn is_paused(&self) -> bool {
        self.pause.load(Ordering::Acquire)
    }

    /// A look has ended, well or not.
    pub(super) fn end_pause(&self) {
        if self.pause.swap(false, Ordering::AcqRel) {
            self.pause_over.notify_waiters();
        }
    }

    /// Has the keeper look before anybody is answered from what is kept, in a pause; waits for
    /// that no longer than [`LOOK`].
    pub(super) async fn awake(&self) {
        if !self.is_paused() {
            return;
        }
        let over = self.pause_over.notified();
        tokio::pin!(over);
        // Before the second look at the flag: whoever clears it from here on wakes us.
        over.as_mut().enable();
        self.note_read();
        if self.is_paused() {
            // Old and told its age, where the database does not answer.
            let _ = tokio::time::timeout(LOOK, over).await;
        }
    }

    /// A look begins: reads from here on count for the next one.
    pub(super) fn expect_reads(&self) {
        self.were_read.store(false, Ordering::Release);
    }

    /// Whether somebody was answered since the last look began.
    pub(super) fn were_read(&self) -> bool {
        self.were_read.load(Ordering::Acquire)
    }

    /// Waits for the first such answer. One waiter: the keeper.
    pub(super) async fn first_read(&self) {
        self.first_read.notified().await;
    }
}
