//! [`Process`]: the real binary in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tieline::runtime::MonoTime;
use tonic::transport::Channel;

use crate::machine;
use crate::rows::bare_stream;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tieline");
/// What a process does after it has started or worked, it has done by then.
pub(crate) const SETTLING: Duration = Duration::from_millis(700);

const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked whether it listens.
const LOOK: Duration = Duration::from_millis(20);

/// Killed when dropped.
pub(crate) struct Process {
    child: Running,
    socket: PathBuf,
}

impl Process {
    /// Starts with the configuration that is made for a folder of its own and an address to listen
    /// at; it listens when this returns.
    pub(crate) fn start(
        folder: &Path,
        configure: impl FnOnce(&Path, &str) -> anyhow::Result<serde_json::Value>,
    ) -> anyhow::Result<Self> {
        let folder = folder.join("process");
        // A socket's path is short; where the target folder stands is not ours to know.
        let socket = std::env::temp_dir().join(format!("tieline-bench-{}", std::process::id()));
        let config = configure(&folder, &format!("unix:{}", socket.display()))?;
        let file = folder.join("tieline.yaml");
        std::fs::write(&file, config.to_string())?;
        let child = Command::new(BINARY)
            .args(["--log", "error", "run", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()?;
        let child = Running(child);
        let begun = MonoTime::now();
        while !socket.exists() {
            anyhow::ensure!(begun.elapsed() < PATIENCE, "it does not listen");
            std::thread::park_timeout(LOOK);
        }
        Ok(Self { child, socket })
    }

    /// What is resident of it, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        machine::resident(self.child.0.id())
    }

    pub(crate) async fn connect(&self) -> anyhow::Result<Channel> {
        bare_stream::connect(&format!("unix:{}", self.socket.display())).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        std::fs::remove_file(&self.socket).ok();
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed; it is waited for as well.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
