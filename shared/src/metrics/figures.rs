//! What the database knows: set by the enqueuer when it is scraped, the same by each.
#![expect(
    clippy::disallowed_macros,
    reason = "the metrics themselves are declared in metrics.rs"
)]

use metrics::gauge;

use super::{
    BUDGET_ALERT, BUDGET_EXHAUSTED, BUDGET_FOREIGN, BUDGET_KEPT, BUDGET_LIMIT, BUDGET_PROJECTED,
    BUDGET_REMOTE_DRIFT, BUDGET_RESERVED, BUDGET_RESET, BUDGET_SPENT, BUDGET_START, JOBS,
    JOBS_WAITING, LANE_CLOSED, LANE_OPEN, LAST_TICK, MOST_OVERDUE, OLDEST_DUE, RESOURCES, WORKERS,
    whole,
};

/// Why a lane is closed, in words that are few enough for a label. What an operator wrote
/// is `operator`, whatever it was.
pub const REASONS: [&str; 8] = [
    "budget",
    "throttled",
    "key_dead",
    "breaker",
    "rate_limit",
    "pace",
    "database_replaced",
    "operator",
];

/// A lane as a scrape shows it.
#[derive(Debug, Clone, Copy)]
pub struct LaneFigures<'a> {
    /// Which lane.
    pub lane: &'a str,
    /// Whether it takes calls.
    pub open: bool,
    /// Why it does not.
    pub reason: Option<&'a str>,
    /// Jobs that wait because they are due, and nobody has taken them yet.
    pub due: i64,
    /// Jobs that wait for their time.
    pub scheduled: i64,
    /// Jobs that wait for their next attempt.
    pub retry: i64,
    /// Jobs that wait for the lane.
    pub lane_closed: i64,
    /// Jobs that a worker holds.
    pub running: i64,
    /// How long the longest-waiting due job of an open lane has been due, in seconds.
    pub oldest_due_secs: f64,
}

/// A lane and its live jobs.
pub fn lane(figures: LaneFigures<'_>) {
    let lane = figures.lane;
    gauge!(LANE_OPEN.name, "lane" => lane.to_owned()).set(if figures.open { 1.0 } else { 0.0 });
    let closed = figures.reason.filter(|_| !figures.open).map(class);
    for reason in REASONS {
        let is_it = closed == Some(reason);
        gauge!(LANE_CLOSED.name, "lane" => lane.to_owned(), "reason" => reason).set(if is_it {
            1.0
        } else {
            0.0
        });
    }
    let waiting = [
        ("due", figures.due),
        ("scheduled", figures.scheduled),
        ("retry", figures.retry),
        ("lane_closed", figures.lane_closed),
    ];
    for (reason, jobs) in waiting {
        gauge!(JOBS_WAITING.name, "lane" => lane.to_owned(), "reason" => reason).set(whole(jobs));
    }
    let pending = waiting.iter().map(|(_, jobs)| jobs).sum();
    for (status, jobs) in [("pending", pending), ("running", figures.running)] {
        gauge!(JOBS.name, "lane" => lane.to_owned(), "status" => status).set(whole(jobs));
    }
    gauge!(OLDEST_DUE.name, "lane" => lane.to_owned()).set(figures.oldest_due_secs);
}

/// `budget:month` is `budget`; what is none of ours was written by an operator.
fn class(reason: &str) -> &'static str {
    let word = reason.split(':').next().unwrap_or(reason);
    let known = REASONS.into_iter().find(|known| *known == word);
    known.unwrap_or("operator")
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
    /// Left to readers by planned calls.
    pub kept: i64,
    /// The provider's count less ours, if it ever told.
    pub remote_drift: Option<i64>,
    /// What the window will hold at its end.
    pub projected: Option<i64>,
    /// Level of use in percent, as `shared::budget::ALERT_LEVELS` names them.
    pub alert_level: i16,
    /// When the window will be full, as a Unix time in seconds.
    pub exhausted_at: Option<i64>,
    /// When the window began, as a Unix time in seconds.
    pub starts_at: Option<i64>,
    /// When it ends.
    pub resets_at: Option<i64>,
}

/// What stands against a limit.
pub fn budget(figures: BudgetFigures<'_>) {
    let always = |metric, value| (metric, Some(value));
    for (metric, value) in [
        always(BUDGET_LIMIT, figures.cap),
        always(BUDGET_SPENT, figures.spent),
        always(BUDGET_RESERVED, figures.reserved),
        always(BUDGET_FOREIGN, figures.foreign),
        always(BUDGET_KEPT, figures.kept),
        (BUDGET_REMOTE_DRIFT, figures.remote_drift),
        (BUDGET_PROJECTED, figures.projected),
    ] {
        let Some(value) = value else { continue };
        gauge!(
            metric.name,
            "provider" => figures.provider.to_owned(),
            "limit" => figures.limit.to_owned(),
            "unit" => figures.unit.to_owned(),
        )
        .set(whole(value));
    }
    for (metric, value) in [
        always(BUDGET_ALERT, i64::from(figures.alert_level)),
        always(BUDGET_EXHAUSTED, figures.exhausted_at.unwrap_or(0)),
        (BUDGET_START, figures.starts_at),
        (BUDGET_RESET, figures.resets_at),
    ] {
        let Some(value) = value else { continue };
        gauge!(
            metric.name,
            "provider" => figures.provider.to_owned(),
            "limit" => figures.limit.to_owned(),
        )
        .set(whole(value));
    }
}

/// A provider's tracked resources by state, and how late the latest refresh is.
pub fn resources(provider: &str, states: [(&'static str, i64); 4], most_overdue_secs: f64) {
    for (state, resources) in states {
        gauge!(RESOURCES.name, "provider" => provider.to_owned(), "state" => state)
            .set(whole(resources));
    }
    gauge!(MOST_OVERDUE.name, "provider" => provider.to_owned()).set(most_overdue_secs);
}

/// Workers that were seen lately, and when the last tick was, if ever.
pub fn pulse(workers: i64, ticked_at: Option<f64>) {
    gauge!(WORKERS.name).set(whole(workers));
    if let Some(at) = ticked_at {
        gauge!(LAST_TICK.name).set(at);
    }
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn what_an_operator_wrote_is_no_label() {
        assert_eq!(class("budget:month"), "budget");
        assert_eq!(class("throttled:ip"), "throttled");
        assert_eq!(class("key_dead"), "key_dead");
        assert_eq!(class("because I say so"), "operator");
        assert_eq!(class(""), "operator");
    }
}
