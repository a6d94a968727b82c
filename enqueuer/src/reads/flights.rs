//! Refreshes that readers wait for, one for each resource however many wait.
//!
//! The first reader who needs a resource opens a flight; the others join it. One task asks
//! for all flights that were opened while its last statements ran: whether the provider is
//! known not to have it, whether the lane is closed, and if neither, for a job. Nothing is
//! enqueued for a closed lane, so that readers leave no pile of jobs behind that all cost at
//! once when it opens. [`super::keeper`] ends flights by what its looks find.
//!
//! Over several processes the database sees to it that a resource has one job.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use shared::model::{JobId, Priority, ResourceKey, ResourceSpec, kind};
use shared::store::{Closed, EndedRefresh, JobRequest, StoreError};
use tokio::sync::{Notify, watch};

use crate::app::App;
use crate::job_log;

/// After this time a flight is given up, so that a job which waits for hours is not looked
/// for all the while. Its job stays; who still waits joins a new flight.
const LONGEST: Duration = Duration::from_secs(120);

/// How a flight ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// There is a newer entry, or its job ended without need of one.
    Landed,
    /// The refresh failed for good, with this error.
    Failed(String),
    /// The provider is not called at present.
    Closed(Closed),
    /// The database did not take the job.
    Broken(Arc<StoreError>),
    /// Nobody looks for it any more.
    GivenUp,
}

/// What a waiting reader watches; `None` while it is on its way.
pub(super) type Watch = watch::Receiver<Option<End>>;

/// What those who wait asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    /// Any fresh answer.
    Any,
    /// An answer that is asked for from now on.
    Newer,
    /// The same, as one of the plan's calls.
    ByPlan,
}

/// A resource, and what was asked for.
type Wanted = (ResourceKey, Asked);

#[derive(Debug)]
struct Flight {
    resource: ResourceSpec,
    /// Revision of the entry that would not do; 0 if there was none.
    base: i64,
    asked: bool,
    job: Option<JobId>,
    opened: Instant,
    end: watch::Sender<Option<End>>,
}

/// The flights of this process.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    live: Mutex<HashMap<Wanted, Flight>>,
    opened: Notify,
}

impl Flights {
    fn live(&self) -> MutexGuard<'_, HashMap<Wanted, Flight>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a reader of this resource would join others.
    pub(super) fn has(&self, key: &ResourceKey, asked: Asked) -> bool {
        self.live().contains_key(&(key.clone(), asked))
    }

    /// Joins the flight of a resource, or opens one. `base` is the revision of the entry
    /// that will not do.
    pub(super) fn join(&self, resource: &ResourceSpec, asked: Asked, base: i64) -> Watch {
        let mut live = self.live();
        let flight = live
            .entry((resource.key.clone(), asked))
            .or_insert_with(|| {
                self.opened.notify_one();
                Flight {
                    resource: resource.clone(),
                    base,
                    asked: false,
                    job: None,
                    opened: Instant::now(),
                    end: watch::Sender::new(None),
                }
            });
        flight.end.subscribe()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.live().is_empty()
    }

    /// Whether anybody waits for a resource.
    pub(super) fn wants(&self, key: &ResourceKey) -> bool {
        let live = self.live();
        [Asked::Any, Asked::Newer, Asked::ByPlan]
            .into_iter()
            .any(|asked| live.contains_key(&(key.clone(), asked)))
    }

    /// The jobs that are waited for.
    pub(super) fn jobs(&self) -> Vec<JobId> {
        self.live()
            .values()
            .filter_map(|flight| flight.job)
            .collect()
    }

    /// An entry was written.
    pub(super) fn written(&self, key: &ResourceKey, revision: i64) {
        self.end_those(|(of, _), flight| {
            (of == key && flight.base < revision).then_some(End::Landed)
        });
    }

    /// A job is over.
    pub(super) fn job_ended(&self, ended: EndedRefresh) {
        self.end_those(|_, flight| {
            (flight.job == Some(ended.id)).then(|| match &ended.error {
                None => End::Landed,
                Some(error) => End::Failed(error.clone()),
            })
        });
    }

    /// Lanes may be closed: whoever waits for one waits in vain.
    pub(super) fn lanes_closed(&self, closed: impl Fn(&str) -> Option<Closed>) {
        self.end_those(|_, flight| {
            // What is not asked for yet is told by the asking.
            let lane = flight.resource.provider.as_str();
            flight.asked.then(|| closed(lane).map(End::Closed))?
        });
    }

    /// Gives up what has taken too long.
    pub(super) fn expire(&self) {
        self.end_those(|_, flight| (flight.opened.elapsed() > LONGEST).then_some(End::GivenUp));
    }

    fn end_those(&self, end: impl Fn(&Wanted, &Flight) -> Option<End>) {
        self.live()
            .retain(|wanted, flight| match end(wanted, flight) {
                Some(end) => {
                    flight.end.send_replace(Some(end));
                    false
                }
                None => true,
            });
    }

    fn end(&self, wanted: &Wanted, end: End) {
        if let Some(flight) = self.live().remove(wanted) {
            flight.end.send_replace(Some(end));
        }
    }

    /// What was opened and not asked for yet.
    fn take_new(&self) -> Vec<(Wanted, ResourceSpec)> {
        let mut new = Vec::new();
        for (wanted, flight) in &mut *self.live() {
            if !flight.asked {
                flight.asked = true;
                new.push((wanted.clone(), flight.resource.clone()));
            }
        }
        new
    }

    fn note_job(&self, wanted: &Wanted, job: JobId) {
        if let Some(flight) = self.live().get_mut(wanted) {
            flight.job = Some(job);
        }
    }
}

/// A refresh that a reader causes: any fresh answer will do.
pub(super) fn read_request(
    resource: ResourceSpec,
    priority: Priority,
    max_attempts: u32,
) -> JobRequest {
    JobRequest {
        kind: kind::REFRESH.to_owned(),
        resource: Some(resource),
        args: json!({}),
        class: "reader",
        priority,
        run_at: None,
        max_attempts: i32::try_from(max_attempts).unwrap_or(i32::MAX),
        must_be_newer: false,
    }
}

/// Asks for what readers have opened flights for, until the server stops.
pub(crate) async fn run(app: &App) {
    loop {
        tokio::select! {
            () = app.flights.opened.notified() => {}
            () = app.stop.cancelled() => return,
        }
        let new = app.flights.take_new();
        if let Err(error) = ask(app, &new).await {
            let error = Arc::new(error);
            for (wanted, _) in &new {
                app.flights.end(wanted, End::Broken(Arc::clone(&error)));
            }
        }
    }
}

async fn ask(app: &App, new: &[(Wanted, ResourceSpec)]) -> Result<(), StoreError> {
    let keys: Vec<ResourceKey> = new.iter().map(|((key, _), _)| key.clone()).collect();
    let absent = app.store.absent(&keys).await?;
    let closed = app.store.closed().await?;
    // What was written after its reader had looked, and before the flight was opened, is in
    // no later look.
    let loaded = app.keeper.load(keys).await;
    for held in loaded.unwrap_or_default() {
        (app.flights).written(held.state.counter.key(), held.state.revision);
    }
    let attempts = app.config().queue.max_attempts;
    let (mut asked, mut requests) = (Vec::new(), Vec::new());
    for (wanted, resource) in new {
        let (key, kind) = wanted;
        if !app.flights.has(key, *kind) {
            // It has landed already.
        } else if let Some(secs) = absent.get(key) {
            app.copies.note_absent(key.clone(), *secs);
            app.flights.end(wanted, End::Failed("not_found".to_owned()));
        } else if let Some(closed) = closed.get(resource.provider.as_str()) {
            app.flights.end(wanted, End::Closed(closed.clone()));
        } else {
            asked.push(wanted);
            let request = read_request(resource.clone(), Priority::READER_WAITING, attempts);
            requests.push(JobRequest {
                must_be_newer: *kind != Asked::Any,
                class: match kind {
                    Asked::ByPlan => "planned",
                    Asked::Any | Asked::Newer => request.class,
                },
                ..request
            });
        }
    }
    if requests.is_empty() {
        return Ok(());
    }
    let enqueued = app
        .store
        .enqueue_announced(&requests, &app.notifier)
        .await?;
    job_log::enqueued(&enqueued, "a waiting reader");
    for (wanted, enqueued) in asked.iter().zip(enqueued) {
        app.flights.note_job(wanted, enqueued.job.id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use shared::model::BatchKey;

    use super::*;

    fn spec(key: &str) -> ResourceSpec {
        ResourceSpec {
            key: ResourceKey(key.to_owned()),
            provider: "coins".parse().unwrap(),
            endpoint: "quotes".parse().unwrap(),
            batch_key: BatchKey("quotes?".to_owned()),
            item: None,
        }
    }

    #[test]
    fn however_many_join_a_flight_is_asked_for_once() {
        let flights = Flights::default();
        let mut watches: Vec<Watch> = (0..10_000)
            .map(|_| flights.join(&spec("a"), Asked::Any, 0))
            .collect();
        assert_eq!(flights.take_new().len(), 1);
        assert!(flights.take_new().is_empty());
        assert!(flights.wants(&spec("a").key) && !flights.wants(&spec("b").key));

        flights.written(&spec("a").key, 1);

        for watch in &mut watches {
            assert!(matches!(*watch.borrow(), Some(End::Landed)));
        }
        assert!(flights.is_empty());
    }

    #[test]
    fn only_a_later_revision_ends_the_wait_for_a_newer_answer() {
        let flights = Flights::default();
        let watch = flights.join(&spec("a"), Asked::Newer, 7);
        flights.written(&spec("a").key, 7);
        assert!(watch.borrow().is_none());
        flights.written(&spec("a").key, 8);
        assert!(watch.borrow().is_some());
    }

    #[test]
    fn a_closed_lane_ends_what_was_asked_for_in_it() {
        let flights = Flights::default();
        let closed = |lane: &str| {
            (lane == "coins").then(|| Closed {
                reason: "budget:month".to_owned(),
                secs: None,
            })
        };
        let watch = flights.join(&spec("a"), Asked::Any, 0);
        flights.lanes_closed(closed);
        assert!(watch.borrow().is_none(), "the asking finds it out");
        flights.take_new();
        flights.lanes_closed(closed);
        assert!(matches!(*watch.borrow(), Some(End::Closed(_))));
    }
}
