//! Every metric that Larder emits: name, unit, labels and meaning.
//!
//! Call the functions below; `clippy.toml` forbids `metrics::counter!` and its sisters
//! elsewhere, so this file is the complete list. Labels are from closed sets: never a
//! key, an id or a URL.
//!
//! What a process does is counted by that process. What the database knows, such as the
//! depth of a queue, is set by the enqueuer from one query when it is scraped: several
//! enqueuers report the same figures, so take `max by` over them.
#![expect(
    clippy::disallowed_macros,
    reason = "this is the file in which metrics are declared"
)]

mod cache_reads;
mod recorder;

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

pub use cache_reads::CacheReads;
pub use recorder::Recorder;

/// Which of the three kinds of Prometheus a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only ever goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// Name, kind, unit, labels and help text of one metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// As Prometheus shows it.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// What it counts.
    pub unit: Unit,
    /// Its labels, each from a closed set.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

macro_rules! metrics_list {
    ($($id:ident $name:literal $kind:ident $unit:ident [$($label:literal),*] $help:literal;)*) => {
        $(const $id: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// Every metric, in the order of this file.
        pub const ALL: &[Metric] = &[$($id),*];
    };
}

metrics_list! {
    API_CALLS "larder_api_calls_total" Counter Count ["provider", "endpoint", "outcome"]
        "Calls to a provider, by what came of them.";
    API_CALL_SECONDS "larder_api_call_duration_seconds" Histogram Seconds ["provider", "endpoint"]
        "Time from sending a call to its last byte. Excludes waiting for budget.";
    CREDITS_SPENT "larder_credits_spent_total" Counter Count ["provider", "endpoint"]
        "Credits settled as spent by this process.";
    BATCH_SIZE "larder_batch_size" Histogram Count ["provider", "endpoint"]
        "Resources that one call was to refresh.";
    CALLS_AVOIDED "larder_calls_avoided_total" Counter Count ["provider"]
        "Refreshes that shared another one's call, or found their answer in the cache.";
    BUDGET_LIMIT "larder_budget_limit" Gauge Count ["provider", "limit", "unit"]
        "How much a window of the limit may hold.";
    BUDGET_SPENT "larder_budget_spent" Gauge Count ["provider", "limit", "unit"]
        "What the current window holds and will not give back.";
    BUDGET_RESERVED "larder_budget_reserved" Gauge Count ["provider", "limit", "unit"]
        "What is set aside for calls in flight.";
    BUDGET_FOREIGN "larder_budget_foreign" Gauge Count ["provider", "limit", "unit"]
        "What others have taken on the same key, as far as the provider has told.";
    BUDGET_ALERT "larder_budget_alert_level" Gauge Count ["provider", "limit"]
        "The highest of 50, 80, 95 and 100 percent that the current window has reached, or 0.";
    BUDGET_EXHAUSTED "larder_budget_exhausted_timestamp_seconds" Gauge Seconds ["provider", "limit"]
        "When the window will be full at this pace, as a Unix time; 0 if not before its end.";
    BUDGET_RESET "larder_budget_reset_timestamp_seconds" Gauge Seconds ["provider", "limit"]
        "When the current calendar window ends, as a Unix time.";
    BUDGET_DRIFT "larder_budget_drift_credits" Counter Count ["provider", "endpoint"]
        "Credits that a provider charged beyond what was reserved.";
    COST_ANOMALIES "larder_cost_anomalies_total" Counter Count ["provider", "endpoint"]
        "Replies whose reported cost was missing or could not be true; the rule's was taken.";
    LANE_OPEN "larder_lane_open" Gauge Count ["lane"]
        "1 while the lane takes calls, 0 while it is closed.";
    JOBS "larder_jobs" Gauge Count ["lane", "status"]
        "Live jobs.";
    JOB_WAIT "larder_job_wait_seconds" Histogram Seconds ["lane"]
        "Time from a handler's job being claimed to its start.";
    JOB_RUN "larder_job_run_seconds" Histogram Seconds ["lane"]
        "Time that a handler took for a job.";
    JOBS_FINISHED "larder_jobs_finished_total" Counter Count ["lane", "status"]
        "Jobs that this process ended.";
    JOBS_RESCUED "larder_jobs_rescued_total" Counter Count []
        "Jobs given back after their worker's lease ran out.";
    LEASES_LOST "larder_leases_lost_total" Counter Count []
        "Jobs whose result was discarded because their lease had been lost.";
    CACHE_READS "larder_cache_reads_total" Counter Count ["provider", "result"]
        "Reads of resources: fresh, stale or miss.";
    CACHE_AGE "larder_cache_age_seconds" Histogram Seconds ["provider"]
        "Age of an entry when it was read.";
    LISTENER_UP "larder_listener_up" Gauge Count []
        "1 while notifications arrive, 0 while this process polls.";
    OLDEST_DUE "larder_oldest_due_job_seconds" Gauge Seconds ["lane"]
        "How long the longest-waiting due job of an open lane has been due.";
    LAST_TICK "larder_last_tick_timestamp_seconds" Gauge Seconds []
        "When due resources were last made into jobs, as a Unix time of the database.";
    BUILD_INFO "larder_build_info" Gauge Count ["version"]
        "Always 1; the version is a label.";
}

/// Describes every metric to the recorder. Call once, after the recorder is installed.
pub fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.unit, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.unit, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
    gauge!(BUILD_INFO.name, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    counter!(JOBS_RESCUED.name).absolute(0);
    counter!(LEASES_LOST.name).absolute(0);
}

/// One call, after its record was committed.
pub fn api_call(
    provider: &str,
    endpoint: &str,
    outcome: &'static str,
    took: Duration,
    batch: usize,
) {
    let (provider, endpoint) = (provider.to_owned(), endpoint.to_owned());
    histogram!(API_CALL_SECONDS.name, "provider" => provider.clone(), "endpoint" => endpoint.clone())
        .record(took);
    histogram!(BATCH_SIZE.name, "provider" => provider.clone(), "endpoint" => endpoint.clone())
        .record(count(batch));
    counter!(API_CALLS.name, "provider" => provider.clone(), "endpoint" => endpoint, "outcome" => outcome)
        .increment(1);
    counter!(CALLS_AVOIDED.name, "provider" => provider)
        .increment(u64::try_from(batch.saturating_sub(1)).unwrap_or(0));
}

/// What a call cost, after its record was committed.
pub fn credits(provider: &str, endpoint: &str, spent: u32, drift: u32) {
    let (provider, endpoint) = (provider.to_owned(), endpoint.to_owned());
    counter!(CREDITS_SPENT.name, "provider" => provider.clone(), "endpoint" => endpoint.clone())
        .increment(u64::from(spent));
    counter!(BUDGET_DRIFT.name, "provider" => provider, "endpoint" => endpoint)
        .increment(u64::from(drift));
}

/// A reply whose reported cost was no cost.
pub fn cost_anomaly(provider: &str, endpoint: &str) {
    counter!(COST_ANOMALIES.name, "provider" => provider.to_owned(), "endpoint" => endpoint.to_owned())
        .increment(1);
}

/// Refreshes that needed no call of their own.
pub fn calls_avoided(provider: &str, refreshes: usize) {
    counter!(CALLS_AVOIDED.name, "provider" => provider.to_owned())
        .increment(u64::try_from(refreshes).unwrap_or(0));
}

/// Jobs that this process ended.
pub fn jobs_finished(lane: &str, status: &'static str, jobs: usize) {
    counter!(JOBS_FINISHED.name, "lane" => lane.to_owned(), "status" => status)
        .increment(u64::try_from(jobs).unwrap_or(0));
}

/// One job of a handler.
pub fn job_run(lane: &str, waited: Duration, took: Duration) {
    histogram!(JOB_WAIT.name, "lane" => lane.to_owned()).record(waited);
    histogram!(JOB_RUN.name, "lane" => lane.to_owned()).record(took);
}

/// Jobs given back after their lease ran out.
pub fn rescued(jobs: usize) {
    counter!(JOBS_RESCUED.name).increment(u64::try_from(jobs).unwrap_or(0));
}

/// Results that were discarded because the lease had been lost.
pub fn leases_lost(jobs: usize) {
    counter!(LEASES_LOST.name).increment(u64::try_from(jobs).unwrap_or(0));
}

/// Whether notifications arrive.
pub fn listener(up: bool) {
    gauge!(LISTENER_UP.name).set(if up { 1.0 } else { 0.0 });
}

/// A lane's state.
pub fn lane_open(lane: &str, open: bool) {
    gauge!(LANE_OPEN.name, "lane" => lane.to_owned()).set(if open { 1.0 } else { 0.0 });
}

/// What stands against a limit, as a scrape shows it.
#[derive(Debug, Clone, Copy)]
pub struct BudgetFigures<'a> {
    /// Whose limit.
    pub provider: &'a str,
    /// Its name.
    pub limit: &'a str,
    /// `requests` or `credits`.
    pub unit: &'a str,
    /// How much the window may hold.
    pub cap: i64,
    /// Taken for good.
    pub spent: i64,
    /// Set aside.
    pub reserved: i64,
    /// Taken by others.
    pub foreign: i64,
    /// Level of use in percent, as `shared::budget::ALERT_LEVELS` names them.
    pub alert_level: i16,
    /// When the window will be full, as a Unix time in seconds.
    pub exhausted_at: Option<i64>,
}

/// What stands against a limit.
pub fn budget(figures: BudgetFigures<'_>) {
    for (metric, value) in [
        (BUDGET_LIMIT, figures.cap),
        (BUDGET_SPENT, figures.spent),
        (BUDGET_RESERVED, figures.reserved),
        (BUDGET_FOREIGN, figures.foreign),
    ] {
        gauge!(
            metric.name,
            "provider" => figures.provider.to_owned(),
            "limit" => figures.limit.to_owned(),
            "unit" => figures.unit.to_owned(),
        )
        .set(whole(value));
    }
    for (metric, value) in [
        (BUDGET_ALERT, i64::from(figures.alert_level)),
        (BUDGET_EXHAUSTED, figures.exhausted_at.unwrap_or(0)),
    ] {
        gauge!(
            metric.name,
            "provider" => figures.provider.to_owned(),
            "limit" => figures.limit.to_owned(),
        )
        .set(whole(value));
    }
}

/// When a limit's window ends.
pub fn budget_reset(provider: &str, limit: &str, unix_secs: i64) {
    gauge!(BUDGET_RESET.name, "provider" => provider.to_owned(), "limit" => limit.to_owned())
        .set(whole(unix_secs));
}

/// Live jobs of a lane.
pub fn jobs(lane: &str, status: &'static str, jobs: i64) {
    gauge!(JOBS.name, "lane" => lane.to_owned(), "status" => status).set(whole(jobs));
}

/// How long a lane's longest-waiting due job has been due.
pub fn oldest_due(lane: &str, secs: f64) {
    gauge!(OLDEST_DUE.name, "lane" => lane.to_owned()).set(secs);
}

/// When the last tick was.
pub fn last_tick(unix_secs: f64) {
    gauge!(LAST_TICK.name).set(unix_secs);
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows only floats")]
fn whole(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows only floats")]
fn count(value: usize) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for metric in ALL {
            assert!(metric.name.starts_with("larder_"), "{}", metric.name);
            assert_eq!(
                metric.kind == Kind::Counter && !metric.name.ends_with("_credits"),
                metric.name.ends_with("_total"),
                "{}",
                metric.name
            );
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
