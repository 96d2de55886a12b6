//! [`Server`]: a program of others as a process on a port of loopback.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tieline::runtime::MonoTime;

use super::PATIENCE;
use crate::folder::emptied;
use crate::machine::process_time;
use crate::process::Running;

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/benches/peers/install");
/// How often it is looked whether it listens.
const LOOKING: Duration = Duration::from_millis(10);

/// Ends when dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    running: Running,
}

impl Server {
    /// Starts what `command(port)` makes, in an empty folder, and waits until it listens.
    pub(super) fn start(
        folder: &Path,
        command: impl FnOnce(u16) -> Command,
    ) -> anyhow::Result<Self> {
        emptied(folder)?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = folder.join("log");
        let file = File::create(&log)?;
        let mut command = command(address.port());
        command
            .current_dir(folder)
            .stderr(file.try_clone()?)
            .stdout(file);
        let mut server = Self {
            address,
            running: Running::start(&mut command)?,
        };
        let until = MonoTime::now() + PATIENCE;
        while let Err(error) = TcpStream::connect(address) {
            if server.running.has_ended() || MonoTime::now() > until {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let last = said.lines().last().unwrap_or_default();
                return Err(error).with_context(|| format!("it does not listen: {last}"));
            }
            std::thread::park_timeout(LOOKING);
        }
        Ok(server)
    }

    /// Processor time that it has taken.
    pub(super) fn time(&self) -> Duration {
        process_time(self.running.id())
    }
}

/// Where a program is, which is installed if it is not there yet.
pub(super) fn installed(name: &str) -> anyhow::Result<PathBuf> {
    let output = Command::new(INSTALL).arg(name).output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    let last = words.trim().lines().last().unwrap_or_default().to_owned();
    anyhow::ensure!(output.status.success(), "it cannot be installed: {last}");
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}
