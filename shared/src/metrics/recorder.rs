//! The recorder that a process keeps its metrics in, and shows them from.
//!
//! There is one to a process, since the `metrics` crate writes to a global one. Whoever
//! runs the process installs it and hands [`Recorder`] to each part that serves
//! `/metrics`, so that under `larder up` one page carries all.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use super::{ALL, Kind};

/// Buckets of durations and ages, in seconds: from what memory takes to a day.
const SECONDS: [f64; 18] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 3_600.0, 86_400.0,
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
            let buckets: &[f64] = if metric.name.ends_with("_seconds") {
                &SECONDS
            } else {
                &ITEMS
            };
            builder =
                builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
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

impl std::fmt::Debug for Recorder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Recorder")
    }
}
