//! Exact solutions at 40 digits, of instances from the literature and of random ones.
//!
//! The file says how it was made: rates to 9 digits, prices, index values, estimates.

use std::time::Duration;

use serde::Deserialize;
use shared::plan::changes::{Changes, compared};
use shared::plan::reads::{ReadCounts, plain_rate};
use shared::plan::{Answer, Instance, Objective};

#[derive(Deserialize)]
struct Oracle {
    instances: Vec<serde_json::Value>,
    index_values: Vec<IndexValue>,
    estimators: Vec<Estimate>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Estimate {
    ChoBiasReduced {
        n: f64,
        changed: f64,
        interval: f64,
        delta: f64,
    },
    DecayedChangedUnchanged {
        #[serde(rename = "X")]
        changed: f64,
        #[serde(rename = "S_changed")]
        changed_secs: f64,
        #[serde(rename = "U_unchanged")]
        same_secs: f64,
        m0: f64,
        delta: f64,
    },
    LastUpdatedCensored {
        obs: Vec<Observation>,
        beta: f64,
        delta: f64,
    },
    EwmaReads {
        events: Vec<f64>,
        tau: f64,
        query_at: f64,
        decayed_count: f64,
        rate: f64,
    },
}

#[derive(Deserialize)]
struct Observation {
    interval: f64,
    age_of_last_change: Option<f64>,
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

#[test]
fn every_estimate_of_the_oracle_is_met_to_a_millionth() {
    let estimates = oracle().estimators;
    assert_eq!(estimates.len(), 13);
    for estimate in estimates {
        let (found, expected) = match estimate {
            Estimate::ChoBiasReduced {
                n,
                changed,
                interval,
                delta,
            } => {
                let same = (n - changed) * interval + interval / 2.0;
                (compared(changed, changed * interval, same), delta)
            }
            Estimate::DecayedChangedUnchanged {
                changed,
                changed_secs,
                same_secs,
                m0,
                delta,
            } => {
                let seen = Changes {
                    changed,
                    changed_secs,
                    same_secs,
                };
                (seen.rate(m0), delta)
            }
            Estimate::LastUpdatedCensored { obs, beta, delta } => {
                // Older observations count less, so the sums are made here.
                let dated = |seen: Changes, one: Observation| {
                    let last = one.age_of_last_change.unwrap_or(f64::INFINITY);
                    let now = Changes::default().after_dated(one.interval, last);
                    Changes {
                        changed: seen.changed + now.changed,
                        same_secs: seen.same_secs + now.same_secs,
                        ..seen
                    }
                };
                let seen = obs.into_iter().fold(Changes::default(), dated);
                (seen.dated_rate(beta / 0.5), delta)
            }
            Estimate::EwmaReads {
                events,
                tau,
                query_at,
                decayed_count,
                rate,
            } => {
                let tau = Duration::from_secs_f64(tau);
                let (mut counts, mut at) = (ReadCounts::default(), 0.0);
                for event in events {
                    counts = counts.after(event - at, 1.0, tau);
                    at = event;
                }
                let counts = counts.after(query_at - at, 0.0, tau);
                assert!(agree(counts.long, decayed_count), "{counts:?}");
                (plain_rate(counts.long, query_at, tau), rate)
            }
        };
        assert!(
            (found - expected).abs() < 1e-6 * expected.max(1e-3),
            "{found} {expected}"
        );
    }
}
