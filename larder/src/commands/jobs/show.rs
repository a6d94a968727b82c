//! One job, as people read it.

use serde_json::Value;
use shared::store::JobRow;

use crate::commands::table::{NONE, WIDTH as TERMINAL, moment, moment_or_none, wrap};

/// Column at which the values begin.
const WIDTH: usize = 12;

/// The job, a line to each field, and the errors of all its attempts.
pub(super) fn text(job: &JobRow) -> String {
    let status = match &job.waiting {
        Some(why) => format!("{} ({why})", job.status.as_str()),
        None if job.cancel_requested => format!("{} (asked to stop)", job.status.as_str()),
        None => job.status.as_str().to_owned(),
    };
    let what = match (&job.endpoint, &job.resource_key) {
        (Some(_), Some(key)) => key.clone(),
        _ => job.args.to_string(),
    };
    let lines = [
        ("id", job.id.to_string()),
        ("status", status),
        ("lane", job.lane.clone()),
        ("kind", job.kind.clone()),
        ("for", what),
        ("priority", job.priority.to_string()),
        (
            "attempt",
            format!(
                "{} of {}, {} rescues",
                job.attempt, job.max_attempts, job.rescues
            ),
        ),
        ("created", format!("{} UTC", moment(job.created_at))),
        ("runs", format!("{} UTC", moment(job.run_at))),
        ("started", moment_or_none(job.started_at)),
        ("ended", moment_or_none(job.completed_at)),
    ];
    let mut text: String = lines
        .iter()
        .map(|(name, value)| format!("{name:<WIDTH$}{value}\n"))
        .collect();
    for error in job.errors.as_array().into_iter().flatten() {
        let field = |name: &str| match error.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => NONE.to_owned(),
        };
        let (attempt, at, why) = (field("attempt"), field("at"), field("error"));
        let told = format!("attempt {attempt}, {at}: {why}");
        let lines = wrap(&told, usize::from(TERMINAL) - 2);
        text.push_str(&format!("{}\n", lines.join("\n  ")));
    }
    text
}
