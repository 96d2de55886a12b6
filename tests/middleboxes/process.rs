//! [`Process`]: a child of ours, ended by its own id, whatever happens.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tieline::runtime::Rng;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// No program takes longer to listen, however busy the machine is.
const START: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    id: u32,
}

impl Process {
    /// Starts a program; what it says goes to a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::create(log)?;
        let err = out.try_clone()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {:?}", command.as_std().get_program()))?;
        let id = child.id().context("it runs")?;
        Ok(Self { child, id })
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Waits until somebody listens there.
    pub(crate) async fn listens(&mut self, address: SocketAddr) -> Result<()> {
        let until = Instant::now() + START;
        while TcpStream::connect(address).await.is_err() {
            self.pause(until).await?;
        }
        Ok(())
    }

    /// Waits until its socket is there.
    pub(crate) async fn makes(&mut self, socket: &Path) -> Result<()> {
        let until = Instant::now() + START;
        while !socket.exists() {
            self.pause(until).await?;
        }
        Ok(())
    }

    async fn pause(&mut self, until: Instant) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("process {} ended with {status}", self.id());
        }
        if Instant::now() > until {
            bail!("it does not listen within {START:?}");
        }
        sleep(LOOK).await;
        Ok(())
    }

    pub(crate) async fn end(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// A port that nobody has, nor is given before it is used: systems hand out those above by themselves.
pub(crate) async fn free_port() -> u16 {
    let rng = Rng::from_entropy();
    loop {
        let drawn = 10_000 + u16::try_from(rng.below(22_768)).unwrap_or_default();
        if TcpListener::bind(local(drawn)).await.is_ok() {
            return drawn;
        }
    }
}

pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
