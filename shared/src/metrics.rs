//! Every metric that Larder emits: name, unit, labels and meaning.
//!
//! Call the functions below; `clippy.toml` forbids `metrics::counter!` and its sisters
//! elsewhere, so this file is the complete list. Labels are from closed sets: never a
//! key, an id or a URL.
//!
//! What a process does is counted by that process. What the database knows, such as the
//! depth of a queue, is read by the enqueuer when it is scraped and is gone when it cannot
//! be read: several enqueuers report the same figures, so take `max by` over them.
#![expect(
    clippy::disallowed_macros,
    reason = "this is the file in which metrics are declared"
)]

mod cache_reads;
mod calls;
mod figures;
mod recorder;
mod zero;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};

pub use cache_reads::CacheReads;
pub use calls::{
    api_call, calls_avoided, cost_anomaly, credits, job_run, jobs_finished, lapsed, leases_lost,
    listener, rescued, retries,
};
pub use figures::{BudgetFigures, Figures, LaneFigures, REASONS, Waiting};
pub use recorder::Recorder;
pub use zero::{Labels, zero, zero_cancelled};

/// As what a job can end.
pub const ENDS: [&str; 3] = ["completed", "failed", "cancelled"];

/// What came of a call that nobody recorded.
pub const LAPSED: &str = "lapsed";

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

impl Metric {
    /// Whether it is read from the database when asked for, and the same from every
    /// enqueuer.
    pub fn is_of_the_database(&self) -> bool {
        let own = [
            BUDGET_DRIFT.name,
            LISTENER_UP.name,
            DATABASE_UP.name,
            BUILD_INFO.name,
        ];
        self.kind == Kind::Gauge && !own.contains(&self.name)
    }
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
        "Calls to a provider, by what came of them; one that lapsed and is answered late is in both.";
    API_CALL_SECONDS "larder_api_call_duration_seconds" Histogram Seconds ["provider", "endpoint"]
        "Time from sending a call to its last byte. Excludes waiting for budget.";
    CREDITS_SPENT "larder_credits_spent_total" Counter Count ["provider", "endpoint"]
        "Credits settled as spent by this process, those of calls that lapsed included.";
    BATCH_SIZE "larder_batch_size" Histogram Count ["provider", "endpoint"]
        "Resources that one call was to refresh; calls that refresh none (for usage) are left out.";
    CALLS_AVOIDED "larder_calls_avoided_total" Counter Count ["provider"]
        "Completed refreshes that shared another one's call, or found their answer in the cache.";
    BUDGET_LIMIT "larder_budget_limit" Gauge Count ["provider", "limit", "unit"]
        "How much a window of the limit may hold.";
    BUDGET_SPENT "larder_budget_spent" Gauge Count ["provider", "limit", "unit"]
        "What the current window holds and will not give back.";
    BUDGET_RESERVED "larder_budget_reserved" Gauge Count ["provider", "limit", "unit"]
        "What is set aside for calls in flight.";
    BUDGET_FOREIGN "larder_budget_foreign" Gauge Count ["provider", "limit", "unit"]
        "What others have taken on the same key, as far as the provider has told.";
    BUDGET_KEPT "larder_budget_kept" Gauge Count ["provider", "limit", "unit"]
        "How much of what is left planned calls leave to readers.";
    BUDGET_PROJECTED "larder_budget_projected" Gauge Count ["provider", "limit", "unit"]
        "What a calendar window will hold at its end, at this pace.";
    BUDGET_REMOTE_DRIFT "larder_budget_remote_drift" Gauge Count ["provider", "limit", "unit"]
        "The provider's own count less ours of the same moment, as it was last reported.";
    BUDGET_ALERT "larder_budget_alert_level" Gauge Count ["provider", "limit"]
        "The highest of 50, 80, 95 and 100 percent that the current window has reached, or 0.";
    BUDGET_EXHAUSTED "larder_budget_exhausted_timestamp_seconds" Gauge Seconds ["provider", "limit"]
        "When the window will be full at this pace, as a Unix time; 0 if not before its end.";
    BUDGET_RESET "larder_budget_reset_timestamp_seconds" Gauge Seconds ["provider", "limit"]
        "When the current calendar window ends, as a Unix time.";
    BUDGET_START "larder_budget_window_start_timestamp_seconds" Gauge Seconds ["provider", "limit"]
        "When the current calendar window began, as a Unix time.";
    BUDGET_DRIFT "larder_budget_drift_credits" Gauge Count ["provider", "endpoint"]
        "Credits that a provider charged beyond what was reserved, since this process started.";
    COST_ANOMALIES "larder_cost_anomalies_total" Counter Count ["provider", "endpoint"]
        "Replies whose reported cost was missing or could not be true; the rule's was taken.";
    LANE_OPEN "larder_lane_open" Gauge Count ["lane"]
        "1 while the lane takes calls, 0 while it is closed.";
    LANE_CLOSED "larder_lane_closed" Gauge Count ["lane", "reason"]
        "1 beside the reason for which the lane is closed now.";
    JOBS "larder_jobs" Gauge Count ["lane", "status"]
        "Live jobs; pending ones are counted again after a hundred times what that took.";
    JOBS_WAITING "larder_jobs_waiting" Gauge Count ["lane", "reason"]
        "Pending jobs by why they wait: due, scheduled, retry or lane_closed; as often counted.";
    JOB_WAIT "larder_job_wait_seconds" Histogram Seconds ["lane"]
        "Time from a job being due to its attempt's start.";
    JOB_RUN "larder_job_run_seconds" Histogram Seconds ["lane"]
        "Time that an attempt at a job took, until it ended or its call was recorded.";
    JOBS_FINISHED "larder_jobs_finished_total" Counter Count ["lane", "status"]
        "Jobs that this process ended; those that `larder jobs cancel` ends are in none.";
    JOB_RETRIES "larder_job_retries_total" Counter Count ["lane"]
        "Attempts of this process that failed and will be made again.";
    JOBS_RESCUED "larder_jobs_rescued_total" Counter Count []
        "Jobs given back after their worker's lease ran out.";
    LEASES_LOST "larder_leases_lost_total" Counter Count []
        "Jobs whose result was discarded because their lease had been lost.";
    CACHE_READS "larder_cache_reads_total" Counter Count ["provider", "result"]
        "Resources that readers asked for, each by itself: given fresh, given stale, or a miss.";
    READ_WORTH "larder_read_worth_credits_total" Counter Count ["provider"]
        "What answered requests of readers would have cost as calls of their own, by the rule.";
    CACHE_AGE "larder_cache_age_seconds" Histogram Seconds ["provider"]
        "Age of each entry that was given to a reader.";
    RESOURCES "larder_resources" Gauge Count ["provider", "state"]
        "Tracked resources: fresh, overdue, past_bound (readers wait) or missing.";
    MOST_OVERDUE "larder_most_overdue_seconds" Gauge Seconds ["provider"]
        "How late the latest refresh of a tracked resource is.";
    WORKERS "larder_workers" Gauge Count []
        "Workers seen within the last minute.";
    LISTENER_UP "larder_listener_up" Gauge Count []
        "1 while notifications arrive, 0 while this process polls.";
    DATABASE_UP "larder_database_up" Gauge Count []
        "1 when an enqueuer could read the database for this page; at 0, what it knows is missing.";
    OLDEST_DUE "larder_oldest_due_job_seconds" Gauge Seconds ["lane"]
        "How long the longest-waiting due job of an open lane has been due.";
    LAST_TICK "larder_last_tick_timestamp_seconds" Gauge Seconds []
        "When anybody last made due resources into jobs, as a Unix time, to ten seconds; absent before.";
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
                metric.kind == Kind::Counter,
                metric.name.ends_with("_total"),
                "{}",
                metric.name
            );
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
