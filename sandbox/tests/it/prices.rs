//! Prices hold for their step, and follow the seed.

use chrono::{DateTime, TimeDelta, Utc};
use sandbox::SandboxConfig;

use crate::caller::{Caller, LONG_MS, quiet};

const QUOTES: &str = "/v3/cryptocurrency/quotes/latest?id=1,1027,825,900001";

fn prices(data: &serde_json::Value) -> Vec<f64> {
    let coins = data.as_array().unwrap().iter();
    coins
        .map(|coin| coin["quote"][0]["price"].as_f64().unwrap())
        .collect()
}

#[tokio::test]
async fn two_reads_of_one_step_are_identical_and_those_of_the_next_differ() {
    let caller = Caller::quiet().await;
    let first = caller.get(QUOTES).await.data();
    assert_eq!(first, caller.get(QUOTES).await.data());
    let step = TimeDelta::milliseconds(i64::try_from(LONG_MS).unwrap());
    caller.handle.set_clock_offset(step);
    let next = caller.get(QUOTES).await.data();
    for (before, after) in prices(&first).iter().zip(prices(&next)) {
        assert_ne!(*before, after);
    }
    let updated = |data: &serde_json::Value| -> DateTime<Utc> {
        data[0]["quote"][0]["last_updated"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    assert_eq!(
        updated(&first).timestamp_millis(),
        i64::try_from(LONG_MS).unwrap()
    );
    assert_eq!(updated(&next) - updated(&first), step);
}

#[tokio::test]
async fn prices_follow_the_seed_alone() {
    let with_seed = |seed| async move {
        let caller = Caller::start(SandboxConfig { seed, ..quiet() }).await;
        prices(&caller.get(QUOTES).await.data())
    };
    assert_eq!(with_seed(1).await, with_seed(1).await);
    assert_ne!(with_seed(1).await, with_seed(2).await);
}
