//! What a provider's windows leave for the plan.
//!
//! What is left in a window is spread over the time until its reset, and the tightest window
//! decides. So a plan needs no memory of its own: what was spent too much or too little
//! shows in what is left, and the next plan makes up for it.

/// What is left is spread over no less than this, in seconds: the last minutes of a month
/// would otherwise be planned as if they lasted, and a read that must wait for a refresh
/// would find nothing left.
const SHORTEST: f64 = 3_600.0;

/// Where a limit stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Whether it counts credits; requests otherwise.
    pub is_credits: bool,
    /// What may be spent in a whole window.
    pub cap: f64,
    /// What may still be spent: without what is spent, reserved or foreign.
    pub left: f64,
    /// Seconds until what was spent is forgotten; the length, for a rolling window.
    pub resets_in: f64,
    /// Length in seconds.
    pub length: f64,
    /// Share that is kept for what readers miss; none of requests.
    pub readers_share: f64,
}

/// What the plan may use per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Means {
    /// Credits per second.
    pub credits: f64,
    /// Calls per second.
    pub calls: f64,
}

impl Means {
    /// What the tightest of the windows allows; without bound where there is no window.
    pub fn of(windows: &[Window]) -> Self {
        let tightest = |is_credits: bool| {
            let rates = windows
                .iter()
                .filter(|window| window.is_credits == is_credits);
            rates.map(Window::rate).fold(f64::INFINITY, f64::min)
        };
        Self {
            credits: tightest(true),
            calls: tightest(false),
        }
    }

    /// What is left beside what a fixed pace takes.
    #[must_use]
    pub fn without(self, credits: f64, calls: f64) -> Self {
        Self {
            credits: (self.credits - credits).max(0.0),
            calls: (self.calls - calls).max(0.0),
        }
    }
}

impl Window {
    /// How much of its unit the plan may use per second.
    fn rate(&self) -> f64 {
        let time = self.resets_in.min(self.length);
        let kept = self.readers_share * self.cap * (time / self.length).clamp(0.0, 1.0);
        let rate = (self.left - kept) / time.max(SHORTEST.min(self.length));
        match rate > 0.0 {
            true => rate,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 86_400.0;

    fn month(left: f64, days: f64, readers_share: f64) -> Window {
        Window {
            is_credits: true,
            cap: 30_000.0,
            left,
            resets_in: days * DAY,
            length: 30.0 * DAY,
            readers_share,
        }
    }

    #[test]
    fn the_tightest_window_decides() {
        let day = Window {
            cap: 500.0,
            left: 50.0,
            resets_in: DAY / 2.0,
            length: DAY,
            ..month(0.0, 0.0, 0.0)
        };
        let minute = Window {
            is_credits: false,
            cap: 30.0,
            left: 30.0,
            resets_in: 60.0,
            length: 60.0,
            readers_share: 0.0,
        };
        let means = Means::of(&[month(20_000.0, 20.0, 0.0), day, minute]);
        assert!((means.credits * DAY - 100.0).abs() < 1e-9);
        assert!((means.calls - 0.5).abs() < 1e-12);
        assert_eq!(Means::of(&[]).credits, f64::INFINITY);
    }

    #[test]
    fn the_readers_share_is_kept_for_the_time_that_is_left() {
        let means = Means::of(&[month(15_000.0, 15.0, 0.1)]);
        assert!((means.credits * DAY - 900.0).abs() < 1e-9, "{means:?}");
    }

    #[test]
    fn a_window_that_shrank_below_what_is_spent_leaves_nothing() {
        assert_eq!(Means::of(&[month(-10.0, 15.0, 0.1)]).credits, 0.0);
        assert_eq!(Means::of(&[month(f64::NAN, 15.0, 0.1)]).credits, 0.0);
    }
}
