//! The planner's timer.

use std::time::Duration;

use super::harness::{Server, TestResult, execute, number};

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_enqueuer_plans_what_has_no_pace_of_its_own(pool: sqlx::PgPool) -> TestResult {
    let more = [("LARDER__ENQUEUER__PLAN_EVERY", "1s")];
    let server = Server::start_with(&pool, &more).await;
    execute(
        &server.store,
        "update larder.resources set planned = true where every is not null and item::int <= 100",
    )
    .await;

    let planned = async {
        let sql =
            "select count(*) from larder.plans where planned_at is not null and leased_by is null";
        while number(&server.store, sql).await == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), planned).await?;

    let paced = "select count(*) from larder.resources
                 where planned and planned_cost is not null and every > interval '0'";
    let all = "select count(*) from larder.resources where planned";
    assert!(number(&server.store, all).await > 0);
    assert_eq!(
        number(&server.store, paced).await,
        number(&server.store, all).await
    );
    let others =
        "select count(*) from larder.resources where not planned and planned_cost is not null";
    assert_eq!(
        number(&server.store, others).await,
        0,
        "a pace that was said stays"
    );
    Ok(())
}
