//! The recorder that a process keeps its metrics in, and shows them from.
//!
//! There is one to a process, since the `metrics` crate writes to a global one. Whoever
//! runs the process installs it and hands [`Recorder`] to each part that serves
//! `/metrics`, so that under `larder up` one page carries all.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use super::{ALL, CACHE_AGE, JOB_WAIT, Kind, Metric};

/// Buckets of durations, in seconds: from what memory takes to more than a call may take.
const SECONDS: [f64; 18] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 3_600.0, 86_400.0,
];

/// Buckets of the time that a job waits: as fine in minutes, since a lane that paces itself
/// or waits for its budget makes jobs wait that long.
const WAITS: [f64; 24] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0,
];

/// Buckets of ages, in seconds: finest around the minutes to which bounds are set, so that
/// a quantile between two of them is near the truth.
const AGES: [f64; 18] = [
    1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 180.0, 300.0, 360.0, 600.0, 900.0, 1_200.0, 1_800.0,
    2_700.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0,
];

/// Buckets of the number of resources in a call.
const ITEMS: [f64; 10] = [
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0,
];

/// How often what was recorded is moved into its buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// What the process has measured so far. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(PrometheusHandle);

impl Recorder {
    /// Makes this process's metrics recordable, and describes them. Once a process.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if a recorder has been installed already.
    pub fn install() -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new();
        for metric in ALL.iter().filter(|metric| metric.kind == Kind::Histogram) {
            let name = Matcher::Full(metric.name.to_owned());
            builder = builder.set_buckets_for_metric(name, buckets(metric))?;
        }
        let handle = builder.install_recorder()?;
        super::describe();
        Ok(Self(handle))
    }

    /// Every metric in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps the recorder's memory small until `stop`; without it histograms would grow
    /// for as long as nobody scrapes.
    pub async fn keep(&self, stop: &CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(UPKEEP))
            .await
            .is_some()
        {
            self.0.run_upkeep();
        }
    }
}

fn buckets(metric: &Metric) -> &'static [f64] {
    match metric.name {
        name if name == CACHE_AGE.name => &AGES,
        name if name == JOB_WAIT.name => &WAITS,
        name if name.ends_with("_seconds") => &SECONDS,
        _ => &ITEMS,
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Recorder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A quantile is told from the two bounds around it, so it can be wrong by their ratio.
    #[test]
    fn no_bound_of_an_age_or_a_wait_in_minutes_is_more_than_thrice_the_one_before() {
        for metric in [&CACHE_AGE, &JOB_WAIT] {
            let bounds: Vec<f64> = buckets(metric)
                .iter()
                .copied()
                .filter(|bound| (5.0..=21_600.0).contains(bound))
                .collect();
            let wide = bounds.windows(2).find(|pair| pair[1] > 3.0 * pair[0]);
            assert_eq!(wide, None, "{}", metric.name);
            assert_eq!(bounds.last(), Some(&21_600.0), "{}", metric.name);
        }
    }
}
