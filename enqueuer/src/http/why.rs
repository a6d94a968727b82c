//! Why a resource is refreshed as often as it is, in a sentence.

use std::time::Duration;

use shared::store::ResourceRow;

/// The sentence for a resource.
pub(super) fn why(row: &ResourceRow) -> String {
    if !row.tracked {
        return "nobody tracks it: it is refreshed when somebody reads it".to_owned();
    }
    if let Some(schedule) = &row.schedule {
        let zone = row.zone.as_deref().unwrap_or("UTC");
        return format!("its schedule says so: {schedule} in {zone}");
    }
    let every = row.every_secs.map_or_else(String::new, time);
    if !row.planned {
        return format!("its pace was set: every {every}");
    }
    let (Some(reads), Some(changes), Some(cost)) =
        (row.planned_reads, row.planned_changes, row.planned_cost)
    else {
        return format!("no plan was made yet: every {every} until then");
    };
    let mut why = format!(
        "read {}, changes {}, costs {cost:.4} credits: every {every} is where a credit is worth as \
         much as elsewhere",
        often(reads),
        often(changes),
    );
    match (row.max_age_secs, row.kept_age_secs) {
        (Some(asked), Some(kept)) => why.push_str(&format!(
            "; the budget does not suffice for {}, it keeps {}",
            time(asked),
            time(kept)
        )),
        (Some(asked), None) => why.push_str(&format!("; never older than {}", time(asked))),
        _ => {}
    }
    why
}

/// A rate as people say it.
fn often(per_second: f64) -> String {
    let units = [
        (1.0, "second"),
        (60.0, "minute"),
        (3_600.0, "hour"),
        (86_400.0, "day"),
    ];
    let found = units.iter().find(|(secs, _)| per_second * secs >= 1.0);
    match found {
        Some((secs, unit)) => format!("{:.1} times a {unit}", per_second * secs),
        None => "less than once a day".to_owned(),
    }
}

/// A time as people say it: to two units.
fn time(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.round()).unwrap_or(Duration::MAX);
    let text = humantime::format_duration(whole).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ResourceRow {
        ResourceRow {
            resource_key: "coins:/a".to_owned(),
            provider: "coins".to_owned(),
            endpoint: "a".to_owned(),
            tracked: true,
            origin: "config".to_owned(),
            tracked_group: None,
            every_secs: Some(260.0),
            schedule: None,
            zone: None,
            max_age_secs: None,
            weight: 1.0,
            next_refresh_at: None,
            fetched_at: None,
            age_secs: None,
            is_fresh: false,
            failures: 0,
            planned: true,
            planned_reads: Some(0.05),
            planned_changes: Some(1.0 / 7_200.0),
            planned_cost: Some(0.01),
            kept_age_secs: None,
            recent_reads: 0.0,
            credits_a_day: None,
        }
    }

    #[test]
    fn a_planned_pace_is_explained_by_what_it_was_planned_for() {
        let why = why(&row());
        let expected = "read 3.0 times a minute, changes 12.0 times a day, costs 0.0100 credits: \
                        every 4m 20s is where a credit is worth as much as elsewhere";
        assert_eq!(why, expected);
    }

    #[test]
    fn a_bound_that_is_not_kept_is_said() {
        let loosened = ResourceRow {
            max_age_secs: Some(120.0),
            kept_age_secs: Some(360.0),
            ..row()
        };
        assert!(why(&loosened).ends_with("the budget does not suffice for 2m, it keeps 6m"));
        let set = ResourceRow {
            planned: false,
            ..row()
        };
        assert_eq!(why(&set), "its pace was set: every 4m 20s");
    }
}
