//! Looks while a run goes on: what can only be seen then.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sandbox::Arrival;
use tokio_util::sync::CancellationToken;

use super::lanes::{Lane, Window};
use super::windows;
use super::world::World;

/// How often to look; far fewer arrivals come in between than are fetched.
const EVERY: Duration = Duration::from_millis(250);
const FETCHED: usize = 2_000;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Every request that came, by lane, in order.
    pub(crate) arrivals: HashMap<&'static str, Vec<Arrival>>,
    /// Looks at which both counts could be compared.
    pub(crate) comparisons: usize,
    /// Looks at which a sandbox had counted more than the ledger.
    pub(crate) under: Vec<String>,
    /// Longest time in seconds for which a lease had run out and was not taken back, though
    /// the database was there.
    pub(crate) longest_expired: f64,
    /// When the database last was away, or could not write.
    away: Option<Instant>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl Seen {
    /// A lane's arrivals, in order.
    pub(crate) fn of(&self, lane: &str) -> &[Arrival] {
        self.arrivals.get(lane).map_or(&[], Vec::as_slice)
    }

    /// How many arrivals met each kind of scripted trouble.
    pub(crate) fn troubles(&self) -> BTreeMap<&str, usize> {
        let mut met = BTreeMap::new();
        let arrivals = self.arrivals.values().flatten();
        for name in arrivals.flat_map(|arrival| &arrival.trouble) {
            *met.entry(name.as_str()).or_default() += 1;
        }
        met
    }

    /// Limits with calls on both sides of a boundary of their calendar windows.
    pub(crate) fn crossed(&self, lanes: &[Lane]) -> Vec<String> {
        let limits = lanes.iter().flat_map(|lane| {
            let limits = lane.spec.limits.iter();
            limits.map(|limit| (lane.spec.name, limit))
        });
        let crossed = limits.filter(|(lane, limit)| {
            matches!(limit.window, Window::Minute | Window::Day(_))
                && windows::count(limit, self.of(lane)).windows > 1
        });
        crossed
            .map(|(lane, limit)| format!("{lane}.{}", limit.name))
            .collect()
    }
}

impl Watch {
    pub(crate) async fn run(&self, world: &World, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            self.look(world).await;
            stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
        }
    }

    /// One look; also the last one, after everything has ended.
    pub(crate) async fn look(&self, world: &World) {
        // The provider first: what it has counted by now was reserved before.
        let mut counted = Vec::new();
        for lane in &world.lanes {
            let report = lane.upstream.ledger(FETCHED);
            counted.push((lane.spec.name, report.total));
            self.collect(lane.spec.name, report.arrivals);
        }
        let ledger = sqlx::query_as::<_, (String, i64, i64)>(
            "select provider, sum(requests)::bigint, sum(coalesce(credits, reserved_credits))::bigint
             from larder.api_calls group by provider",
        );
        let expired = sqlx::query_scalar::<_, f64>(
            "select coalesce(extract(epoch from clock_timestamp() - min(leased_until)), 0)::float8
             from (select leased_until from larder.jobs where status = 'running'
                   union all
                   select leased_until from larder.api_calls where settled_at is null) held",
        );
        // The database is away at times.
        let (Ok(ledger), Ok(expired)) = (
            ledger.fetch_all(&world.pool).await,
            expired.fetch_one(&world.pool).await,
        ) else {
            self.seen.lock().unwrap().away = Some(Instant::now());
            return;
        };
        let mut seen = self.seen.lock().unwrap();
        if world.is_full.load(Ordering::Relaxed) {
            seen.away = Some(Instant::now());
        }
        let here = seen
            .away
            .map_or(f64::INFINITY, |away| away.elapsed().as_secs_f64());
        let expired = expired.min(here);
        seen.longest_expired = seen.longest_expired.max(expired);
        seen.comparisons += 1;
        for (name, total) in counted {
            let row = ledger.iter().find(|(provider, _, _)| provider == name);
            let (requests, credits) = row.map_or((0, 0), |row| (row.1, row.2));
            if total.requests.cast_signed() > requests || total.credits.cast_signed() > credits {
                seen.under.push(format!(
                    "{name}: {total:?}, ledger {requests} and {credits}"
                ));
            }
        }
    }

    fn collect(&self, name: &'static str, last: Vec<Arrival>) {
        let mut seen = self.seen.lock().unwrap();
        let kept = seen.arrivals.entry(name).or_default();
        let known = kept.len() as u64;
        kept.extend(last.into_iter().filter(|arrival| arrival.number > known));
        let gap = kept
            .iter()
            .zip(1..)
            .find(|(arrival, number)| arrival.number != *number);
        assert!(gap.is_none(), "arrivals of {name} were missed: {gap:?}");
    }
}
