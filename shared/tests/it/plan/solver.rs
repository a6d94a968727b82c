//! What must hold for the solution of any instance.

use proptest::prelude::*;
use shared::plan::{Item, Objective, SolveError, Status, solve, solve_near};

/// A number of any magnitude, at times 0.
fn magnitude(decades: f64) -> impl Strategy<Value = f64> {
    prop_oneof![
        1 => Just(0.0),
        9 => (-decades..decades).prop_map(|power| 10_f64.powf(power)),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    let least = prop_oneof![Just(0.0), 1e-3..1.0_f64];
    let room = prop_oneof![Just(f64::INFINITY), Just(0.0), 0.0..10.0_f64];
    let cost = (-2.0..2.0_f64).prop_map(|power| 10_f64.powf(power));
    (magnitude(6.0), magnitude(6.0), cost, least, room).prop_map(
        |(reads, changes, cost, min_rate, room)| Item {
            reads,
            changes,
            cost,
            min_rate,
            max_rate: min_rate + room,
        },
    )
}

fn instance() -> impl Strategy<Value = (Objective, Vec<Item>, f64)> {
    let objective = prop_oneof![
        Just(Objective::Age),
        Just(Objective::Fresh),
        Just(Objective::Lag)
    ];
    let budget = (-4.0..4.0_f64).prop_map(|power| 10_f64.powf(power));
    (objective, prop::collection::vec(item(), 0..30), budget)
}

/// What the last refresh of an item is worth for each unit that it costs.
fn worth(objective: Objective, item: &Item, rate: f64) -> f64 {
    objective.index(item.reads, item.changes, 1.0 / rate) / item.cost
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rates_stay_in_their_boxes_and_cost_no_more_than_the_budget((objective, items, budget) in instance()) {
        let found = solve(objective, &items, budget).unwrap();
        let spend: f64 = items.iter().zip(&found.rates).map(|(item, rate)| item.cost * rate).sum();
        prop_assert!(spend <= budget * (1.0 + 1e-9), "{spend} of {budget}");
        prop_assert!((spend - found.spend).abs() <= 1e-9 * budget);
        if found.status == Status::Ok {
            prop_assert!(spend >= budget * (1.0 - 1e-9), "{spend} of {budget}");
        }
        for (item, rate) in items.iter().zip(&found.rates) {
            prop_assert!(*rate >= item.min_rate * found.scale * (1.0 - 1e-12));
            prop_assert!(*rate <= item.max_rate);
        }
    }

    /// The conditions of Karush, Kuhn and Tucker: within its box every item's last refresh
    /// is worth the price, at the lower end no more, at the upper end no less.
    #[test]
    fn no_refresh_could_be_moved_to_where_it_is_worth_more((objective, items, budget) in instance()) {
        let found = solve(objective, &items, budget).unwrap();
        let (Status::Ok, Some(price)) = (found.status, found.price) else { return Ok(()) };
        for (item, rate) in items.iter().zip(&found.rates) {
            let worth = worth(objective, item, *rate);
            if *rate > item.min_rate * (1.0 + 1e-9) {
                prop_assert!(worth >= price * (1.0 - 1e-6), "{item:?} {rate}: {worth} {price}");
            }
            if *rate < item.max_rate * (1.0 - 1e-9) {
                prop_assert!(worth <= price * (1.0 + 1e-6), "{item:?} {rate}: {worth} {price}");
            }
        }
    }

    #[test]
    fn a_larger_budget_refreshes_nothing_less_often((objective, items, budget) in instance()) {
        let less = solve(objective, &items, budget).unwrap();
        let more = solve(objective, &items, budget * 1.5).unwrap();
        for (less, more) in less.rates.iter().zip(&more.rates) {
            prop_assert!(*more >= less * (1.0 - 1e-9), "{less} {more}");
        }
    }

    #[test]
    fn where_the_search_starts_changes_next_to_nothing((objective, items, budget) in instance(), near in magnitude(9.0)) {
        let plain = solve(objective, &items, budget).unwrap();
        let near = solve_near(objective, &items, budget, Some(near)).unwrap();
        for (plain, near) in plain.rates.iter().zip(&near.rates) {
            prop_assert!((plain - near).abs() <= 2e-6 * budget.max(*plain), "{plain} {near}");
        }
    }
}

fn one(reads: f64, changes: f64) -> Item {
    Item {
        reads,
        changes,
        cost: 1.0,
        min_rate: 0.0,
        max_rate: f64::INFINITY,
    }
}

#[test]
fn what_means_nothing_is_refused_with_its_place() {
    let fine = one(1.0, 1.0);
    let bad = [
        (
            "reads",
            Item {
                reads: f64::NAN,
                ..fine
            },
        ),
        (
            "changes",
            Item {
                changes: -1.0,
                ..fine
            },
        ),
        ("cost", Item { cost: 0.0, ..fine }),
        (
            "cost",
            Item {
                cost: f64::INFINITY,
                ..fine
            },
        ),
        (
            "the least rate",
            Item {
                min_rate: f64::INFINITY,
                ..fine
            },
        ),
        (
            "the greatest rate",
            Item {
                min_rate: 2.0,
                max_rate: 1.0,
                ..fine
            },
        ),
        (
            "the greatest rate",
            Item {
                max_rate: f64::NAN,
                ..fine
            },
        ),
    ];
    for (expected, item) in bad {
        match solve(Objective::Lag, &[fine, item], 1.0) {
            Err(SolveError::Value { index: 1, name, .. }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    for budget in [f64::NAN, -1.0, f64::INFINITY] {
        assert!(matches!(
            solve(Objective::Age, &[fine], budget),
            Err(SolveError::Budget(_))
        ));
    }
}

#[test]
fn corner_cases_have_sane_plans() {
    let nothing = solve(Objective::Lag, &[], 5.0).unwrap();
    assert_eq!((nothing.status, nothing.spend), (Status::Saturated, 0.0));

    let unread = solve(Objective::Lag, &[one(0.0, 1.0); 3], 5.0).unwrap();
    assert_eq!((unread.status, unread.spend), (Status::Saturated, 0.0));

    let no_budget = solve(Objective::Age, &[one(1.0, 1.0)], 0.0).unwrap();
    assert_eq!(no_budget.rates, [0.0]);

    // All of the budget for one item, however steep: x = 1,000 is far beyond what the
    // price could express.
    let steep = solve(Objective::Fresh, &[one(3.0, 1_000.0)], 1.0).unwrap();
    assert!((steep.rates[0] - 1.0).abs() < 1e-9);

    // The same with a budget that is nothing beside what the price could buy.
    let steeper = solve(Objective::Fresh, &[one(6e5, 2e5), one(2e-3, 1e-3)], 4e-11).unwrap();
    assert!(
        (steeper.spend / 4e-11 - 1.0).abs() < 1e-9,
        "{}",
        steeper.spend
    );

    // The least rates take the whole budget, to the last digit.
    let least = |min_rate: f64| Item {
        min_rate,
        ..one(1.0, 1.0)
    };
    let exact = solve(Objective::Lag, &[least(0.1), least(0.2), least(0.3)], 0.6).unwrap();
    assert_eq!(exact.status, Status::Ok);
    assert!((exact.rates[2] - 0.3).abs() < 1e-12);
}
