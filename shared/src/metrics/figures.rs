//! What the database knows, as one page shows it.
//!
//! These are written anew for each page, and stand in no recorder: what could not be read,
//! or is no more, is not on the page, so that Prometheus marks it as gone. A gauge would
//! show its last value for as long as the process lives.

use std::fmt::Write as _;

use super::{
    ALL, BUDGET_ALERT, BUDGET_EXHAUSTED, BUDGET_FOREIGN, BUDGET_KEPT, BUDGET_LIMIT,
    BUDGET_PROJECTED, BUDGET_REMOTE_DRIFT, BUDGET_RESERVED, BUDGET_RESET, BUDGET_SPENT,
    BUDGET_START, DATABASE_UP, JOBS, JOBS_WAITING, LANE_CLOSED, LANE_OPEN, LAST_TICK, MOST_OVERDUE,
    Metric, OLDEST_DUE, RESOURCES, WORKERS, whole,
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

/// Jobs that wait, by what for; while their lane is closed all of them wait for that.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waiting {
    /// Due, and nobody has taken them yet.
    pub due: i64,
    /// For their time.
    pub scheduled: i64,
    /// For their next attempt.
    pub retry: i64,
}

/// A lane as a scrape shows it.
#[derive(Debug, Clone, Copy)]
pub struct LaneFigures<'a> {
    /// Which lane.
    pub lane: &'a str,
    /// Whether it takes calls.
    pub open: bool,
    /// Why it does not.
    pub reason: Option<&'a str>,
    /// Jobs that wait, if they were counted.
    pub waiting: Option<Waiting>,
    /// Jobs that a worker holds.
    pub running: i64,
    /// How long the longest-waiting due job of an open lane has been due, in seconds.
    pub oldest_due_secs: f64,
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

/// The figures of one page.
#[derive(Debug, Default)]
pub struct Figures(Vec<Sample>);

/// One series with its value.
#[derive(Debug)]
struct Sample {
    name: &'static str,
    /// As they stand between the braces.
    labels: String,
    value: f64,
}

impl Figures {
    fn set(&mut self, metric: Metric, labels: &[&str], value: f64) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let named: Vec<String> = (metric.labels.iter().zip(labels))
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        self.0.push(Sample {
            name: metric.name,
            labels: named.join(","),
            value,
        });
    }

    /// Whether all that this page has to show could be read.
    pub fn database(&mut self, is_up: bool) {
        self.set(DATABASE_UP, &[], flag(is_up));
    }

    /// A lane and its live jobs.
    pub fn lane(&mut self, figures: LaneFigures<'_>) {
        let lane = figures.lane;
        self.set(LANE_OPEN, &[lane], flag(figures.open));
        let closed = figures.reason.filter(|_| !figures.open).map(class);
        for reason in REASONS {
            self.set(LANE_CLOSED, &[lane, reason], flag(closed == Some(reason)));
        }
        self.set(JOBS, &[lane, "running"], whole(figures.running));
        if let Some(waiting) = figures.waiting {
            let Waiting {
                due,
                scheduled,
                retry,
            } = waiting;
            let pending = due + scheduled + retry;
            self.set(JOBS, &[lane, "pending"], whole(pending));
            let if_open = |jobs| if figures.open { jobs } else { 0 };
            for (reason, jobs) in [
                ("due", if_open(due)),
                ("scheduled", if_open(scheduled)),
                ("retry", if_open(retry)),
                ("lane_closed", pending - if_open(pending)),
            ] {
                self.set(JOBS_WAITING, &[lane, reason], whole(jobs));
            }
        }
        self.set(OLDEST_DUE, &[lane], figures.oldest_due_secs);
    }

    /// What stands against a limit.
    pub fn budget(&mut self, figures: BudgetFigures<'_>) {
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
            let labels = [figures.provider, figures.limit, figures.unit];
            value.inspect(|value| self.set(metric, &labels, whole(*value)));
        }
        for (metric, value) in [
            always(BUDGET_ALERT, i64::from(figures.alert_level)),
            always(BUDGET_EXHAUSTED, figures.exhausted_at.unwrap_or(0)),
            (BUDGET_START, figures.starts_at),
            (BUDGET_RESET, figures.resets_at),
        ] {
            let labels = [figures.provider, figures.limit];
            value.inspect(|value| self.set(metric, &labels, whole(*value)));
        }
    }

    /// A provider's tracked resources by state, and how late the latest refresh is.
    pub fn resources(
        &mut self,
        provider: &str,
        states: [(&'static str, i64); 4],
        most_overdue_secs: f64,
    ) {
        for (state, resources) in states {
            self.set(RESOURCES, &[provider, state], whole(resources));
        }
        self.set(MOST_OVERDUE, &[provider], most_overdue_secs);
    }

    /// Workers that were seen lately, and when the last tick was, if ever.
    pub fn pulse(&mut self, workers: i64, ticked_at: Option<f64>) {
        self.set(WORKERS, &[], whole(workers));
        ticked_at.inspect(|at| self.set(LAST_TICK, &[], *at));
    }

    /// Writes them behind what else is on the page, in the text format of Prometheus.
    pub fn write(&self, page: &mut String) {
        for metric in ALL {
            let mut samples = self.0.iter().filter(|it| it.name == metric.name).peekable();
            if samples.peek().is_none() {
                continue;
            }
            // Writing to a text does not fail.
            let (name, help) = (metric.name, metric.help);
            let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} gauge");
            for Sample { labels, value, .. } in samples {
                let _ = match labels.is_empty() {
                    true => writeln!(page, "{name} {value}"),
                    false => writeln!(page, "{name}{{{labels}}} {value}"),
                };
            }
            page.push('\n');
        }
    }
}

fn flag(is_so: bool) -> f64 {
    if is_so { 1.0 } else { 0.0 }
}

/// A label's value as the text format wants it.
fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_text_that_prometheus_reads() {
        let mut figures = Figures::default();
        figures.pulse(3, Some(1_790_000_000.5));
        figures.resources(
            "a\"b\\c",
            [
                ("fresh", 1),
                ("overdue", 2),
                ("past_bound", 0),
                ("missing", 0),
            ],
            0.25,
        );
        let mut page = String::new();

        figures.write(&mut page);

        for line in [
            "# TYPE larder_workers gauge",
            "larder_workers 3",
            "larder_last_tick_timestamp_seconds 1790000000.5",
            r#"larder_resources{provider="a\"b\\c",state="overdue"} 2"#,
            r#"larder_most_overdue_seconds{provider="a\"b\\c"} 0.25"#,
        ] {
            assert!(
                page.lines().any(|it| it == line),
                "{line} is not in\n{page}"
            );
        }
        assert_eq!(page.matches("# HELP larder_resources ").count(), 1);
        assert!(!page.contains("larder_lane_open"), "nobody said so");
    }

    #[test]
    fn what_an_operator_wrote_is_no_label() {
        assert_eq!(class("budget:month"), "budget");
        assert_eq!(class("throttled:ip"), "throttled");
        assert_eq!(class("key_dead"), "key_dead");
        assert_eq!(class("because I say so"), "operator");
        assert_eq!(class(""), "operator");
    }
}
