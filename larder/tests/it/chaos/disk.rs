//! A small file system for a database, which can be full.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::statvfs;

/// A file system of its own in memory, unmounted when dropped.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    at: PathBuf,
    size: &'static str,
}

impl SmallDisk {
    /// None where mounting is refused.
    pub(crate) fn mount(at: &Path, size: &'static str) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={size},mode=711"))
            .arg("larder")
            .arg(at)
            .output();
        mounted
            .is_ok_and(|mounted| mounted.status.success())
            .then(|| Self {
                at: at.to_owned(),
                size,
            })
    }

    /// Leaves no room beside what is taken.
    pub(crate) fn fill(&self) {
        // It is made smaller: what would fill it is memory that others need. Somebody may take
        // some more in between, and then it is refused.
        while !self.resize(&self.taken().to_string()) {}
    }

    pub(crate) fn make_room(&self) {
        assert!(self.resize(self.size), "there is room for what there was");
    }

    fn taken(&self) -> u64 {
        let now = statvfs(&self.at).unwrap();
        (now.f_blocks - now.f_bfree) * now.f_frsize
    }

    fn resize(&self, size: &str) -> bool {
        let resized = Command::new("mount")
            .args(["-o", &format!("remount,size={size}")])
            .arg(&self.at)
            .output();
        resized.unwrap().status.success()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
