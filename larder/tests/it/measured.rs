//! `larder plan --measured`: what the database has learnt, in place of what was assumed.

use serde_json::Value;
use sqlx::PgPool;

use crate::commands::run;
use crate::runs::errors;

const QUOTES: &str = "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=";

fn plan(pool: &PgPool) -> Value {
    let output = run(pool, &["plan", "--measured", "--json"]);
    assert!(output.status.success(), "{}", errors(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Has the planner pace these of the example's coins.
async fn track(pool: &PgPool, ids: &[u32]) {
    let output = run(pool, &["init"]);
    assert!(output.status.success(), "{}", errors(&output));
    for id in ids {
        let output = run(pool, &["track", &format!("{QUOTES}{id}")]);
        assert!(output.status.success(), "{}", errors(&output));
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_measured_plan_is_made_of_what_is_tracked_and_read(pool: PgPool) {
    track(&pool, &[1, 1027, 52]).await;
    // Read for a day, the first of them a hundred times as often.
    sqlx::query(
        "update larder.resources set created_at = now() - interval '1 day', last_read_at = now(),
             reads_long = case item when '1' then 10000 else 100 end where tracked",
    )
    .execute(&pool)
    .await
    .unwrap();

    let plan = plan(&pool);

    assert_eq!(plan["measured"], true);
    let groups = plan["providers"][0]["groups"].as_array().unwrap();
    let planned: Vec<&Value> = groups
        .iter()
        .filter(|group| group["planned"] == true)
        .collect();
    assert_eq!(planned.len(), 1, "{groups:?}");
    assert_eq!(planned[0]["group"], "coins");
    assert!(
        planned[0]["reads_per_second"].as_f64().unwrap() > 0.01,
        "{planned:?}"
    );
    assert!(planned[0]["credits_a_month"].as_f64().unwrap() > 1.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn demand_that_makes_no_sense_makes_a_sane_plan(pool: PgPool) {
    track(&pool, &[1, 2, 1027, 52]).await;
    sqlx::query(
        "update larder.resources set last_read_at = now(),
             reads_long = case item when '1' then 'NaN' when '2' then '1e308' when '1027' then 'Infinity' else '0'::float8 end,
             reads_recent = case item when '52' then 'NaN' else '0'::float8 end,
             changes = case item when '1' then '-1' when '2' then 'NaN' else '1e308'::float8 end,
             same_secs = case item when '1027' then 'NaN' else '-1'::float8 end
         where tracked",
    )
    .execute(&pool)
    .await
    .unwrap();

    let plan = plan(&pool);

    let forecast = &plan["providers"][0];
    let spent = forecast["credits_a_month"].as_f64().unwrap();
    assert!(spent.is_finite() && spent >= 0.0, "{forecast}");
    assert!(spent <= forecast["budget_credits"].as_f64().unwrap() * 1.001);
}
