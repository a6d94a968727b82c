//! How many misses one client may cause, so that nobody alone fills the queue.
//!
//! A miss that others wait for already is free, and so is whatever is answered from the
//! cache. What misses may cost in all is the readers' share of the budget; this bound only
//! keeps one client from taking all of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::address::network;

/// Time after which a client that has used up its misses has all of them again.
const REFILL: Duration = Duration::from_secs(60);

/// Most clients that are remembered; who has all of its misses is forgotten first.
const MOST: usize = 20_000;

/// What clients have left: each has a bucket that refills within a minute.
#[derive(Debug)]
pub(crate) struct Misses {
    per_minute: u32,
    taken: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Misses {
    /// Nobody has missed anything yet. 0 lets everybody miss without bound.
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            taken: Mutex::default(),
        }
    }

    /// Takes `count` misses of a client.
    ///
    /// # Errors
    ///
    /// How long to wait, if the client has none left. Whoever has one left may take more
    /// than that, and then waits for longer: one question may name many items.
    pub(super) fn take(&self, client: IpAddr, count: u32, now: Instant) -> Result<(), Duration> {
        if self.per_minute == 0 || count == 0 {
            return Ok(());
        }
        let most = f64::from(self.per_minute);
        let pace = most / REFILL.as_secs_f64();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |(taken, at): (f64, Instant)| {
            (taken - pace * now.saturating_duration_since(at).as_secs_f64()).max(0.0)
        };
        let client = network(client);
        if taken.len() >= MOST && !taken.contains_key(&client) {
            taken.retain(|_, bucket| left(*bucket) > 0.0);
            if taken.len() >= MOST {
                // So many addresses at once are one attack, not many readers.
                return Err(REFILL);
            }
        }
        let bucket = taken.entry(client).or_insert((0.0, now));
        let used = left(*bucket);
        // One whole miss must be left.
        let over = used - (most - 1.0);
        if over > 0.0 {
            return Err(Duration::from_secs_f64(over / pace));
        }
        *bucket = (used + f64::from(count), now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + last).into())
    }

    #[test]
    fn who_has_missed_too_often_waits_and_others_do_not() {
        let (misses, now) = (Misses::new(60), Instant::now());
        for _ in 0..60 {
            assert_eq!(misses.take(ip(1), 1, now), Ok(()));
        }
        let wait = misses.take(ip(1), 1, now).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(misses.take(ip(2), 1, now), Ok(()));
        assert_eq!(misses.take(ip(1), 1, now + Duration::from_secs(1)), Ok(()));
        assert_eq!(Misses::new(0).take(ip(1), u32::MAX, now), Ok(()));
    }

    #[test]
    fn one_large_question_is_answered_and_then_waited_for() {
        let (misses, now) = (Misses::new(60), Instant::now());
        assert_eq!(misses.take(ip(1), 120, now), Ok(()));
        let wait = misses.take(ip(1), 1, now).unwrap_err();
        assert!((60..=62).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn memory_is_bounded_however_many_clients_miss() {
        let (misses, now) = (Misses::new(60), Instant::now());
        for last in 0..30_000 {
            let _ = misses.take(ip(last), 1, now);
        }
        assert!(misses.taken.lock().unwrap().len() <= MOST);
        let later = now + Duration::from_secs(2);
        assert_eq!(misses.take(ip(40_000), 1, later), Ok(()));
    }
}
