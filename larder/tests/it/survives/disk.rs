//! The disk of Postgres is full.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Feeder, PATIENCE, Site, directory, not_run};

/// A file system of its own in memory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where mounting is refused.
    fn mount(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=200m,mode=711", "larder"])
            .arg(at)
            .output();
        mounted
            .is_ok_and(|mounted| mounted.status.success())
            .then(|| Self(at.to_owned()))
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut ballast = File::create(self.0.join("ballast")).unwrap();
        for size in [1 << 20, 4096, 1] {
            let block = vec![0; size];
            while ballast.write_all(&block).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_loses_no_job() {
    let dir = directory();
    let Some(disk) = SmallDisk::mount(dir.path()) else {
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
