//! A group that follows a list, with the provider's own answers.

use crate::rig::{QUOTES, Rig, eventually};

const GROUPS: &str = r#"
[providers.coinmarketcap]

[[track]]
name = "list"
resources = ["coinmarketcap:/v3/cryptocurrency/listings/latest?limit=20"]
every = "15m"

[[track]]
name = "coins"
provider = "coinmarketcap"
endpoint = "quotes_latest"
first = 10
of = "listings_latest"
every = "5m"
"#;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_coins_that_lead_the_list_are_refreshed_by_one_call(pool: sqlx::PgPool) {
    let rig = Rig::with(pool, sandbox::SandboxConfig::default(), &[], GROUPS).await;
    let wanted = rig.setup.catalog.wanted();
    assert_eq!(rig.store.tick(false).await.unwrap().enqueued, 1);
    let worker = rig.worker();
    let count = async |sql: &'static str| -> i64 {
        let count = sqlx::query_scalar(sql).fetch_one(&rig.pool);
        count.await.unwrap()
    };
    let entries = "select count(*) from larder.entries";
    eventually("the list", async || {
        (count(entries).await == 1).then_some(())
    })
    .await;

    rig.store.follow(&wanted).await.unwrap();
    assert_eq!(rig.store.tick(false).await.unwrap().enqueued, 10);
    rig.notify().await;

    eventually("the quotes", async || {
        (count(entries).await == 11).then_some(())
    })
    .await;
    worker.stop().await;
    assert_eq!(rig.arrivals(QUOTES), 1);
    let lead = "select count(*) from larder.entries l, json_array_elements(l.body) with ordinality e(coin, nth)
                join larder.entries q on q.resource_key = 'coinmarketcap:/v3/cryptocurrency/quotes/latest?id=' || (coin ->> 'id')
                where l.endpoint = 'listings_latest' and nth <= 10";
    assert_eq!(count(lead).await, 10);
}
