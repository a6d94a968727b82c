//! The most that arrived within any stretch of a given length.
//!
//! This judges rolling limits: whatever instant a provider starts its minute at,
//! it cannot have counted more than this.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// One arrival: when, and what it was charged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) micros: u64,
    pub(super) credits: u64,
}

/// The highest counts over every stretch of one length, both ends included.
///
/// What others did on the same key is not part of it. The two figures may belong
/// to different stretches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// The length of the stretch, in microseconds.
    pub width_micros: u64,
    /// Most requests that arrived within it, answered with an error or not.
    pub requests: u64,
    /// Most credits that were charged within it.
    pub credits: u64,
    /// False if arrivals from long ago have been forgotten, so that an early peak
    /// may be missing. The last million is remembered.
    pub complete: bool,
}

/// Finds the peak; `marks` are in order of time.
pub(super) fn highest(marks: &VecDeque<Mark>, width_micros: u64, complete: bool) -> Peak {
    let mut peak = Peak {
        width_micros,
        requests: 0,
        credits: 0,
        complete,
    };
    let mut oldest = marks.iter();
    let (mut requests, mut credits) = (0_u64, 0_u64);
    let mut first = oldest.next();
    for mark in marks {
        requests += 1;
        credits += mark.credits;
        while let Some(old) = first.filter(|old| mark.micros - old.micros > width_micros) {
            requests -= 1;
            credits -= old.credits;
            first = oldest.next();
        }
        peak.requests = peak.requests.max(requests);
        peak.credits = peak.credits.max(credits);
    }
    peak
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_peak_is_that_of_trying_every_stretch(
            mut times in prop::collection::vec(0_u64..200, 0..40),
            width in 0_u64..100,
        ) {
            times.sort_unstable();
            let marks: VecDeque<Mark> = times
                .iter()
                .map(|at| Mark { micros: *at, credits: at % 7 })
                .collect();
            let within = |from: u64| marks.iter().filter(move |m| (from..=from + width).contains(&m.micros));
            let requests = (0..200).map(|from| within(from).count() as u64).max().unwrap();
            let credits = (0..200).map(|from| within(from).map(|m| m.credits).sum::<u64>()).max().unwrap();
            let peak = highest(&marks, width, true);
            prop_assert_eq!((peak.requests, peak.credits), (requests, credits));
        }
    }
}
