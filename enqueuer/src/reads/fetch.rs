//! Has what a reader needs fetched, and waits for it.

use std::time::{Duration, Instant};

use shared::model::ResourceKey;

use super::entries::{Entries, Need};
use super::flights::{Asked, End, Watch};
use super::proxy::Reading;
use super::verdict::{self, WaitEnd};
use crate::app::App;
use crate::problem::{Kind, Problem};

/// Fetches `needs` into `entries`, for as long as the reader waits.
///
/// # Errors
///
/// What the reader is told if there is not even an old entry: 429 for a client that misses
/// too much, and what [`verdict::after_wait`] says.
pub(super) async fn fetch(
    reading: &Reading<'_>,
    needs: Vec<Need>,
    entries: &mut Entries,
) -> Result<(), Problem> {
    let has_old = needs.iter().all(|need| need.base > 0);
    if let Err(wait) = take_misses(reading, &needs) {
        // An old answer is better than none.
        if has_old {
            return Ok(());
        }
        let detail = "this client has asked for too much that is not in the cache";
        return Err(Problem::new(Kind::TooManyMisses, detail).retry_after(wait));
    }
    let app = reading.app;
    let lane = reading.provider.name().as_str();
    let flights = |need: &Need| (app.flights).join(&need.resource, asked(need), need.base);
    let watches: Vec<(ResourceKey, Watch)> = match app.copies.closed(lane) {
        // Nobody needs to be asked whether it is.
        Some(_) if has_old => return Ok(()),
        _ => needs
            .iter()
            .map(|need| (need.resource.key.clone(), flights(need)))
            .collect(),
    };
    let waited = wait(app, reading.wait, watches).await;
    if let Some(broken) = waited.broken {
        // The database takes no jobs: old answers are answers still.
        return if has_old { Ok(()) } else { Err(broken) };
    }
    let keys = needs.into_iter().map(|need| need.resource.key);
    let keys = keys.filter(|_| waited.end != WaitEnd::Stopping);
    let absent = |key: &ResourceKey| waited.failed.iter().any(|(failed, _)| failed == key);
    let renewed = entries.renew(app, keys.filter(|key| !absent(key))).await;
    if let Err(problem) = renewed {
        return if has_old { Ok(()) } else { Err(problem) };
    }
    verdict::after_wait(
        &reading.request.resources,
        |key| entries.get(key).is_some(),
        |key| app.copies.is_absent(key),
        &waited.failed,
        &waited.end,
        reading.wait,
    )
}

fn asked(need: &Need) -> Asked {
    match need.base {
        0 => Asked::Any,
        _ => Asked::Newer,
    }
}

/// Counts the calls that this read causes against its client. What others wait for already
/// is free.
fn take_misses(reading: &Reading<'_>, needs: &[Need]) -> Result<(), Duration> {
    let app = reading.app;
    let new = needs
        .iter()
        .filter(|need| !app.flights.has(&need.resource.key, asked(need)))
        .count();
    let endpoint = reading.provider.endpoint(&reading.request.endpoint);
    let per_call = endpoint.map_or(1, |endpoint| endpoint.max_items().max(1));
    let calls = u32::try_from(new.div_ceil(per_call)).unwrap_or(u32::MAX);
    app.misses.take(reading.from, calls, Instant::now())
}

/// What came of a wait.
pub(super) struct Waited {
    /// What failed for good, with its error.
    pub(super) failed: Vec<(ResourceKey, String)>,
    end: WaitEnd,
    broken: Option<Problem>,
}

/// Waits until all flights have ended, at most for `most`.
pub(super) async fn wait(app: &App, most: Duration, watches: Vec<(ResourceKey, Watch)>) -> Waited {
    let deadline = tokio::time::Instant::now() + most;
    let mut waited = Waited {
        failed: Vec::new(),
        end: WaitEnd::Complete,
        broken: None,
    };
    for (key, mut watch) in watches {
        let ended = tokio::select! {
            // First: what has ended by the deadline has ended.
            biased;
            ended = watch.wait_for(Option::is_some) => ended.ok().and_then(|end| end.clone()),
            () = tokio::time::sleep_until(deadline) => {
                waited.end = WaitEnd::TimedOut;
                continue;
            }
            () = app.stop.cancelled() => {
                waited.end = WaitEnd::Stopping;
                return waited;
            }
        };
        match ended {
            Some(End::Landed) => {}
            Some(End::Failed(error)) => waited.failed.push((key, error)),
            Some(End::Closed(closed)) => waited.end = WaitEnd::Closed(closed),
            Some(End::Broken(error)) => waited.broken = Some(Problem::from(error.as_ref())),
            Some(End::GivenUp) | None => waited.end = WaitEnd::TimedOut,
        }
    }
    waited
}
