//! What readers saw.

use serde::Serialize;

/// Steps of the histogram of ages: a tenth of a factor e each, from a second on.
const STEPS: usize = 200;

/// Sums over reads. Times in seconds.
#[derive(Debug, Clone)]
pub struct Tally {
    reads: u64,
    fresh: u64,
    age: f64,
    lag: f64,
    ages: Vec<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            reads: 0,
            fresh: 0,
            age: 0.0,
            lag: 0.0,
            ages: vec![0; STEPS],
        }
    }
}

/// A tally as it is printed. Times in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Seen {
    /// How many reads there were.
    pub reads: u64,
    /// Mean age of the copy served.
    pub mean_age_minutes: f64,
    /// Mean time for which the copy had been wrong.
    pub mean_lag_minutes: f64,
    /// Share of reads whose copy was right.
    pub fresh: f64,
    /// Age that 19 of 20 reads were served less than.
    pub p95_age_minutes: f64,
}

impl Tally {
    /// A read of a copy of this age that has been wrong for `lag`.
    pub fn read(&mut self, age: f64, lag: f64) {
        self.reads += 1;
        self.fresh += u64::from(lag <= 0.0);
        self.age += age;
        self.lag += lag;
        let step = (age.max(1.0).ln() * 10.0) as usize;
        self.ages[step.min(STEPS - 1)] += 1;
    }

    /// What is printed of it.
    pub fn seen(&self) -> Seen {
        let reads = (self.reads as f64).max(1.0);
        let mut below = 0;
        let step = self.ages.iter().position(|reads_of| {
            below += reads_of;
            below as f64 >= 0.95 * reads
        });
        Seen {
            reads: self.reads,
            mean_age_minutes: self.age / reads / 60.0,
            mean_lag_minutes: self.lag / reads / 60.0,
            fresh: self.fresh as f64 / reads,
            p95_age_minutes: ((step.unwrap_or_default() as f64 + 0.5) / 10.0).exp() / 60.0,
        }
    }
}
