//! What the store is told of a provider is what the file says.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::budget::{LaneSpec, LimitWindow};
use shared::catalog::Catalog;
use shared::config::Secrets;

use super::source;

fn lanes(file: &str) -> Vec<LaneSpec> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("larder.toml"), file).unwrap();
    let (catalog, _) = Catalog::load(&source(directory.path(), &[])).unwrap();
    let secrets = Secrets::read(&BTreeMap::new(), []).unwrap();
    catalog.lanes(&secrets)
}

#[test]
fn a_lane_is_what_the_configuration_says() {
    let lanes = lanes(
        r#"
[providers.coinmarketcap.budget]
readers_share = 0.25
breaker_failures = 3
breaker_pause = "20s"
breaker_max_pause = "10m"
[providers.coinmarketcap.limits.month]
soft = true
[providers.plain]
base_url = "http://127.0.0.1:8082/api"
[providers.plain.limits.window]
unit = "requests"
cap = 9
window = { discovered = true }
[[providers.plain.rate_limits]]
limit = "window"
reset = "x-reset"
format = "delta_s"
"#,
    );
    let [coinmarketcap, plain] = lanes.as_slice() else {
        panic!("{lanes:?}");
    };
    assert_eq!(coinmarketcap.host, "pro-api.coinmarketcap.com:443");
    assert!((coinmarketcap.readers_share - 0.25).abs() < f64::EPSILON);
    assert_eq!(coinmarketcap.breaker_failures, 3);
    assert_eq!(coinmarketcap.breaker_pause, Duration::from_secs(20));
    assert_eq!(coinmarketcap.breaker_max_pause, Duration::from_secs(600));
    let endpoint = coinmarketcap.usage_endpoint.as_ref().unwrap();
    assert_eq!(endpoint.as_str(), "key_info");
    let soft: Vec<_> = coinmarketcap
        .limits
        .iter()
        .map(|limit| (limit.name.as_str(), limit.cap, limit.soft))
        .collect();
    assert_eq!(
        soft,
        [
            ("in_flight", 4, false),
            ("minute", 45, false),
            ("month", 15_000, true)
        ]
    );

    assert_eq!(plain.host, "127.0.0.1:8082");
    assert_eq!(plain.usage_endpoint, None);
    assert_eq!(plain.limits[0].window, LimitWindow::Discovered);
}
