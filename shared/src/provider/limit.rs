//! A provider's limits, checked.

use std::time::Duration;

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::problem::Problems;
use crate::config::provider::{CalendarUnit, LimitConfig, LimitUnit, WindowConfig};

/// One limit of a provider: at most `cap` of `unit` in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its name, unique within the provider.
    pub name: String,
    /// What is counted.
    pub unit: LimitUnit,
    /// Most that may be spent in one window.
    pub cap: u32,
    /// The stretch of time that it counts over.
    pub window: Window,
    /// Whether it only counts and warns.
    pub soft: bool,
}

/// The stretch of time that a limit counts over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Any stretch of this length.
    Rolling(Duration),
    /// A fixed piece of the calendar.
    Calendar {
        /// How long a piece is.
        unit: CalendarUnit,
        /// Whose midnights and months count.
        zone: Tz,
        /// Day of the month, 1 to 31, on which a month begins.
        day: u8,
        /// Time of day at which a day or month begins.
        at: NaiveTime,
    },
    /// Calls in flight at once.
    Concurrency,
    /// Until the instant that the provider last reported.
    Discovered,
}

/// Checks one limit; `None` when it broke a rule, which is then among `problems`.
pub(super) fn compile(name: &str, config: &LimitConfig, problems: &mut Problems) -> Option<Limit> {
    let key = format!("limits.{name}");
    if name.parse::<crate::model::EndpointName>().is_err() {
        problems.add(
            &key,
            name,
            "must be a name: a to z, 0 to 9 and _",
            "limits appear in metrics, lane reasons and the API",
        );
    }
    let cap = u32::try_from(config.cap).ok().filter(|cap| *cap > 0);
    if cap.is_none() {
        problems.add(
            format!("{key}.cap"),
            config.cap,
            format!("must be from 1 to {}", u32::MAX),
            "with 0 nothing could be called, which closing the lane says better; \
             it is counted in 32 bits",
        );
    }
    let window = window(&format!("{key}.window"), config, problems);
    Some(Limit {
        name: name.to_owned(),
        unit: config.unit,
        cap: cap?,
        window: window?,
        soft: config.soft,
    })
}

fn window(key: &str, config: &LimitConfig, problems: &mut Problems) -> Option<Window> {
    let given = &config.window;
    let kinds = [
        given.calendar.is_some(),
        given.rolling.is_some(),
        given.concurrency,
        given.discovered,
    ];
    if kinds.iter().filter(|kind| **kind).count() != 1 {
        problems.add(
            key,
            shown(given),
            "must have exactly one of calendar, rolling, concurrency, discovered",
            "it says over which stretch of time the limit counts",
        );
        return None;
    }
    let anchored = [
        given.zone.is_some(),
        given.day.is_some(),
        given.at.is_some(),
    ];
    if given.calendar.is_none() && anchored.contains(&true) {
        problems.add(
            key,
            shown(given),
            "must not have zone, day or at",
            "only a calendar window has an anchor",
        );
        return None;
    }
    if let Some(unit) = given.calendar {
        return calendar(key, unit, given, problems);
    }
    if let Some(length) = given.rolling {
        if length < Duration::from_secs(1) || length > Duration::from_secs(366 * 86_400) {
            problems.add(
                format!("{key}.rolling"),
                humantime::format_duration(length),
                "must be between 1s and 366 days",
                "shorter stretches are not kept exactly, longer ones are never pruned",
            );
            return None;
        }
        return Some(Window::Rolling(length));
    }
    if given.concurrency && config.unit == LimitUnit::Credits {
        problems.add(
            key,
            "concurrency",
            "must have unit = \"requests\"",
            "calls in flight are counted, not credits",
        );
        return None;
    }
    Some(if given.concurrency {
        Window::Concurrency
    } else {
        Window::Discovered
    })
}

fn calendar(
    key: &str,
    unit: CalendarUnit,
    given: &WindowConfig,
    problems: &mut Problems,
) -> Option<Window> {
    let zone = match given.zone.as_deref().unwrap_or("UTC").parse::<Tz>() {
        Ok(zone) => Some(zone),
        Err(_) => {
            problems.add(
                format!("{key}.zone"),
                given.zone.as_deref().unwrap_or_default(),
                "must be an IANA time zone, such as UTC or America/New_York",
                "a day begins at that zone's midnight, also when clocks change",
            );
            None
        }
    };
    let day = given.day.unwrap_or(1);
    if !(1..=31).contains(&day) || (given.day.is_some() && unit != CalendarUnit::Month) {
        problems.add(
            format!("{key}.day"),
            day,
            "must be from 1 to 31, in a calendar month only",
            "it is the day of the month on which the billing period begins",
        );
        return None;
    }
    let text = given.at.as_deref().unwrap_or("00:00");
    let at = NaiveTime::parse_from_str(text, "%H:%M")
        .or_else(|_| NaiveTime::parse_from_str(text, "%H:%M:%S"))
        .ok();
    let takes_time = matches!(unit, CalendarUnit::Day | CalendarUnit::Month);
    if at.is_none() || (given.at.is_some() && !takes_time) {
        problems.add(
            format!("{key}.at"),
            text,
            "must be a time of day such as 09:30, in a calendar day or month only",
            "it is the time at which the billing period begins",
        );
        return None;
    }
    Some(Window::Calendar {
        unit,
        zone: zone?,
        day,
        at: at?,
    })
}

fn shown(given: &WindowConfig) -> String {
    let mut parts = Vec::new();
    if let Some(unit) = given.calendar {
        parts.push(format!("calendar {}", unit.as_str()));
    }
    if let Some(length) = given.rolling {
        parts.push(format!("rolling {}", humantime::format_duration(length)));
    }
    if given.concurrency {
        parts.push("concurrency".to_owned());
    }
    if given.discovered {
        parts.push("discovered".to_owned());
    }
    parts.join(", ")
}
