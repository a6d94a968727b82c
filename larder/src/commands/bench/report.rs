//! What a measurement prints: JSON lines as they come, or one table at the end.
//!
//! Figures go to standard output; how far it has come goes to standard error, if somebody
//! sits there.

use std::time::Duration;

use serde::Serialize;

use crate::cli::Failure;
use crate::commands::progress::Progress;
use crate::commands::table::{print_json, print_table};

/// Collects what was measured.
pub(super) struct Report {
    json: bool,
    rows: Vec<[String; 3]>,
    progress: Progress,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            rows: Vec::new(),
            progress: Progress::of(1),
        }
    }

    /// Adds a result: a JSON line now, or a row of the table.
    pub(super) fn add(
        &mut self,
        what: &str,
        shown: &str,
        note: &str,
        result: &impl Serialize,
    ) -> Result<(), Failure> {
        if self.json {
            return print_json(result);
        }
        self.rows
            .push([what.to_owned(), shown.to_owned(), note.to_owned()]);
        Ok(())
    }

    /// Says what is being done.
    pub(super) fn doing(&self, what: &'static str) {
        self.progress.doing(what);
    }

    /// Says which of the runs, counted from 1, begins.
    pub(super) fn run(&self, run: u32, runs: u32) {
        self.progress.is_at(u64::from(run - 1), u64::from(runs));
        self.progress.doing(format!("run {run} of {runs}"));
    }

    /// Prints the table.
    pub(super) fn end(self) {
        drop(self.progress);
        if !self.json {
            print_table(["what", "result", "note"], &["result"], self.rows);
        }
    }
}

/// How long something took, or waited, many times.
#[derive(Debug, Serialize)]
pub(super) struct Times {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Times {
    pub(super) fn of(times: &[Duration]) -> Self {
        Self::of_ms(times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
    }

    pub(super) fn of_ms(mut ms: Vec<f64>) -> Self {
        ms.sort_by(f64::total_cmp);
        Self {
            p50_ms: percentile(&ms, 0.5),
            p99_ms: percentile(&ms, 0.99),
            max_ms: percentile(&ms, 1.0),
        }
    }

    /// As people read it: the result, and a note.
    pub(super) fn shown(&self) -> (String, String) {
        (
            format!("p50 {:.2} ms", self.p50_ms),
            format!("p99 {:.2} ms, max {:.2} ms", self.p99_ms, self.max_ms),
        )
    }
}

/// The middle one of some figures; of an even number the lower of the two.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len().saturating_sub(1) / 2;
    figures.get(middle).copied().unwrap_or(f64::NAN)
}

/// The value below which `share` of the figures lie (nearest rank).
fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank among the figures, which are few"
    )]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_are_figures_that_were_measured() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![2.0, 1.0]), 1.0);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.5), 50.0);
        assert_eq!(percentile(&hundred, 0.99), 99.0);
        assert_eq!(percentile(&hundred, 1.0), 100.0);
        assert_eq!(percentile(&[7.0], 0.99), 7.0);
    }
}
