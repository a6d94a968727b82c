//! The entries of one read, and whether they will do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use shared::model::{ResourceKey, ResourceSpec};

use super::headers::Source;
use super::held::{Held, State};
use super::proxy::Reading;
use crate::app::App;
use crate::problem::Problem;

/// The entries of one read, by resource.
#[derive(Debug, Default)]
pub(super) struct Entries {
    held: HashMap<ResourceKey, Arc<Held>>,
}

impl Entries {
    /// The entries of these resources: from memory, and what is not there from the database.
    ///
    /// # Errors
    ///
    /// 503 if the database is needed and away.
    pub(super) async fn load(app: &App, resources: &[ResourceSpec]) -> Result<Self, Problem> {
        app.copies.attention.awake().await;
        let mut entries = Self::default();
        let mut missing = Vec::new();
        for resource in resources {
            let key = &resource.key;
            match app.copies.entry(key) {
                Some(held) => {
                    entries.held.insert(key.clone(), held);
                }
                // What the provider does not know has no entry.
                None if app.copies.is_absent(key) => {}
                None => missing.push(key.clone()),
            }
        }
        entries.add_from_database(app, missing).await?;
        Ok(entries)
    }

    /// Takes over what there is by now of these resources.
    ///
    /// # Errors
    ///
    /// 503 if the database is needed and away.
    pub(super) async fn renew(
        &mut self,
        app: &App,
        keys: impl Iterator<Item = ResourceKey>,
    ) -> Result<(), Problem> {
        let mut missing = Vec::new();
        for key in keys {
            match app.copies.entry(&key) {
                Some(held) => {
                    self.held.insert(key, held);
                }
                None => missing.push(key),
            }
        }
        self.add_from_database(app, missing).await
    }

    async fn add_from_database(
        &mut self,
        app: &App,
        keys: Vec<ResourceKey>,
    ) -> Result<(), Problem> {
        if keys.is_empty() {
            return Ok(());
        }
        let loaded = app.keeper.load(keys).await;
        for held in loaded.map_err(|error| Problem::from(error.as_ref()))? {
            self.held.insert(held.state.counter.key().clone(), held);
        }
        Ok(())
    }

    /// The entry of a resource.
    pub(super) fn get(&self, key: &ResourceKey) -> Option<&Arc<Held>> {
        self.held.get(key)
    }

    /// Whether each of these resources has an entry.
    pub(super) fn is_complete(&self, resources: &[ResourceSpec]) -> bool {
        resources
            .iter()
            .all(|resource| self.held.contains_key(&resource.key))
    }
}

/// A resource that has to be fetched before the reader can be answered.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub(super) resource: ResourceSpec,
    /// Revision of the entry that will not do; 0 if there is none.
    pub(super) base: i64,
}

/// What a read needs beside the entries that are there.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) fetch: Vec<Need>,
    /// Old ones that nobody refreshes ahead of need.
    pub(super) renew: Vec<ResourceSpec>,
    is_stale: bool,
}

impl Needs {
    /// How the answer will come to be one.
    pub(super) fn source(&self) -> Source {
        if self.fetch.is_empty() {
            Source::Hit
        } else if self.fetch.iter().any(|need| need.base == 0) {
            Source::Miss
        } else if self.is_stale {
            Source::Stale
        } else {
            Source::Request
        }
    }
}

/// Counts a read for demand.
pub(super) fn count(reading: &Reading<'_>, entries: &Entries) {
    let Reading { app, request, .. } = reading;
    app.copies.attention.note_read();
    let mut missing = Vec::new();
    for resource in &request.resources {
        match entries.get(&resource.key) {
            Some(held) => {
                app.demand.count(&held.state.counter);
                held.state.note_read();
            }
            None => missing.push(&resource.key),
        }
    }
    if !missing.is_empty() {
        app.demand.note_missing(missing.into_iter());
    }
}

/// What a read needs: what is missing, what is past its bound, what the reader wants newer.
pub(super) fn judge(reading: &Reading<'_>, entries: &Entries, now: f64) -> Needs {
    let app = reading.app;
    let most = most(reading).map(|most| most.as_secs_f64());
    let shortest = shortest(reading);
    let mut needs = Needs::default();
    for resource in &reading.request.resources {
        let Some(held) = entries.get(&resource.key) else {
            if !app.copies.is_absent(&resource.key) {
                needs.fetch.push(Need {
                    resource: resource.clone(),
                    base: 0,
                });
            }
            continue;
        };
        let state = &held.state;
        let is_past = is_past(state, now, most, reading);
        if is_past || wants_newer(reading, state, now, shortest) {
            needs.is_stale |= is_past;
            needs.fetch.push(Need {
                resource: resource.clone(),
                base: state.revision,
            });
        } else if !state.tracked && now >= state.fresh_until {
            // A tracked one is the plan's to renew: readers add nothing to what it costs.
            needs.renew.push(resource.clone());
        }
    }
    needs
}

/// Whether an entry is past its bound of age, and the reader does not take it all the same.
fn is_past(state: &State, now: f64, most: Option<f64>, reading: &Reading<'_>) -> bool {
    // What the resource itself says wins over what its provider says.
    let most = state.max_age.or(most);
    let stale = now - state.fresh_until;
    let is_taken = (reading.directives.max_stale).is_some_and(|longest| stale <= longest);
    most.is_some_and(|most| now - state.born > most) && !is_taken
}

/// Whether the reader wants a newer entry, and may: at most once in the shortest interval
/// of the resource, whether that brings one or not.
fn wants_newer(reading: &Reading<'_>, state: &State, now: f64, shortest: Duration) -> bool {
    let age = now - state.born;
    let accepted = reading.directives.accept(age, state.fresh_until - now);
    if accepted || reading.directives.only_if_cached {
        return !accepted;
    }
    age >= shortest.as_secs_f64()
        && reading
            .app
            .renewals
            .may_ask(state.counter.key(), shortest, &reading.app.flights)
}

/// Age past which a reader of this provider waits for a refresh.
pub(super) fn most(reading: &Reading<'_>) -> Option<Duration> {
    let section = reading
        .app
        .config()
        .providers
        .get(reading.provider.name())?;
    section.cache.max_age
}

/// Shortest time between two refreshes of what is read.
pub(super) fn shortest(reading: &Reading<'_>) -> Duration {
    let section = reading.app.config().providers.get(reading.provider.name());
    let endpoint = reading.provider.endpoint(&reading.request.endpoint);
    section
        .and_then(|section| section.cache.min_interval)
        .or(endpoint.map(|endpoint| endpoint.update_frequency()))
        .unwrap_or(Duration::from_secs(60))
}
