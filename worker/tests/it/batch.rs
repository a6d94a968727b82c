//! Many resources, one call.

use std::time::Duration;

use sqlx::PgPool;

use crate::rig::{KEY, QUOTES, Rig, http_client};
use crate::rows::{becomes, calls, ended, number, settled};

fn tracked(ids: std::ops::Range<u32>) -> String {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    format!(
        "[[track]]\nname = \"coins\"\nprovider = \"coinmarketcap\"\nendpoint = \"quotes_latest\"\n\
         every = \"5m\"\nparameters = {{ id = [{}] }}\n",
        ids.join(", ")
    )
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn two_hundred_and_fifty_due_resources_cost_one_credit_and_one_call(pool: PgPool) {
    let config = tracked(900_001..900_251);
    let rig = Rig::with(pool, Default::default(), &[], &config).await;
    let ticked = rig.store.tick(false).await.unwrap();
    assert_eq!(ticked.enqueued, 250);
    let worker = rig.worker();

    let fresh = "select count(*) from larder.cache where is_fresh";
    becomes(&rig.pool, fresh, 250).await;
    worker.stop().await;

    let counted = rig.upstream.total();
    assert_eq!((counted.requests, counted.credits), (1, 1));
    let calls = calls(&rig.pool).await;
    assert_eq!((calls.len(), calls[0].credits), (1, Some(1)));
    // Every entry is the answer for its own id, with a price, and nothing is due again.
    let right = "select count(*) from larder.cache
                 where resource_key = 'coinmarketcap:/v3/cryptocurrency/quotes/latest?id=' || (body ->> 'id')
                   and body::text like '%\"price\"%' and fresh_until > fetched_at + interval '4 minutes'";
    assert_eq!(number(&rig.pool, right).await, 250);
    assert_eq!(rig.store.tick(false).await.unwrap().due, 0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_entry_holds_what_the_provider_sent(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let quote = rig.quote(1);
    let job = rig.enqueue(vec![quote.clone()]).await[0];
    let worker = rig.worker();
    assert_eq!(ended(&rig, job).await.status, "completed");
    worker.stop().await;

    let sent: serde_json::Value = http_client()
        .get(format!("{}{QUOTES}?id=1", rig.sandbox.url()))
        .header("X-CMC_PRO_API_KEY", KEY)
        .send()
        .await
        .map(|reply| reply.bytes())
        .unwrap()
        .await
        .map(|body| serde_json::from_slice(&body).unwrap())
        .unwrap();
    let entry = rig.store.entries(&[quote.key]).await.unwrap().remove(0);
    let kept: serde_json::Value = serde_json::from_str(entry.body.get()).unwrap();
    for name in ["id", "name", "symbol", "slug", "max_supply"] {
        assert_eq!(kept[name], sent["data"][0][name], "{name}");
    }
    assert!(entry.ttl_secs > 0.0 && entry.age_secs < Duration::from_secs(60).as_secs_f64());
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_id_that_does_not_exist_fails_and_the_rest_of_its_batch_completes(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let jobs = rig
        .enqueue(vec![rig.quote(1), rig.quote(77_777_777), rig.quote(1027)])
        .await;
    let worker = rig.worker();
    let calls = settled(&rig, 1).await;
    worker.stop().await;

    assert_eq!(calls[0].outcome.as_deref(), Some("ok"));
    assert_eq!(ended(&rig, jobs[0]).await.status, "completed");
    assert_eq!(ended(&rig, jobs[2]).await.status, "completed");
    let missing = ended(&rig, jobs[1]).await;
    assert_eq!((missing.status.as_str(), missing.attempt), ("failed", 1));
    assert!(missing.error.unwrap().starts_with("not_found"));
    assert_eq!(rig.arrivals(QUOTES), 1);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_is_due_soon_rides_along_for_nothing(pool: PgPool) {
    let config = tracked(900_001..900_101);
    let rig = Rig::with(pool, Default::default(), &[], &config).await;
    // One of a hundred is asked for; the others have no job.
    let job = rig.enqueue(vec![rig.quote(900_050)]).await[0];
    let worker = rig.worker();
    ended(&rig, job).await;
    worker.stop().await;
    let counted = rig.upstream.total();
    assert_eq!((counted.requests, counted.credits), (1, 1));
    let fresh = "select count(*) from larder.cache where is_fresh";
    assert_eq!(number(&rig.pool, fresh).await, 100);
    assert_eq!(rig.store.tick(false).await.unwrap().due, 0);
}
