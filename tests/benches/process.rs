//! The real binary as a process of its own, with sessions that are connected.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tieline::runtime::MonoTime;
use tonic::transport::Channel;

use crate::machine::{peak, process_time, resident};
use crate::rows::bare_stream::connect;
use crate::sidecar::settings;
use crate::source::{Source, Upstream};

/// The binary that is measured.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tieline");

/// Something that is started listens by then.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether it does.
const LOOKING: Duration = Duration::from_millis(1);

/// Killed when dropped, however far it came.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Starts a program that reads nothing from us.
    pub(crate) fn start(command: &mut Command) -> std::io::Result<Self> {
        command.stdin(Stdio::null()).spawn().map(Self)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed; it is waited for as well.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The binary and its platform.
pub(crate) struct Process {
    child: Option<Running>,
    variables: Vec<(&'static str, String)>,
    config: PathBuf,
    socket: PathBuf,
    /// One for each session.
    pub(crate) upstreams: Vec<Upstream>,
    source: Source,
}

impl Process {
    /// Starts in an empty folder with so many sessions, and waits until they have subscribed.
    pub(crate) fn start(folder: &Path, sessions: usize) -> anyhow::Result<Self> {
        let folder = folder.join("process");
        let source = Source::start()?;
        let settings = settings(&folder, Some(&source), "")?;
        Self::with(&folder, source, multiplied(settings, sessions))
    }

    /// Starts with this configuration, but for where it listens.
    pub(crate) fn with(folder: &Path, source: Source, config: Value) -> anyhow::Result<Self> {
        Self::seen(folder, source, config, Vec::new())
    }

    /// The same with these variables in its environment.
    pub(crate) fn seen(
        folder: &Path,
        source: Source,
        mut config: Value,
        variables: Vec<(&'static str, String)>,
    ) -> anyhow::Result<Self> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        // A socket's path is short; where the target folder stands is not ours to know.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("tieline-bench-{}-{number}", std::process::id());
        let socket = std::env::temp_dir().join(name);
        if let Some(grpc) = config.pointer_mut("/listen/grpc") {
            *grpc = json!([format!("unix:{}", socket.display())]);
        }
        let file = folder.join("tieline.yaml");
        std::fs::write(&file, config.to_string())?;
        let sessions = config.pointer("/sessions").and_then(Value::as_array);
        let sessions = sessions.map_or(0, Vec::len);
        let mut process = Self {
            child: None,
            variables,
            config: file,
            socket,
            upstreams: Vec::new(),
            source,
        };
        process.spawn()?;
        for _ in 0..sessions {
            process.upstreams.push(process.source.upstream()?);
        }
        Ok(process)
    }

    /// Starts it, again on what is there; does not wait until it listens.
    pub(crate) fn spawn(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(BINARY);
        command
            .args(["--log", "error", "run", "--config"])
            .arg(&self.config)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        self.child = Some(Running::start(&mut command)?);
        Ok(())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.upstreams.clear();
        self.child = None;
    }

    /// What is resident of it.
    pub(crate) fn resident(&self) -> u64 {
        resident(self.id())
    }

    /// The most that was ever resident of it.
    pub(crate) fn peak(&self) -> u64 {
        peak(self.id())
    }

    /// Processor time that it has taken.
    pub(crate) fn time(&self) -> Duration {
        process_time(self.id())
    }

    fn id(&self) -> u32 {
        self.child.as_ref().map_or(0, Running::id)
    }

    /// Where it serves gRPC.
    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// Connects as soon as it listens.
    pub(crate) async fn connect(&mut self) -> anyhow::Result<Channel> {
        let address = self.address();
        let until = MonoTime::now() + PATIENCE;
        loop {
            match connect(&address).await {
                Ok(channel) => return Ok(channel),
                Err(error) => {
                    let ended = self.child.as_mut().is_none_or(Running::has_ended);
                    anyhow::ensure!(!ended, "it ended by itself");
                    anyhow::ensure!(MonoTime::now() < until, "it does not listen: {error:#}");
                    std::thread::park_timeout(LOOKING);
                }
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        std::fs::remove_file(&self.socket).ok();
    }
}

/// The configuration with its one session so many times.
fn multiplied(mut config: Value, times: usize) -> Value {
    if let Some(sessions) = config
        .pointer_mut("/sessions")
        .and_then(Value::as_array_mut)
        && let Some(session) = sessions.pop()
    {
        let named = |number: usize| {
            let mut session = session.clone();
            if let Some(name) = session.get_mut("name") {
                *name = json!(format!("bench-{number}"));
            }
            session
        };
        sessions.extend((0..times).map(named));
    }
    config
}
