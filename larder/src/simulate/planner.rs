//! The planner at work: reads are counted, intervals planned, calls filled.

use shared::plan::changes::Changes;
use shared::plan::pace::{enough, next_after, patience};
use shared::plan::reads::{LONG, ReadCounts, has_outgrown};
use shared::plan::trigger::{Bucket, FOR_LATE, FOR_PACE};
use shared::plan::{
    COLD_AFTER, Call, Demand, Means, Objective, Observed, Question, Resource, SolveError, Window,
    plan,
};

use super::copies::Copies;
use super::random::Random;
use super::schedule::Schedule;
use super::tally::Tally;
use super::world::{MONTH, World};

/// Seconds within which asking again buys nothing, and for which nothing is filled in.
const MIN_INTERVAL: f64 = 60.0;

/// Seconds after which it is seen that a plan is out of date.
const LOOK_EVERY: f64 = 15.0;

/// From here on it is not learning any more that is measured.
const LEARNT: f64 = 3.0 * DAY;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// How a month is run.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What the plan makes least.
    pub objective: Objective,
    /// Seconds from one plan to the next.
    pub plan_every: f64,
    /// Whether reads of unusually old copies wait for a call.
    pub triggers: bool,
}

/// What a month came to.
#[derive(Debug, Clone, Default)]
pub struct Spent {
    /// What readers saw.
    pub all: Tally,
    /// The same from day 3 on.
    pub learnt: Tally,
    /// The same for the item of the burst, while it lasts.
    pub burst: Tally,
    /// Credits spent.
    pub credits: f64,
    /// Items fetched.
    pub slots: u64,
    /// Items fetched, from day 3 on, that nobody ever reads.
    pub unread_slots: u64,
    /// Items fetched from day 3 on.
    pub learnt_slots: u64,
    /// Reads of what has a bound.
    pub bounded_reads: u64,
    /// Such reads that waited for a refresh.
    pub waited: u64,
    /// Reads that waited for a refresh because the copy was unusually old.
    pub triggered: u64,
    /// Such reads that were served what is older than its bound.
    pub late: u64,
    /// Intervals that were rewritten.
    pub rewritten: u64,
    /// Plans that were made.
    pub plans: u64,
}

/// Runs a month. Everything that the planner knows it learns from reads and refreshes. Tells
/// `each_day` when one of its 30 days is over.
///
/// # Errors
///
/// [`SolveError`] for a world without sense.
pub fn simulate(
    world: &World,
    scenario: &Scenario,
    each_day: &(dyn Fn() + Sync),
) -> Result<Spent, SolveError> {
    let mut run = Run::new(world, *scenario);
    let mut readers = world.readers();
    let mut next_plan = 0.0;
    let mut next_day = DAY;
    loop {
        let next_call = run.next_call();
        let at = readers.at().min(next_call).min(next_plan);
        while next_day <= at.min(MONTH) {
            each_day();
            next_day += DAY;
        }
        if at >= MONTH {
            return Ok(run.spent);
        }
        run.now = at;
        if at == next_call {
            run.call(None);
        } else if at == next_plan {
            run.plan()?;
            next_plan = at + scenario.plan_every;
        } else if run.read(readers.read()) {
            next_plan = next_plan.min(at + LOOK_EVERY);
        }
    }
}

struct Run<'a> {
    world: &'a World,
    scenario: Scenario,
    now: f64,
    copies: Copies,
    schedule: Schedule,
    rows: Vec<Row>,
    price: Option<f64>,
    memory: std::time::Duration,
    random: Random,
    /// Tokens and threshold, and of when they are.
    bucket: (Bucket, f64),
    spent: Spent,
}

/// What a resource's row holds.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    counts: ReadCounts,
    counted_at: f64,
    last_read: f64,
    changes: Changes,
    interval: Option<f64>,
    /// Reads per second that the interval was planned for.
    planned_for: f64,
    /// What chance has said of its next refresh.
    chance: f64,
}

impl<'a> Run<'a> {
    fn new(world: &'a World, scenario: Scenario) -> Self {
        Self {
            world,
            scenario,
            now: 0.0,
            copies: Copies::of(world),
            schedule: Schedule::new(world.items()),
            rows: vec![Row::default(); world.items()],
            price: None,
            memory: LONG,
            random: Random::new(world.seed ^ 0x5eed_0f00_0000_0004),
            bucket: (Bucket::new(0.0), 0.0),
            spent: Spent::default(),
        }
    }

    /// When the next call at the plan's pace is made: never without a credit.
    fn next_call(&self) -> f64 {
        if self.spent.credits + 1.0 > self.world.credits {
            return f64::INFINITY;
        }
        let (worth, late) = self.schedule.next_call(enough(self.world.batch));
        let at = match self.scenario.triggers {
            false => worth.min(late),
            true => {
                let (bucket, at) = self.bucket;
                let there = |tokens| at + bucket.secs_until(tokens, self.rate());
                worth.max(there(FOR_PACE)).min(late.max(there(FOR_LATE)))
            }
        };
        at.max(self.now)
    }

    /// Calls a second that are planned.
    fn rate(&self) -> f64 {
        let left = (self.world.credits - self.spent.credits).max(0.0);
        left / (MONTH - self.now).max(3_600.0)
    }

    fn bucket(&self) -> Bucket {
        let (bucket, at) = self.bucket;
        bucket.after(self.now - at, self.rate())
    }

    /// Makes a call, filled with what is due next; `first` goes with it in any case.
    fn call(&mut self, first: Option<usize>) {
        let may = |item: &usize| {
            Some(*item) != first
                && (!self.copies.is_there(*item)
                    || self.copies.age(*item, self.now) >= MIN_INTERVAL)
        };
        let room = self.world.batch - usize::from(first.is_some());
        let filled: Vec<usize> = self.schedule.soonest().filter(may).take(room).collect();
        self.spent.credits += 1.0;
        self.bucket = (self.bucket().spent(1.0), self.now);
        for item in first.into_iter().chain(filled) {
            self.fetch(item);
        }
    }

    fn fetch(&mut self, item: usize) {
        let row = &mut self.rows[item];
        if self.copies.is_there(item) {
            let interval = self.copies.age(item, self.now);
            let has_changed = self.copies.lag(item, self.now) > 0.0;
            row.changes = row.changes.after(interval, has_changed);
        }
        row.chance = self.random.unit();
        self.copies.fetch(item, self.now);
        self.spent.slots += 1;
        if self.now >= LEARNT {
            self.spent.learnt_slots += 1;
            self.spent.unread_slots += u64::from(self.world.reads[item] <= 0.0);
        }
        self.reschedule(item);
    }

    fn reschedule(&mut self, item: usize) {
        let row = &self.rows[item];
        let Some(interval) = row.interval else {
            // Before the first plan: as usual for all.
            let usual = self.usual();
            let late = usual + patience(usual, false);
            self.schedule.set(item, self.now + usual, self.now + late);
            return;
        };
        let is_bounded = self.world.max_age[item].is_some();
        let after = next_after(interval, is_bounded, row.chance);
        let due = self.copies.fetched(item) + after;
        let late = due + patience(interval, is_bounded);
        self.schedule.set(item, due, late);
    }

    /// The interval at which all are refreshed if the budget is spread evenly.
    fn usual(&self) -> f64 {
        let calls = self.world.items() as f64 / self.world.batch as f64;
        calls * MONTH / self.world.credits
    }

    /// A read; whether it shows that the plan is out of date.
    fn read(&mut self, item: usize) -> bool {
        let now = self.now;
        let row = &mut self.rows[item];
        row.counts = row.counts.after(now - row.counted_at, 1.0, self.memory);
        row.counted_at = now;
        row.last_read = now;
        let outgrown = has_outgrown(row.counts.short, row.planned_for);
        if let Some(bound) = self.world.max_age[item] {
            self.spent.bounded_reads += 1;
            if self.copies.age(item, now) > bound {
                if self.spent.credits + 1.0 <= self.world.credits {
                    self.spent.waited += 1;
                    self.call(Some(item));
                } else {
                    self.spent.late += 1;
                }
            }
        }
        if self.scenario.triggers && self.fires(item) {
            self.spent.triggered += 1;
            self.bucket.0 = self.bucket.0.fired(0.0);
            self.call(Some(item));
        }
        let (age, lag) = (self.copies.age(item, now), self.copies.lag(item, now));
        self.spent.all.read(age, lag);
        if now >= LEARNT {
            self.spent.learnt.read(age, lag);
        }
        let in_burst =
            |burst: &super::Burst| burst.item == item && (burst.start..burst.end).contains(&now);
        if self.world.burst.as_ref().is_some_and(in_burst) {
            self.spent.burst.read(age, lag);
        }
        outgrown
    }

    /// Whether a read of an item waits for a call, within the budget.
    fn fires(&mut self, item: usize) -> bool {
        let age = self.copies.age(item, self.now);
        self.bucket = (self.bucket(), self.now);
        age >= MIN_INTERVAL
            && self.spent.credits + 1.0 <= self.world.credits
            && self.bucket.0.fires(age)
    }

    fn plan(&mut self) -> Result<(), SolveError> {
        let (now, memory) = (self.now, self.memory);
        let observed: Vec<Observed> = (self.rows.iter())
            .map(|row| Observed {
                counts: row.counts.after(now - row.counted_at, 0.0, memory),
                known_for: now,
                weight: 1.0,
                changes: row.changes,
                is_dated: false,
            })
            .collect();
        let demand = Demand::of(&observed, memory, self.usual());
        self.memory = demand.memory;
        let month = Window {
            is_credits: true,
            cap: self.world.credits,
            left: self.world.credits - self.spent.credits,
            resets_in: MONTH - now,
            length: MONTH,
            readers_share: 0.0,
        };
        let resources: Vec<Resource> = (self.rows.iter().zip(&demand.rates))
            .zip(&self.world.max_age)
            .map(|((row, rates), max_age)| Resource {
                call: 0,
                reads: rates.weighted,
                changes: rates.changes,
                min_interval: MIN_INTERVAL,
                max_age: *max_age,
                is_cold: now - row.last_read > COLD_AFTER,
                interval: row.interval,
            })
            .collect();
        let planned = plan(&Question {
            objective: self.scenario.objective,
            means: Means::of(&[month]),
            calls: &[Call {
                credits: 1.0,
                items: self.world.batch,
            }],
            resources: &resources,
            price: self.price,
        })?;
        self.price = planned.price.or(self.price);
        self.spent.plans += 1;
        for (item, planned) in planned.resources.iter().enumerate() {
            self.rows[item].planned_for = demand.rates[item].reads;
            if planned.moved {
                self.spent.rewritten += 1;
                self.rows[item].interval = Some(planned.interval);
                if self.copies.is_there(item) {
                    self.reschedule(item);
                }
            }
        }
        Ok(())
    }
}
