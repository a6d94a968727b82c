//! The disk of Postgres is full.

use std::time::{Duration, Instant};

use crate::chaos::disk::SmallDisk;

use super::{Feeder, PATIENCE, Site, directory, not_run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_loses_no_job() {
    let dir = directory();
    let Some(disk) = SmallDisk::mount(dir.path(), "200m") else {
        not_run("this user may not mount a small file system");
        return;
    };
    let mut site = Site::start(dir.path(), 2).await;
    // Large, so that they need room soon.
    let feeder = Feeder::start(&site, 60_000);
    let done = "select count(*) from larder.finished_jobs";
    site.until("the first jobs end", done, |done| done > 0)
        .await;

    disk.fill();
    let began = Instant::now();
    while feeder.refused() < 5 {
        assert!(began.elapsed() < PATIENCE, "the disk is not full");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    disk.make_room();
    // A server that could not write its log has given up; somebody starts it again.
    site.database.revive(Duration::from_secs(3)).await;

    let before = site.number(done).await.unwrap_or_default();
    site.until("jobs end again", done, |done| done > before)
        .await;
    let accepted = feeder.end();
    site.judge(&accepted).await;
    site.stop().await;
}
