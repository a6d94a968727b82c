//! How each job must have ended, by what it was.

use serde_json::Value;
use worker::Handler;

use super::audit::Ended;
use super::misbehaving::{Misbehaving, Misdeed};

/// What is wrong with the end of a job; nothing if it is one that it may have.
pub(crate) fn complaint(job: &Ended) -> Option<String> {
    let is_right = match job.kind.as_str() {
        "refresh" => ended_for_its_provider(job),
        Misbehaving::KIND => ended_for_its_misdeed(job),
        // Operators cancel what still waits at the end.
        _ => job.status == "completed" || job.status == "cancelled",
    };
    (!is_right).then(|| format!("a job must not end like this: {job:?}"))
}

fn error(job: &Ended) -> &str {
    job.error.as_deref().unwrap_or_default()
}

fn is_used_up(job: &Ended) -> bool {
    job.attempt == job.max_attempts
}

/// Calls go wrong, and some of what is asked for is not there, so a refresh may fail; but not
/// for what befell its workers.
fn ended_for_its_provider(job: &Ended) -> bool {
    let (is_unknown, is_lost) = (
        error(job).starts_with("not_found: "),
        error(job).starts_with("worker_lost: "),
    );
    job.status != "failed" || is_unknown || (is_used_up(job) && !is_lost)
}

fn ended_for_its_misdeed(job: &Ended) -> bool {
    let failed = |why: &str| job.status == "failed" && error(job).starts_with(why);
    let is = |misdeed: Misdeed| {
        job.args["misdeed"] == serde_json::to_value(misdeed).unwrap_or(Value::Null)
    };
    if is(Misdeed::Panic) {
        failed("panic: each time") && is_used_up(job)
    } else if is(Misdeed::Stumble) {
        job.status == "completed" && job.attempt == 2
    } else if is(Misdeed::Hang) {
        failed("deadline: ") && is_used_up(job)
    } else if is(Misdeed::Abort) {
        failed("worker_lost: ")
    } else if is(Misdeed::Hog) {
        job.status == "completed" && job.attempt == 1
    } else {
        failed("args: ") && job.attempt == 1
    }
}
