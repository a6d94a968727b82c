//! What a provider's rate-limit headers mean for its lane.
//!
//! Nothing left closes the lane until the reset; little left makes it slower, so that what
//! is left lasts until then. The headers are the provider's word on its own count, which
//! others share: they only ever close, and for no longer than `max_retry_after`.

use std::time::Duration;

use shared::provider::RateLimitReading;
use shared::store::{CloseUntil, LaneClose};

/// What is left counts as little below this share of the cap.
const LITTLE_SHARE: u64 = 10;

/// What is left counts as little up to so many calls, where the cap is not told.
const LITTLE: u64 = 5;

/// Closes the lane as the strictest of the readings wants it.
pub(crate) fn close(readings: &[RateLimitReading], most: Duration) -> Option<LaneClose> {
    let (wait, reason) = readings.iter().filter_map(wait).max()?;
    let wait = wait.min(most);
    (!wait.is_zero()).then_some(LaneClose {
        reason,
        until: CloseUntil::For(wait),
        retry_after: None,
        by_address: false,
    })
}

fn wait(reading: &RateLimitReading) -> Option<(Duration, String)> {
    let (left, resets_in) = (reading.remaining?, reading.resets_in?);
    let name = reading.limit.as_deref().unwrap_or("requests");
    if left == 0 {
        return Some((resets_in, format!("rate_limit:{name}")));
    }
    let is_little = match reading.cap {
        Some(cap) => left.saturating_mul(LITTLE_SHARE) <= cap,
        None => left <= LITTLE,
    };
    let parts = u32::try_from(left.saturating_add(1)).unwrap_or(u32::MAX);
    is_little.then(|| (resets_in / parts, format!("pace:{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn reading(cap: Option<u64>, remaining: u64, secs: u64) -> RateLimitReading {
        RateLimitReading {
            limit: Some("hour".to_owned()),
            cap,
            remaining: Some(remaining),
            resets_in: Some(Duration::from_secs(secs)),
            resets_at: None,
        }
    }

    fn closed(readings: &[RateLimitReading]) -> Option<(String, u64)> {
        let close = close(readings, HOUR)?;
        match close.until {
            CloseUntil::For(time) => Some((close.reason, time.as_secs())),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_left_closes_until_the_reset_and_no_longer_than_is_believed() {
        let hour = |secs| Some(("rate_limit:hour".to_owned(), secs));
        assert_eq!(closed(&[reading(Some(100), 0, 90)]), hour(90));
        assert_eq!(closed(&[reading(None, 0, 999_999)]), hour(3_600));
        assert_eq!(closed(&[reading(None, 0, 0)]), None);
    }

    #[test]
    fn little_left_is_spread_over_the_time_that_is_left() {
        let paced = |secs| Some(("pace:hour".to_owned(), secs));
        assert_eq!(closed(&[reading(Some(100), 9, 100)]), paced(10));
        assert_eq!(closed(&[reading(None, 4, 100)]), paced(20));
        assert_eq!(closed(&[reading(Some(100), 11, 100)]), None);
        assert_eq!(closed(&[reading(None, 6, 100)]), None);
    }

    #[test]
    fn the_strictest_reading_wins_and_half_a_reading_says_nothing() {
        let none = RateLimitReading {
            remaining: None,
            ..reading(None, 0, 10)
        };
        let readings = [reading(Some(100), 9, 100), none, reading(Some(10), 0, 30)];
        let strictest = closed(&readings).unwrap();
        assert_eq!(strictest, ("rate_limit:hour".to_owned(), 30));
    }
}
