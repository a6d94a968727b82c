//! Makes guessing slow: wrong secrets are answered late, later each time.
//!
//! Only a wrong secret waits. A right one is recognised before anybody looks here, so
//! that nobody can lock an operator out by guessing from the same address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::address::network;

/// Wait after the first wrong secret.
const FIRST: Duration = Duration::from_millis(100);

/// Longest wait.
const LONGEST: Duration = Duration::from_secs(5);

/// After this time without a wrong secret an address starts anew.
const FORGET: Duration = Duration::from_secs(900);

/// Most addresses that are remembered; the longest quiet one goes first.
const MOST: usize = 4_096;

/// Wrong secrets by address.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    wrong: Mutex<HashMap<IpAddr, (u32, Instant)>>,
}

impl Delays {
    /// Counts a wrong secret from `address`; answers how long its answer must wait.
    pub(crate) fn wrong(&self, address: IpAddr, now: Instant) -> Duration {
        let address = network(address);
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= MOST && !wrong.contains_key(&address) {
            wrong.retain(|_, (_, last)| now.duration_since(*last) < FORGET);
            let quiet = wrong.iter().min_by_key(|(_, (_, last))| *last);
            if wrong.len() >= MOST
                && let Some(quiet) = quiet.map(|(address, _)| *address)
            {
                wrong.remove(&quiet);
            }
        }
        let (count, last) = wrong.entry(address).or_insert((0, now));
        if now.duration_since(*last) >= FORGET {
            *count = 0;
        }
        let wait = FIRST.saturating_mul(1 << (*count).min(16)).min(LONGEST);
        *count = count.saturating_add(1);
        *last = now;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + last).into())
    }

    #[test]
    fn each_wrong_secret_waits_longer_up_to_a_bound_and_quiet_heals() {
        let (delays, now) = (Delays::default(), Instant::now());
        let waits: Vec<_> = (0..8).map(|_| delays.wrong(ip(1), now)).collect();
        assert_eq!(waits[0], FIRST);
        assert_eq!(waits[1], FIRST * 2);
        assert_eq!(waits[7], LONGEST);
        assert_eq!(delays.wrong(ip(2), now), FIRST, "another address is free");
        assert_eq!(delays.wrong(ip(1), now + FORGET), FIRST);
    }

    #[test]
    fn memory_is_bounded_however_many_addresses_guess() {
        let (delays, now) = (Delays::default(), Instant::now());
        for last in 0..10_000 {
            delays.wrong(ip(last), now + Duration::from_millis(last.into()));
        }
        assert!(delays.wrong.lock().unwrap().len() <= MOST);
    }

    #[test]
    fn one_customer_of_ipv6_is_one_address() {
        let (delays, now) = (Delays::default(), Instant::now());
        delays.wrong("2001:db8::1".parse().unwrap(), now);
        let next = delays.wrong("2001:db8::2".parse().unwrap(), now);
        assert_eq!(next, FIRST * 2);
    }
}
