//! What a reader is told when not everything it asked for is there.

use std::time::Duration;

use shared::model::{ResourceKey, ResourceSpec};
use shared::provider::Outcome;

use super::wait::End;
use crate::problem::{Kind, Problem};

/// When to try again if nobody knows when the lane opens.
const UNKNOWN: Duration = Duration::from_secs(3_600);

/// Decides after a wait: `Ok` if what is there can be answered.
///
/// `has` says whether a resource has an entry, old or new. An old answer is always
/// better than none; an item that the provider does not know is left out, as the
/// provider itself does.
///
/// # Errors
///
/// The problem to answer with.
pub(super) fn after_wait(
    resources: &[ResourceSpec],
    has: impl Fn(&ResourceKey) -> bool,
    failed: &[(ResourceKey, String)],
    end: &End,
    waited: Duration,
) -> Result<(), Problem> {
    let error_of = |key: &ResourceKey| {
        let found = failed.iter().find(|(failed, _)| failed == key);
        found.map(|(_, error)| error.as_str())
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
        return Err(Problem::new(
            Kind::DoesNotExist,
            "the provider knows nothing of what was asked for",
        ));
    }
    Ok(())
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

fn without_answer(end: &End, waited: Duration) -> Problem {
    match end {
        End::Closed(closed) => {
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
        End::Stopping => Problem::new(Kind::Stopping, "ask again").retry_after(Duration::ZERO),
        End::Complete | End::TimedOut => Problem::new(
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
    use shared::store::Closed;

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
        let closed = End::Closed(Closed {
            reason: "budget:month".to_owned(),
            secs: None,
        });
        let missing = "not_found: the provider does not know it";
        for (have, failed, end, expected) in [
            (vec!["1", "2"], vec![], closed.clone(), None),
            (vec!["1"], vec![("2", missing)], End::Complete, None),
            (
                vec![],
                vec![("1", missing), ("2", missing)],
                End::Complete,
                Some(Kind::DoesNotExist),
            ),
            (
                vec!["1"],
                vec![("2", "malformed: html")],
                End::Complete,
                Some(Kind::RefreshFailed),
            ),
            (
                vec!["1"],
                vec![("2", "bad_request: Invalid value")],
                End::Complete,
                Some(Kind::RefusedByProvider),
            ),
            (
                vec![],
                vec![("1", "endpoint_forbidden"), ("2", "endpoint_forbidden")],
                End::Complete,
                Some(Kind::NotInPlan),
            ),
            (vec!["1", "2"], vec![("2", "timeout")], End::Complete, None),
            (vec!["1"], vec![], closed, Some(Kind::LaneClosed)),
            (vec!["1"], vec![], End::TimedOut, Some(Kind::TimedOut)),
            (vec!["1"], vec![], End::Stopping, Some(Kind::Stopping)),
        ] {
            let failed: Vec<_> = failed
                .iter()
                .map(|(key, error)| (ResourceKey((*key).to_owned()), (*error).to_owned()))
                .collect();
            let verdict = after_wait(
                &asked(&["1", "2"]),
                |key| have.contains(&key.as_str()),
                &failed,
                &end,
                Duration::from_secs(10),
            );
            let kind = verdict.err().map(|problem| problem.kind());
            assert_eq!(kind, expected, "{have:?} {failed:?} {end:?}");
        }
    }
}
