//! One timer for all that is waited for on a connection.
//!
//! A timer of its own for each statement wakes the thread that waits for the network, so that it
//! hears of the new one, and is taken away again a moment later: a tenth of what a small
//! statement takes. This one stays, and rings too early: whoever waits then sets it anew.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use sqlx::Error;
use tokio::time::{Instant, Sleep, sleep};

/// Ends waits that last too long.
#[derive(Debug)]
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// One that nobody has set yet.
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep(Duration::ZERO)))
    }

    /// Waits for an answer, at most `patience`.
    pub(super) async fn within<T>(
        &mut self,
        patience: Duration,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut answer = pin!(answer);
        let end = Instant::now() + patience;
        if self.0.deadline() > end {
            self.0.as_mut().reset(end);
        }
        poll_fn(|context| {
            if let Poll::Ready(answered) = answer.as_mut().poll(context) {
                return Poll::Ready(answered);
            }
            while self.0.as_mut().poll(context).is_ready() {
                if end <= Instant::now() {
                    return Poll::Ready(Err(silent(patience)));
                }
                // It was set for an earlier wait.
                self.0.as_mut().reset(end);
            }
            Poll::Pending
        })
        .await
    }
}

/// That nobody answered in time.
pub(super) fn silent(patience: Duration) -> Error {
    let silence = format!("no answer within {} s", patience.as_secs());
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, silence))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn after(wait: Duration) -> Result<u8, Error> {
        sleep(wait).await;
        Ok(1)
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_own_patience_whatever_the_alarm_was_set_for() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let mut alarm = Alarm::new();
        // While nobody waits it may ring, or be set for later than the next one waits.
        for pause in [90 * second, Duration::ZERO] {
            // (patience, how long the answer takes)
            for (patience, wait) in [
                (minute, second),
                (10 * second, 20 * second),
                (minute, 59 * second),
                (minute, 61 * second),
                (second, Duration::ZERO),
                (minute, second),
                (second, minute),
            ] {
                let began = Instant::now();
                let answered = alarm.within(patience, after(wait)).await;
                assert_eq!(answered.is_ok(), wait < patience, "{patience:?} {wait:?}");
                // A timer is good to a millisecond.
                let millis = began.elapsed().as_millis();
                let expected = patience.min(wait).as_millis();
                assert!(
                    (expected..=expected + 2).contains(&millis),
                    "{patience:?} {wait:?}: {millis} ms"
                );
                sleep(pause).await;
            }
        }
    }
}
