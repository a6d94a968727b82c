//! What intervals come of a budget.

use proptest::num::f64::ANY;
use proptest::prelude::*;
use shared::plan::changes::Changes;
use shared::plan::reads::{LONG, ReadCounts};
use shared::plan::{
    Call, Demand, Means, Objective, Observed, Plan, Question, Resource, Status, plan,
};

const DAY: f64 = 86_400.0;

fn resource(reads: f64) -> Resource {
    Resource {
        call: 0,
        reads,
        changes: 1.0 / 3_600.0,
        min_interval: 60.0,
        max_age: None,
        is_cold: false,
        interval: None,
    }
}

/// A plan with so many credits a day, one for ten resources.
fn planned(objective: Objective, resources: &[Resource], credits_a_day: f64) -> Plan {
    let means = Means {
        credits: credits_a_day / DAY,
        calls: 0.5,
    };
    let calls = [Call {
        credits: 1.0,
        items: 10,
    }];
    plan(&Question {
        objective,
        means,
        calls: &calls,
        resources,
        price: None,
    })
    .unwrap()
}

#[test]
fn what_is_read_more_is_refreshed_more_often() {
    let resources: Vec<Resource> = (1..=40)
        .map(|rank| resource(1.0 / f64::from(rank)))
        .collect();
    let plan = planned(Objective::Lag, &resources, 200.0);
    assert_eq!(plan.status, Status::Ok);
    let pairs = plan.resources.windows(2);
    assert!(
        pairs
            .into_iter()
            .all(|pair| pair[0].interval <= pair[1].interval)
    );
    let spend: f64 = plan
        .resources
        .iter()
        .map(|one| 0.1 * DAY / one.interval)
        .sum();
    assert!((spend - 200.0).abs() < 0.1, "{spend}");
}

#[test]
fn what_fits_into_one_call_is_refreshed_together() {
    let resources: Vec<Resource> = (1..=10)
        .map(|rank| resource(1.0 / f64::from(rank)))
        .collect();
    let plan = planned(Objective::Lag, &resources, 200.0);
    assert!((plan.spend * DAY - 200.0).abs() < 1e-3);
    for one in &plan.resources {
        assert!((one.interval - DAY / 200.0).abs() < 1.0, "{}", one.interval);
    }
}

#[test]
fn bounds_that_do_not_fit_are_loosened_by_one_factor_and_said() {
    // 40 resources in 2 minutes need 2,880 calls a day and some; there are 500.
    let bounded = Resource {
        max_age: Some(120.0),
        ..resource(0.1)
    };
    let mut resources = vec![bounded; 40];
    resources.extend(vec![resource(0.1); 40]);
    let plan = planned(Objective::Lag, &resources, 500.0);
    assert!(plan.scale < 0.2, "{}", plan.scale);
    for (resource, one) in resources.iter().zip(&plan.resources) {
        match one.bound {
            Some(bound) => {
                assert_eq!((bound.asked, bound.on_read), (120.0, false));
                assert!(bound.kept > 500.0 && one.interval < bound.kept);
            }
            None => assert_eq!(resource.max_age, None),
        }
        // The rest still gets what the bounds may not take.
        assert!(one.interval < DAY / 10.0, "{}", one.interval);
    }
}

#[test]
fn bounds_of_what_is_hardly_read_are_left_to_its_readers() {
    let bounded = |reads| Resource {
        max_age: Some(1_800.0),
        ..resource(reads)
    };
    let mut resources = vec![bounded(1e-7), bounded(0.1)];
    resources.extend(vec![resource(0.01); 40]);
    let plan = planned(Objective::Lag, &resources, 300.0);
    let bound = |nth: usize| plan.resources[nth].bound.unwrap();
    assert!(bound(0).on_read && bound(0).kept == 1_800.0);
    assert!(!bound(1).on_read && bound(1).kept == 1_800.0);
    assert!(plan.resources[1].interval * 1.1 < 1_800.0);
}

#[test]
fn an_interval_that_hardly_moved_is_left_alone() {
    let mut resources = vec![resource(0.1); 20];
    let first = planned(Objective::Lag, &resources, 200.0);
    assert!(first.resources.iter().all(|one| one.moved));
    for (resource, one) in resources.iter_mut().zip(&first.resources) {
        resource.interval = Some(one.interval);
    }
    assert!(
        planned(Objective::Lag, &resources, 230.0)
            .resources
            .iter()
            .all(|one| !one.moved)
    );
    assert!(
        planned(Objective::Lag, &resources, 300.0)
            .resources
            .iter()
            .all(|one| one.moved)
    );
}

#[test]
fn nobody_reads_and_nothing_is_left_are_sane_plans() {
    for (reads, credits) in [(0.0, 200.0), (0.1, 0.0), (0.0, 0.0)] {
        let plan = planned(Objective::Lag, &vec![resource(reads); 30], credits);
        for one in &plan.resources {
            assert!(
                one.interval >= 3_600.0 && one.interval.is_finite(),
                "{}",
                one.interval
            );
        }
    }
    assert!(planned(Objective::Lag, &[], 100.0).resources.is_empty());
}

#[test]
fn a_budget_without_end_refreshes_as_often_as_is_worth_asking() {
    let plan = planned(Objective::Lag, &vec![resource(0.1); 30], f64::INFINITY);
    let intervals: Vec<f64> = plan.resources.iter().map(|one| one.interval).collect();
    assert_eq!(intervals, vec![60.0; 30]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_plan_has_an_interval_of_zero_or_takes_more_than_there_is(
        resources in prop::collection::vec((0.0..10.0_f64, 0.0..0.1_f64, 0.0..600.0_f64, prop::option::of(1.0..90_000.0_f64), any::<bool>()), 0..60),
        credits in 0.0..100_000.0_f64,
    ) {
        let resources: Vec<Resource> = resources
            .into_iter()
            .map(|(reads, changes, min_interval, max_age, is_cold)| Resource {
                call: 0, reads, changes, min_interval, max_age, is_cold, interval: None,
            })
            .collect();
        let plan = planned(Objective::Lag, &resources, credits);
        prop_assert!(plan.spend * DAY <= credits * (1.0 + 1e-5));
        for (resource, one) in resources.iter().zip(&plan.resources) {
            prop_assert!(one.interval >= resource.min_interval.max(1.0) && one.interval.is_finite());
            prop_assert_eq!(one.bound.map(|bound| bound.asked), resource.max_age);
            prop_assert!(one.bound.is_none_or(|bound| bound.kept >= bound.asked));
        }
    }
    #[test]
    fn whatever_stands_in_the_rows_makes_a_plan(
        rows in prop::collection::vec((written(), written(), written(), written(), written(), written(), written(), any::<bool>()), 1..40),
        objective in prop_oneof![Just(Objective::Age), Just(Objective::Fresh), Just(Objective::Lag)],
    ) {
        let observed: Vec<Observed> = rows
            .into_iter()
            .map(|(long, short, known_for, weight, changed, changed_secs, same_secs, is_dated)| Observed {
                counts: ReadCounts { long, short },
                known_for,
                weight,
                changes: Changes { changed, changed_secs, same_secs },
                is_dated,
            })
            .collect();
        let demand = Demand::of(&observed, LONG, 3_600.0);
        let resources: Vec<Resource> = demand
            .rates
            .iter()
            .map(|rates| Resource { reads: rates.weighted, changes: rates.changes, ..resource(0.0) })
            .collect();
        let plan = planned(objective, &resources, 200.0);
        prop_assert!(plan.spend * DAY <= 200.0 * (1.0 + 1e-5));
        for one in &plan.resources {
            prop_assert!(one.interval >= 60.0 && one.interval.is_finite(), "{}", one.interval);
        }
    }
}

/// What may stand in a column, by us or by anybody.
fn written() -> impl Strategy<Value = f64> {
    prop_oneof![
        ANY,
        Just(0.0),
        Just(1e308),
        Just(f64::INFINITY),
        0.0..1e6_f64,
        0.0..1e-6_f64
    ]
}
