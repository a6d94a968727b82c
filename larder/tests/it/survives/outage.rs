//! Postgres is killed without a checkpoint, and comes back at once, after a while, or late.

use std::time::Duration;

use crate::chaos::database::Restart;

use super::{Feeder, Site, directory};

const DONE: &str = "select count(*) from larder.finished_jobs";

async fn is_survived(away: Duration) {
    let dir = directory();
    let mut site = Site::start(dir.path(), 2).await;
    let feeder = Feeder::start(&site, 100);
    site.until("the first jobs end", DONE, |done| done > 0)
        .await;

    site.database.away(Restart::Immediate, away).await;

    let before = site.number(DONE).await.unwrap_or_default();
    site.until("jobs end again", DONE, |done| done > before)
        .await;
    let refused = feeder.refused();
    assert!(away.is_zero() || refused > 0, "nobody noticed");
    // Some that were put in after it.
    let then = feeder.fed.lock().unwrap().accepted.len();
    while feeder.fed.lock().unwrap().accepted.len() < then + 10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let accepted = feeder.end();
    site.judge(&accepted).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_killed_and_back_at_once_loses_no_job() {
    is_survived(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_killed_and_back_after_5_seconds_loses_no_job() {
    is_survived(Duration::from_secs(5)).await;
}

/// Takes more than a minute: `scripts/chaos` runs it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes more than a minute; scripts/chaos runs it"]
async fn a_postgres_that_is_killed_and_back_after_a_minute_loses_no_job() {
    is_survived(Duration::from_secs(60)).await;
}
