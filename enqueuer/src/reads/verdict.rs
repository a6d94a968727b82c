//! What a reader is told when not everything it asked for is there.

use std::time::Duration;

use shared::model::{ResourceKey, ResourceSpec};
use shared::provider::Outcome;
use shared::store::Closed;

use crate::problem::{Kind, Problem};

/// When to try again if nobody knows when the lane opens.
const UNKNOWN: Duration = Duration::from_secs(3_600);

/// How a wait ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum WaitEnd {
    /// Every resource has an answer, or has failed for good.
    Complete,
    /// Time ran out.
    TimedOut,
    /// The provider is not called at present.
    Closed(Closed),
    /// The server stops.
    Stopping,
}

/// Decides after a wait: `Ok` if what is there can be answered.
///
/// `has` says whether a resource has an entry, old or new; `is_absent`, whether its provider
/// is known not to have it. An old answer is always
/// better than none; an item that the provider does not know is left out, as the
/// provider itself does.
///
/// # Errors
///
/// The problem to answer with.
pub(super) fn after_wait(
    resources: &[ResourceSpec],
    has: impl Fn(&ResourceKey) -> bool,
    is_absent: impl Fn(&ResourceKey) -> bool,
    failed: &[(ResourceKey, String)],
    end: &WaitEnd,
    waited: Duration,
) -> Result<(), Problem> {
    let error_of = |key: &ResourceKey| {
        let found = failed.iter().find(|(failed, _)| failed == key);
        let known = || is_absent(key).then_some(Outcome::NotFound.as_str());
        found.map(|(_, error)| error.as_str()).or_else(known)
    };
    let lacking: Vec<&ResourceKey> = resources
        .iter()
        .map(|resource| &resource.key)
        .filter(|key| !has(key))
        .collect();
    let mut other = lacking
        .iter()
        .filter_map(|key| error_of(key))
        .filter(|error| outcome_of(error) != Outcome::NotFound.as_str());
    if let Some(error) = other.next() {
        return Err(Problem::new(
            kind_of(error),
            error.chars().take(300).collect::<String>(),
        ));
    }
    if lacking.iter().any(|key| error_of(key).is_none()) {
        return Err(without_answer(end, waited));
    }
    if !lacking.is_empty() && lacking.len() == resources.len() {
        return Err(unknown());
    }
    Ok(())
}

/// Nothing of what was asked for exists.
pub(super) fn unknown() -> Problem {
    Problem::new(
        Kind::DoesNotExist,
        "the provider knows nothing of what was asked for",
    )
}

/// The name of the outcome that a job failed with: its error begins with it.
fn outcome_of(error: &str) -> &str {
    error.split(':').next().unwrap_or_default().trim()
}

/// What a failed job means for the reader who asked: a refusal is passed on as one, since
/// it is the question that is at fault; anything else is the provider's fault.
fn kind_of(error: &str) -> Kind {
    let outcome = outcome_of(error);
    if outcome == Outcome::BadRequest.as_str() {
        Kind::RefusedByProvider
    } else if outcome == Outcome::EndpointForbidden.as_str() {
        Kind::NotInPlan
    } else {
        Kind::RefreshFailed
    }
}

fn without_answer(end: &WaitEnd, waited: Duration) -> Problem {
    match end {
        WaitEnd::Closed(closed) => {
            let opens = closed
                .secs
                .map(|secs| Duration::from_secs_f64(secs.max(0.0)));
            Problem::new(
                Kind::LaneClosed,
                format!(
                    "it is not in the cache, and the lane is closed: {}",
                    closed.reason
                ),
            )
            .retry_after(opens.unwrap_or(UNKNOWN))
        }
        WaitEnd::Stopping => Problem::new(Kind::Stopping, "ask again").retry_after(Duration::ZERO),
        WaitEnd::Complete | WaitEnd::TimedOut => Problem::new(
            Kind::TimedOut,
            format!(
                "it was not in the cache and did not come within {} s; it is being fetched",
                waited.as_secs()
            ),
        )
        .retry_after(Duration::from_secs(1)),
    }
}

#[cfg(test)]
mod tests {
    use shared::model::BatchKey;

    use super::*;

    fn asked(ids: &[&str]) -> Vec<ResourceSpec> {
        let spec = |id: &&str| ResourceSpec {
            key: ResourceKey((*id).to_owned()),
            provider: "coins".parse().unwrap(),
            endpoint: "quotes".parse().unwrap(),
            batch_key: BatchKey("quotes?id=*".to_owned()),
            item: Some((*id).to_owned()),
        };
        ids.iter().map(spec).collect()
    }

    #[test]
    fn an_old_answer_wins_and_what_does_not_exist_is_left_out() {
        let closed = WaitEnd::Closed(Closed {
            reason: "budget:month".to_owned(),
            secs: None,
        });
        let missing = "not_found: the provider does not know it";
        for (have, failed, end, expected) in [
            (vec!["1", "2"], vec![], closed.clone(), None),
            (vec!["1"], vec![("2", missing)], WaitEnd::Complete, None),
            (
                vec![],
                vec![("1", missing), ("2", missing)],
                WaitEnd::Complete,
                Some(Kind::DoesNotExist),
            ),
            (
                vec!["1"],
                vec![("2", "malformed: html")],
                WaitEnd::Complete,
                Some(Kind::RefreshFailed),
            ),
            (
                vec!["1"],
                vec![("2", "bad_request: Invalid value")],
                WaitEnd::Complete,
                Some(Kind::RefusedByProvider),
            ),
            (
                vec![],
                vec![("1", "endpoint_forbidden"), ("2", "endpoint_forbidden")],
                WaitEnd::Complete,
                Some(Kind::NotInPlan),
            ),
            (
                vec!["1", "2"],
                vec![("2", "timeout")],
                WaitEnd::Complete,
                None,
            ),
            (vec!["1"], vec![], closed, Some(Kind::LaneClosed)),
            (vec!["1"], vec![], WaitEnd::TimedOut, Some(Kind::TimedOut)),
            (vec!["1"], vec![], WaitEnd::Stopping, Some(Kind::Stopping)),
        ] {
            let failed: Vec<_> = failed
                .iter()
                .map(|(key, error)| (ResourceKey((*key).to_owned()), (*error).to_owned()))
                .collect();
            let verdict = after_wait(
                &asked(&["1", "2"]),
                |key| have.contains(&key.as_str()),
                |_| false,
                &failed,
                &end,
                Duration::from_secs(10),
            );
            let kind = verdict.err().map(|problem| problem.kind());
            assert_eq!(kind, expected, "{have:?} {failed:?} {end:?}");
        }
    }
}
