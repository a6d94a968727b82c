//! Exact solutions at 40 digits, of instances from the literature and of random ones.
//!
//! The file says how it was made: rates to 9 digits, prices, index values, estimates.

use serde::Deserialize;
use shared::plan::{Answer, Instance, Objective};

#[derive(Deserialize)]
struct Oracle {
    instances: Vec<serde_json::Value>,
    index_values: Vec<IndexValue>,
}

#[derive(Deserialize)]
struct IndexValue {
    objective: Objective,
    mu: f64,
    delta: f64,
    age: f64,
    #[serde(rename = "W")]
    index: f64,
}

#[derive(Deserialize)]
struct Expected {
    #[serde(flatten)]
    answer: Answer,
    cost_per_read: f64,
}

fn oracle() -> Oracle {
    serde_json::from_str(include_str!("../../fixtures/freshness-oracle.json")).unwrap()
}

/// Off by at most 1e-6, in relative and in absolute terms; the file has 9 decimals.
fn agree(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= (1e-6 * expected.abs()).clamp(1e-9, 1e-6)
}

#[test]
fn every_instance_of_the_oracle_is_solved_to_a_millionth() {
    let mut solved = 0;
    for mut case in oracle().instances {
        let name = case["name"].as_str().unwrap().to_owned();
        for objective in [Objective::Age, Objective::Fresh, Objective::Lag] {
            let expected = case["expected"][objective.as_str()].clone();
            let expected: Expected = serde_json::from_value(expected).unwrap();
            case["objective"] = objective.as_str().into();
            let instance: Instance = serde_json::from_value(case.clone()).unwrap();
            let found = instance.answer().unwrap();
            let of = format!("{name}, {}", objective.as_str());
            assert_eq!(found.status, expected.answer.status, "{of}");
            for (found, expected) in found.rates.iter().zip(&expected.answer.rates) {
                assert!(agree(*found, *expected), "{of}: rate {found} {expected}");
            }
            assert!(
                (found.spend / expected.answer.spend - 1.0).abs() < 1e-6,
                "{of}"
            );
            assert!((found.phi / expected.answer.phi - 1.0).abs() < 1e-6, "{of}");
            match (found.lam, expected.answer.lam) {
                (Some(found), Some(expected)) => {
                    assert!(
                        (found - expected).abs() <= 1e-6 * expected,
                        "{of}: {found} {expected}"
                    );
                }
                (found, expected) => assert_eq!(found, expected, "{of}"),
            }
            let cost = cost_per_read(&instance, &found);
            assert!(
                (cost - expected.cost_per_read).abs() < 1e-6 * cost.max(1.0),
                "{of}: {cost}"
            );
            solved += 1;
        }
    }
    assert_eq!(solved, 33);
}

fn cost_per_read(instance: &Instance, answer: &Answer) -> f64 {
    let costs = (instance.mu.iter().zip(&instance.delta)).zip(&answer.rates);
    let cost = |((mu, delta), rate): ((&f64, &f64), &f64)| match *mu > 0.0 {
        true => mu * instance.objective.cost_per_read(*delta, 1.0 / rate),
        false => 0.0,
    };
    costs.map(cost).sum::<f64>() / instance.mu.iter().sum::<f64>()
}

#[test]
fn every_index_value_of_the_oracle_is_met_to_a_millionth() {
    let values = oracle().index_values;
    assert_eq!(values.len(), 15);
    for value in values {
        let found = value.objective.index(value.mu, value.delta, value.age);
        let off = (found / value.index - 1.0).abs();
        assert!(
            off < 1e-6,
            "{:?} {} {}: {found}",
            value.objective,
            value.delta,
            value.age
        );
    }
}
