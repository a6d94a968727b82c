//! Workers whose clocks are wrong by ten minutes.

use std::collections::HashSet;

use crate::chaos::crew::clock_is_off;
use crate::chaos::process::faketime;

use super::{Feeder, Site, directory, not_run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_are_ten_minutes_off_change_nothing() {
    if faketime().is_none() {
        not_run("libfaketime is not installed (scripts/install-faketime)");
        return;
    }
    let dir = directory();
    let mut site = Site::start(dir.path(), 0).await;
    site.hire(-600);
    site.hire(600);
    let enqueue =
        "select larder.enqueue('noop', run_at => clock_timestamp() + make_interval(secs => n))
                   from generate_series(1, 8) n";
    let later: Vec<uuid::Uuid> = sqlx::query_scalar(enqueue)
        .fetch_all(&site.pool)
        .await
        .unwrap();
    let feeder = Feeder::start(&site, 100);
    let ended =
        "select count(*) from larder.finished_jobs where run_at > created_at + interval '1 second'";
    site.until("the later ones end", ended, |ended| ended >= 7)
        .await;
    let mut accepted: HashSet<_> = feeder.end();
    accepted.extend(later);
    site.judge(&accepted).await;
    let wrong = "select count(*) from larder.finished_jobs
                 where started_at < run_at or rescues > 0 or completed_at > clock_timestamp()";
    assert_eq!(site.number(wrong).await, Some(0));
    for worker in &site.workers {
        assert!(clock_is_off(worker), "{}", worker.said());
    }
    site.stop().await;
}
