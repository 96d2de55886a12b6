//! [`Process`]: one life of the sidecar, as its network and its disk see it.

use std::sync::atomic::{AtomicBool, Ordering};

use tieline::journal::SimulatedDisk;

/// A process is what it can reach: once it is gone, nothing that is left of it is heard or written.
#[derive(Debug)]
pub(crate) struct Process {
    killed: AtomicBool,
    disk: SimulatedDisk,
}

impl Process {
    pub(crate) fn new(disk: SimulatedDisk) -> Self {
        Self {
            killed: AtomicBool::new(false),
            disk,
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.killed.load(Ordering::Relaxed) && !self.disk.is_dead()
    }

    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }
}
