//! Says on what the figures were taken.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// One paragraph: processor, memory, kernel, file system of `folder`, load, build.
pub(crate) fn describe(folder: &Path) -> String {
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "Tieline {} ({}) on {cores} × {processor}, {memory}, {} {kernel}, files on {}, load {load}",
        env!("CARGO_PKG_VERSION"),
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
        std::env::consts::OS,
        file_system(folder).unwrap_or_else(|| "an unknown file system".to_owned()),
    )
}

/// How the threads of a server are called, so that their time can be told from their clients'.
pub(crate) const SERVER: &str = "server";

/// Processor time that the threads of servers and of their journals have taken so far.
pub(crate) fn server_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    let times = tasks.flatten().filter_map(|task| {
        let task = task.path();
        let name = fs::read_to_string(task.join("comm")).ok()?;
        let is_server = name.starts_with(SERVER) || name.starts_with("journal");
        let times = is_server.then(|| fs::read_to_string(task.join("schedstat")).ok())??;
        times.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

/// Processor time that this thread has taken so far.
pub(crate) fn thread_time() -> Duration {
    let times = read("/proc/thread-self/schedstat");
    let nanos = times.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// Processor time that a process has taken so far, to the hundredth of a second.
pub(crate) fn process_time(process: u32) -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let stat = read(&format!("/proc/{process}/stat"));
    // Behind the name, which may hold anything: utime and stime are its fields 14 and 15.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks = fields.filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK.saturating_mul(ticks)
}

/// What is resident of a process, in bytes.
pub(crate) fn resident(process: u32) -> u64 {
    memory(process, "VmRSS")
}

/// The most that was ever resident of a process, in bytes.
pub(crate) fn peak(process: u32) -> u64 {
    memory(process, "VmHWM")
}

fn memory(process: u32, name: &str) -> u64 {
    let kilobytes = field(&format!("/proc/{process}/status"), name);
    let kilobytes = kilobytes.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = read("/proc/mounts");
    let parts = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let holding = parts.filter(|p| p.get(1).is_some_and(|mount| folder.starts_with(mount)));
    let nearest = holding.max_by_key(|p| p.get(1).map_or(0, |mount| mount.len()))?;
    nearest.get(2).map(|&kind| kind.to_owned())
}
