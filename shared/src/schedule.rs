//! When a cron expression says so.
//!
//! Pure: the time is handed in, by the database's clock. An expression is read in a named
//! zone: a wall-clock time that daylight saving skips comes right after the gap, and one
//! that it repeats comes once.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Direction};

use crate::store::{Store, StoreError};

/// What a schedule asks for at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The latest tick that is over and was not made yet: of several that were missed only
    /// the last one is made up.
    pub tick: Option<DateTime<Utc>>,
    /// The first tick that is still to come; `None` for an expression that never comes again.
    pub next: Option<DateTime<Utc>>,
}

/// What a schedule asks for at `now`, after ticks up to `last` are over. `None` if the
/// expression or the zone cannot be read.
pub fn due(expression: &str, zone: &str, last: DateTime<Utc>, now: DateTime<Utc>) -> Option<Due> {
    let zone = Tz::from_str(zone).ok()?;
    let cron = read(expression)?;
    let local = now.with_timezone(&zone);
    let tick = cron
        .find_previous_occurrence(&local, true)
        .ok()
        .map(|tick| tick.with_timezone(&Utc))
        .filter(|tick| *tick > last);
    let next = cron
        .find_next_occurrence(&local, false)
        .ok()
        .map(|tick| tick.with_timezone(&Utc));
    Some(Due { tick, next })
}

/// Reads an expression of five fields.
pub fn read(expression: &str) -> Option<Cron> {
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
        .parse(expression)
        .ok()
}

/// How often an expression ticks in a month of 31 days, for a forecast. Nothing for one
/// that cannot be read.
pub fn ticks_in_january(expression: &str, zone: &str) -> u64 {
    let (Some(cron), Ok(zone)) = (read(expression), Tz::from_str(zone)) else {
        return 0;
    };
    let start = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap_or_default();
    let midnight = start.and_time(chrono::NaiveTime::MIN).and_utc();
    let end = midnight + chrono::TimeDelta::days(31);
    let ticks = cron.iter_from(midnight.with_timezone(&zone), Direction::Forward);
    ticks.take_while(|tick| *tick < end).count() as u64
}

/// Whether this is a time zone that schedules can be read in.
pub fn is_zone(zone: &str) -> bool {
    Tz::from_str(zone).is_ok()
}

/// Makes the ticks of schedules that are over; answers how many resources became due.
///
/// Any number of processes may do it at once: a tick is made by whoever is first.
///
/// # Errors
///
/// Whatever the database reports.
pub async fn make_due_ticks(store: &Store) -> Result<u64, StoreError> {
    let mut resources = 0;
    for row in store.due_schedules().await? {
        let Some(due) = due(&row.expression, &row.zone, row.last_tick_at, row.now) else {
            // The configuration was checked; a row that cannot be read is another release's.
            tracing::warn!(schedule = row.id, "a schedule cannot be read");
            continue;
        };
        if let Some(made) = store.make_tick(row.id, due.tick, due.next).await? {
            tracing::info!(schedule = %row.expression, zone = %row.zone, resources = made, "schedule ticked");
            resources += made;
        }
    }
    Ok(resources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn ticks(expression: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
        let (mut last, mut ticks) = (at(from), Vec::new());
        // Looked at every minute, as a process would that was never down.
        let mut now = last;
        while now <= at(to) {
            if let Some(tick) = due(expression, zone, last, now).unwrap().tick {
                ticks.push(tick.format("%d %H:%MZ").to_string());
                last = tick;
            }
            now += chrono::TimeDelta::minutes(1);
        }
        ticks
    }

    #[test]
    fn of_missed_ticks_only_the_last_is_made_up() {
        let due = due(
            "0 * * * *",
            "UTC",
            at("2026-05-05T10:00:00Z"),
            at("2026-05-05T14:20:00Z"),
        )
        .unwrap();
        assert_eq!(due.tick, Some(at("2026-05-05T14:00:00Z")));
        assert_eq!(due.next, Some(at("2026-05-05T15:00:00Z")));
    }

    #[test]
    fn a_tick_that_is_made_is_not_due_again() {
        let made = at("2026-05-05T14:00:00Z");
        for now in ["2026-05-05T14:00:00Z", "2026-05-05T14:59:59Z"] {
            assert_eq!(
                due("0 * * * *", "UTC", made, at(now)).unwrap().tick,
                None,
                "{now}"
            );
        }
    }

    /// New York: 02:30 does not exist on 2026-03-08, and 01:30 comes twice on 2026-11-01.
    #[test]
    fn daylight_saving_neither_drops_nor_doubles_a_tick() {
        let spring = ticks(
            "30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00:00Z",
            "2026-03-09T12:00:00Z",
        );
        assert_eq!(spring.len(), 2, "{spring:?}");
        let autumn = ticks(
            "30 1 * * *",
            "America/New_York",
            "2026-10-31T12:00:00Z",
            "2026-11-02T12:00:00Z",
        );
        assert_eq!(autumn.len(), 2, "{autumn:?}");
    }

    #[test]
    fn a_month_has_as_many_ticks_as_its_days_say() {
        assert_eq!(ticks_in_january("0 9 * * *", "Europe/Berlin"), 31);
        assert_eq!(ticks_in_january("*/15 * * * *", "UTC"), 31 * 96);
        assert_eq!(ticks_in_january("nonsense", "UTC"), 0);
    }

    #[test]
    fn what_cannot_be_read_is_no_schedule() {
        assert_eq!(
            due(
                "0 25 * * *",
                "UTC",
                at("2026-01-01T00:00:00Z"),
                at("2026-01-01T00:00:00Z")
            ),
            None
        );
        assert_eq!(
            due(
                "0 * * * *",
                "Mars/Olympus",
                at("2026-01-01T00:00:00Z"),
                at("2026-01-01T00:00:00Z")
            ),
            None
        );
    }
}
