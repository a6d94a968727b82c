//! A small month, planned by the real planner.

use larder::simulate::{Scenario, World, fixed_interval, offline_limit, simulate};
use shared::plan::Objective;

/// The 200 most read items of the reference world, ten a credit, and a tenth of the budget.
fn small(seed: u64) -> World {
    let mut world = World::reference(20.0, seed);
    world.reads.truncate(200);
    world.changes.truncate(200);
    world.max_age.truncate(200);
    World { batch: 10, ..world }
}

const LAG: Scenario = Scenario {
    objective: Objective::Lag,
    plan_every: 3_600.0,
    triggers: false,
};

#[test]
fn a_planned_month_is_near_the_best_and_within_its_credits() {
    let world = small(7);
    let month = simulate(&world, &LAG, &|| ()).unwrap();
    assert!(month.credits <= world.credits);
    assert!(month.slots as f64 >= 0.98 * 10.0 * month.credits);
    let lag = month.learnt.seen().mean_lag_minutes;
    let limit = offline_limit(&world, Objective::Lag).unwrap();
    assert!(lag < 1.06 * limit, "{lag} {limit}");
    let (fixed, credits) = fixed_interval(&world);
    assert!(credits <= world.credits);
    assert!(fixed.seen().mean_lag_minutes > 1.5 * lag, "{lag}");
}

#[test]
fn a_month_is_the_same_for_the_same_seed() {
    let run = || {
        let month = simulate(&small(3), &LAG, &|| ()).unwrap();
        (
            month.credits,
            month.slots,
            month.rewritten,
            month.all.seen(),
        )
    };
    assert_eq!(run(), run());
}

#[test]
fn bounds_hold_to_the_end_of_the_month() {
    let mut world = small(5);
    for nth in (0..200).step_by(20) {
        world.max_age[nth] = Some(3_600.0);
    }
    let month = simulate(&world, &LAG, &|| ()).unwrap();
    assert!(month.bounded_reads > 1_000);
    assert_eq!(month.late, 0);
}

#[test]
fn reads_that_wait_for_calls_make_the_month_fresher_and_cost_nothing_more() {
    let world = small(7);
    let triggers = Scenario {
        triggers: true,
        ..LAG
    };
    let (without, with) = (
        simulate(&world, &LAG, &|| ()).unwrap(),
        simulate(&world, &triggers, &|| ()).unwrap(),
    );
    assert!(with.credits <= world.credits);
    let lag = |month: &larder::simulate::Spent| month.learnt.seen().mean_lag_minutes;
    assert!(
        lag(&with) < lag(&without),
        "{} {}",
        lag(&with),
        lag(&without)
    );
    // A call waits for whole calls of reads at most: few readers wait.
    assert!(with.triggered > 0 && (with.triggered as f64) < with.credits);
    assert_eq!(without.triggered, 0);
}
