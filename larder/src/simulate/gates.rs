//! What the planner is held to, and what it came to.
//!
//! The figures are for the reference world at 100 times the readers, 1,000,000 reads a month.

use serde::Serialize;
use shared::plan::{Objective, SolveError};

use super::planner::{Scenario, Spent, simulate};
use super::world::World;
use super::{fixed_interval, offline_limit};

/// Seconds from one plan to the next in the months beside the main one.
const RARELY: f64 = 1_800.0;

/// One figure with its bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// What it is.
    pub name: &'static str,
    /// What it came to.
    pub value: f64,
    /// What it must not pass; `at_least` says to which side.
    pub bound: f64,
    /// Whether the bound is the least; the most otherwise.
    pub at_least: bool,
    /// Whether it is met.
    pub met: bool,
}

impl Gate {
    fn most(name: &'static str, value: f64, bound: f64) -> Self {
        Self {
            name,
            value,
            bound,
            at_least: false,
            met: value <= bound,
        }
    }

    fn least(name: &'static str, value: f64, bound: f64) -> Self {
        Self {
            name,
            value,
            bound,
            at_least: true,
            met: value >= bound,
        }
    }
}

/// All figures for one objective.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gates(pub Vec<Gate>);

impl Gates {
    /// How many months [`Gates::of`] runs.
    pub const MONTHS: usize = 5;

    /// Whether all are met.
    pub fn are_met(&self) -> bool {
        self.0.iter().all(|gate| gate.met)
    }

    /// Runs the months that they need. `main` is the one at the usual number of readers.
    ///
    /// # Errors
    ///
    /// [`SolveError`] for a world without sense.
    pub fn of(
        scenario: &Scenario,
        world: &World,
        main: &Spent,
        readers: f64,
        each_day: &(dyn Fn() + Sync),
    ) -> Result<Self, SolveError> {
        let objective = scenario.objective;
        let limit = offline_limit(world, objective)?;
        let own = |tally: &super::Tally| {
            let seen = tally.seen();
            match objective {
                Objective::Age => seen.mean_age_minutes,
                Objective::Lag => seen.mean_lag_minutes,
                Objective::Fresh => 1.0 - seen.fresh,
            }
        };
        let (fixed, _) = fixed_interval(world);
        let scenarios = [
            (World::reference(readers / 100.0, world.seed), *scenario),
            (World::reference(readers * 10.0, world.seed), *scenario),
            // It is held to the age, so it is planned for the age.
            (
                world.clone().with_burst(),
                Scenario {
                    objective: Objective::Age,
                    ..*scenario
                },
            ),
            (world.clone().with_unread(), *scenario),
            (world.clone().with_bounds(), *scenario),
        ];
        let [few, many, burst, unread, bounded] = at_once(scenarios, each_day)?;
        let months = [main, &few, &many, &burst, &unread, &bounded];
        let most = months.iter().map(|month| month.credits).fold(0.0, f64::max);
        let fill = |month: &Spent| month.slots as f64 / month.credits / world.batch as f64;
        let ratio = match objective {
            Objective::Age => ("age after day 3, of the offline limit", 1.03),
            Objective::Lag => ("lag after day 3, of the offline limit", 1.04),
            Objective::Fresh => ("stale reads after day 3, of the offline limit", 1.10),
        };
        let fresher = match objective {
            Objective::Fresh => 1.8,
            Objective::Age | Objective::Lag => 2.0,
        };
        Ok(Self(vec![
            Gate::most("credits of the dearest month", most, world.credits),
            Gate::least(
                "batch fill",
                months.map(fill).into_iter().fold(1.0, f64::min),
                0.98,
            ),
            Gate::most(ratio.0, own(&main.learnt) / limit, ratio.1),
            Gate::least(
                "times fresher than a fixed interval",
                own(&fixed) / own(&main.all),
                fresher,
            ),
            Gate::most(
                "credits at 1,000 times the readers, off",
                (many.credits / few.credits - 1.0).abs(),
                0.01,
            ),
            Gate::most(
                "age in a burst, in age mode, minutes",
                burst.burst.seen().mean_age_minutes,
                3.0,
            ),
            Gate::most(
                "share of slots for what is never read",
                unread.unread_slots as f64 / unread.learnt_slots as f64,
                0.02,
            ),
            Gate::most("bounded reads served late", bounded.late as f64, 0.0),
        ]))
    }
}

/// Runs months beside each other, planned a little less often than the main one.
fn at_once(
    months: [(World, Scenario); Gates::MONTHS],
    each_day: &(dyn Fn() + Sync),
) -> Result<[Spent; Gates::MONTHS], SolveError> {
    let run = |(world, scenario): &(World, Scenario)| {
        let scenario = Scenario {
            plan_every: scenario.plan_every.max(RARELY),
            ..*scenario
        };
        simulate(world, &scenario, each_day)
    };
    let results = std::thread::scope(|scope| {
        let threads = months
            .each_ref()
            .map(|month| scope.spawn(move || run(month)));
        threads.map(|thread| thread.join().unwrap_or_else(|_| Ok(Spent::default())))
    });
    let mut spent: [Spent; Gates::MONTHS] = std::array::from_fn(|_| Spent::default());
    for (place, result) in spent.iter_mut().zip(results) {
        *place = result?;
    }
    Ok(spent)
}
