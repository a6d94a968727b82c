//! `larder lane`: each test with a database of its own.

use sqlx::PgPool;

use crate::commands::{json, printed, refused};

/// Closes a lane for ten minutes; what is said.
pub(crate) fn close(pool: &PgPool, lane: &str, reason: &str) -> String {
    let arguments = ["lane", "close", lane, "--for", "10m", "--reason", reason];
    printed(pool, &arguments)
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn lanes_are_closed_and_opened(pool: PgPool) {
    printed(&pool, &["init"]);
    let closed = close(&pool, "coinmarketcap", "moving");
    assert_eq!(closed, "lane coinmarketcap is closed for 10m\n");
    let ticked = json(&pool, &["tick", "--json"]);
    assert_eq!(ticked["closed_lanes"][0]["reason"], "moving");
    assert!(printed(&pool, &["budget"]).starts_with("coinmarketcap: closed until 2"));

    let opened = printed(&pool, &["lane", "open", "coinmarketcap"]);
    assert_eq!(opened, "lane coinmarketcap is open\n");
    assert_eq!(
        json(&pool, &["budget", "--json"])["providers"][0]["open"],
        true
    );

    for action in ["open", "close"] {
        let unknown = refused(&pool, &["lane", action, "coingecko"]);
        let expected = "error: there is no lane coingecko\nhelp: there is: coinmarketcap, local\n";
        assert_eq!(unknown, expected);
    }
}

/// Also the one that has no budget, and so stands in no answer of `larder budget`.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn every_lane_is_listed_with_why_it_is_closed(pool: PgPool) {
    printed(&pool, &["init"]);
    let close = ["lane", "close", "local", "--reason", "moving", "--json"];
    assert_eq!(
        json(&pool, &close),
        serde_json::json!({"lane": "local", "open": false})
    );
    let listed = json(&pool, &["lane", "list", "--json"]);
    let local = serde_json::json!(
        {"lane": "local", "open": false, "closed_until": null, "reason": "moving"}
    );
    assert_eq!(listed["lanes"][1], local);
    assert_eq!(listed["lanes"][0]["open"], true);
    let text = printed(&pool, &["lane", "list"]);
    assert!(
        text.contains("local          closed until it is opened (moving)"),
        "{text}"
    );
    let opened = json(&pool, &["lane", "open", "local", "--json"]);
    assert_eq!(opened, serde_json::json!({"lane": "local", "open": true}));
}
