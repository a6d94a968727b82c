//! How much time has passed, also while the machine slept.
//!
//! A worker decides nothing by the time of day. It only has to know whether its lease
//! may have run out, and a clock that stands still while a laptop or a virtual machine
//! is suspended would not tell. `CLOCK_BOOTTIME` does not stand still.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A moment on the clock that counts suspended time too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Moment {
    /// Now.
    pub(crate) fn now() -> Self {
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        let time = clock_gettime(clock);
        let secs = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Self(Duration::new(secs, nanos))
    }

    /// The moment that lies `time` later.
    pub(crate) fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }

    /// Whether this moment has passed.
    pub(crate) fn has_passed(self) -> bool {
        Self::now() >= self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_passes() {
        let now = Moment::now();
        assert!(now.has_passed());
        assert!(!now.after(Duration::from_secs(3600)).has_passed());
    }
}
