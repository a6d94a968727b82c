//! Workers that hold one call each, and the network between them and the provider.

use chrono::{DateTime, TimeDelta, Utc};
use shared::store::Retention;

use super::clock::end_of_hour;
use super::provider::{Arrival, overspent};
use super::world::{Ending, GRACE, JOBS, LEASE, MARGIN, MAX_FREEZE, MAX_TRANSIT, World};
use super::*;

struct Call {
    call: AdmittedCall,
    admitted: DateTime<Utc>,
    cap: u32,
    /// Its worker lives, and has not recorded it.
    held: bool,
    /// It was handed over, or is about to be by a worker that sleeps, and arrives by then.
    due: Option<DateTime<Utc>>,
    /// The worker sleeps until it arrives.
    frozen: bool,
    sent: bool,
    arrived: Option<u32>,
}

pub(super) struct History<'a> {
    world: &'a World,
    now: DateTime<Utc>,
    pub(super) cap: u32,
    calls: Vec<Call>,
    arrivals: Vec<Arrival>,
}

impl<'a> History<'a> {
    pub(super) fn new(world: &'a World, now: DateTime<Utc>) -> Self {
        Self {
            world,
            now,
            cap: (world.limits)()[0].cap,
            calls: Vec::new(),
            arrivals: Vec::new(),
        }
    }
}

impl History<'_> {
    pub(super) async fn play(&mut self, op: &Op) -> Result<(), String> {
        let store = &self.world.store;
        match *op {
            Op::Wait { secs } => self.wait_until(self.now + TimeDelta::seconds(secs)).await?,
            Op::ToBoundary { secs } => {
                let then = end_of_hour(self.now) + TimeDelta::seconds(secs);
                self.wait_until(then.max(self.now)).await?;
            }
            Op::Admit { calls } => self.admit(calls).await,
            Op::Send { call, freezes } => self.send(call, freezes),
            Op::Arrive { call, credits } => {
                if let Some(nth) = self.pick(call, |call| call.due.is_some()) {
                    self.arrive(nth, credits).await?;
                }
            }
            Op::End { call, how } => self.end(call, how).await,
            Op::Kill { call } => {
                if let Some(nth) = self.pick(call, |call| call.held && !call.frozen) {
                    self.calls[nth].held = false;
                }
            }
            Op::Heartbeat { call } => {
                if let Some(nth) = self.pick(call, |call| call.held && !call.frozen) {
                    let tokens = [self.calls[nth].call.lease_token];
                    store.heartbeat(&tokens, LEASE).await.unwrap();
                }
            }
            Op::Rescue => {
                store.rescue(100).await.unwrap();
            }
            Op::SetCap { cap } => self.set_cap(cap.min((self.world.limits)()[0].cap)).await,
            Op::Fold => {
                let fold = sqlx::query("select larder.fold('coins')");
                fold.execute(store.pool()).await.unwrap();
            }
            Op::Prune => {
                let kept = Duration::from_secs(86_400 * 7);
                let retention = Retention {
                    finished: kept,
                    failed: kept,
                };
                store.prune(retention).await.unwrap();
            }
        }
        Ok(())
    }

    fn pick(&self, nth: usize, may: impl Fn(&Call) -> bool) -> Option<usize> {
        let possible: Vec<usize> = (0..self.calls.len())
            .filter(|nth| may(&self.calls[*nth]))
            .collect();
        (!possible.is_empty()).then(|| possible[nth % possible.len()])
    }

    /// Goes on, and stops wherever a request arrives at the last moment.
    async fn wait_until(&mut self, then: DateTime<Utc>) -> Result<(), String> {
        while let Some(nth) = (0..self.calls.len())
            .filter(|nth| self.calls[*nth].due.is_some_and(|due| due <= then))
            .min_by_key(|nth| self.calls[*nth].due)
        {
            let due = self.calls[nth].due.unwrap_or(then);
            self.set_time(due.max(self.now)).await;
            self.arrive(nth, 3).await?;
        }
        self.set_time(then).await;
        Ok(())
    }

    async fn set_time(&mut self, now: DateTime<Utc>) {
        self.now = now;
        self.world.clock.set(now).await;
    }

    pub(super) async fn set_cap(&mut self, cap: u32) {
        self.cap = cap;
        let lane = self.world.lane(cap);
        self.world.store.sync(&[lane], &[]).await.unwrap();
    }

    async fn admit(&mut self, calls: usize) {
        let admission = super::admit(&self.world.store, "worker-a", calls).await;
        for call in admission.calls {
            self.calls.push(Call {
                call,
                admitted: self.now,
                cap: self.cap,
                held: true,
                due: None,
                frozen: false,
                sent: false,
                arrived: None,
            });
        }
    }

    fn send(&mut self, call: usize, freezes: bool) {
        let send_by = |call: &Call| call.admitted + TimeDelta::from_std(LEASE).unwrap() - MARGIN;
        let any_time = self.world.habits.sends_at_any_time;
        let may = |call: &Call| call.held && !call.sent && (any_time || self.now < send_by(call));
        let Some(nth) = self.pick(call, may) else {
            return;
        };
        let latest = if freezes {
            MAX_FREEZE + MAX_TRANSIT
        } else {
            MAX_TRANSIT
        };
        let call = &mut self.calls[nth];
        call.sent = true;
        call.frozen = freezes;
        call.due = Some(self.now + latest);
    }

    /// The provider counts it; it costs no more than was reserved.
    async fn arrive(&mut self, nth: usize, credits: u32) -> Result<(), String> {
        let call = &mut self.calls[nth];
        let credits = credits.min(call.call.reserved_credits);
        call.due = None;
        call.frozen = false;
        call.arrived = Some(credits);
        let arrival = Arrival {
            at: self.now,
            credits,
            call: call.call.id.0,
            cap: call.cap,
        };
        self.arrivals.push(arrival);
        if self.world.habits.sends_twice {
            self.arrivals.push(arrival);
        }
        self.check().await
    }

    async fn check(&self) -> Result<(), String> {
        let limits = (self.world.limits)();
        // Those that arrived just now, and those whose workers still wait.
        let waited_for = self.calls.iter().filter(|call| {
            let sent_in_time = self.now < call.admitted + TimeDelta::from_std(LEASE).unwrap();
            call.arrived.is_some() && call.held && sent_in_time
        });
        let working = waited_for.count();
        let grace = TimeDelta::from_std(GRACE).unwrap();
        if let Some(why) = overspent(&self.arrivals, &limits, grace, working) {
            return Err(why);
        }
        let counted = |name: &str, from: DateTime<Utc>| -> i64 {
            let Some(limit) = limits.iter().find(|limit| limit.name == name) else {
                return 0;
            };
            let since = self.arrivals.iter().filter(|arrival| arrival.at >= from);
            since
                .map(|arrival| limit.unit.amount(arrival.credits))
                .sum()
        };
        type Usage = (String, Option<DateTime<Utc>>, Option<f64>, i64);
        let usages: Vec<Usage> = sqlx::query_as(
            "select name, starts_at, extract(epoch from width)::float8, spent + reserved
             from larder.limit_usage('coins', $1)
             where kind <> 'concurrency' and (ends_at is null or ends_at > $1)",
        )
        .bind(self.now)
        .fetch_all(self.world.store.pool())
        .await
        .unwrap();
        for (name, starts_at, width, used) in usages {
            let from = match (starts_at, width) {
                (Some(starts_at), _) => starts_at,
                (None, width) => self.now - TimeDelta::seconds(width.unwrap_or(0.0) as i64),
            };
            let paid = counted(&name, from);
            if paid > used && !self.world.habits.sends_twice {
                return Err(format!(
                    "the provider counts {paid} of {name}, the ledger {used}"
                ));
            }
        }
        Ok(())
    }

    async fn end(&mut self, call: usize, how: Ending) {
        let habits = self.world.habits;
        let may = |call: &Call| {
            call.held
                && !call.frozen
                && match how {
                    Ending::Answer => call.arrived.is_some(),
                    Ending::GiveUp => call.sent,
                    Ending::NotSent => !call.sent,
                }
        };
        let Some(nth) = self.pick(call, may) else {
            return;
        };
        let call = &mut self.calls[nth];
        call.held = false;
        let retry = JobVerdict::Retry {
            after: Duration::from_secs(1),
            error: "gave_up".to_owned(),
        };
        let (settlement, verdict) = match how {
            Ending::Answer => (
                Settlement::Answered {
                    credits: call.arrived.unwrap_or(0),
                },
                JobVerdict::Done,
            ),
            Ending::GiveUp if habits.takes_broken_for_unsent => (Settlement::NotSent, retry),
            Ending::GiveUp => (Settlement::GaveUp, retry),
            Ending::NotSent => (Settlement::NotSent, JobVerdict::Release),
        };
        let mut record = answered(&call.call, 0, "1");
        record.settlement = settlement;
        record.jobs = verdicts(&call.call, &verdict);
        if verdict != JobVerdict::Done {
            record.entries.clear();
            record.outcome = "broken";
        }
        self.world.store.record(&record).await.unwrap();
    }

    /// All that is on its way arrives, and no job was lost.
    pub(super) async fn finish(mut self) -> Result<(), String> {
        self.wait_until(self.now + TimeDelta::hours(2)).await?;
        let jobs = number(
            &self.world.store,
            "select (select count(*) from larder.jobs) + (select count(*) from larder.finished_jobs)",
        )
        .await;
        if jobs != i64::try_from(JOBS).unwrap() {
            return Err(format!("{jobs} jobs are left of {JOBS}"));
        }
        Ok(())
    }
}
