//! Figures of the process as the system sees it, by the names that every exporter has for them. Read
//! from `/proc`; where that cannot be read they are absent.

use std::fs;

use super::family::families;
use crate::runtime::approximate;
use crate::telemetry::metrics::Sheet;

families! {
    CPU: Counter "process_cpu_seconds_total" [] "Processor time used";
    FILES: Gauge "process_open_fds" [] "Open file descriptors";
    MOST_FILES: Gauge "process_max_fds" [] "File descriptors that may be open";
    RESIDENT: Gauge "process_resident_memory_bytes" [] "Resident memory";
    STARTED: Gauge "process_start_time_seconds" [] "When the process began";
    THREADS: Gauge "process_threads" [] "Threads";
    VIRTUAL: Gauge "process_virtual_memory_bytes" [] "Virtual memory";
}

/// Ticks of a second, as Linux tells programs on every architecture that we build for.
const TICKS: f64 = 100.0;

/// Places in `/proc/self/stat` behind the name, which may hold anything.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const THREAD_COUNT: usize = 17;
const START_TICKS: usize = 19;
const VIRTUAL_BYTES: usize = 20;

pub(super) fn put(sheet: &mut Sheet) {
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref() {
        put_stat(sheet, stat);
    }
    let status = fs::read_to_string("/proc/self/status").ok();
    if let Some(resident) = status.as_deref().and_then(resident) {
        sheet.put(&RESIDENT, &[], resident);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // The directory that is read is one of them.
        sheet.put(&FILES, &[], (files.count() as u64).saturating_sub(1));
    }
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(most) = limits.current {
        sheet.put(&MOST_FILES, &[], most);
    }
}

fn put_stat(sheet: &mut Sheet, stat: &str) {
    let Some((_, behind_name)) = stat.rsplit_once(") ") else {
        return;
    };
    let fields: Vec<u64> = behind_name
        .split_ascii_whitespace()
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let field = |at: usize| fields.get(at).copied().unwrap_or(0);
    let used = approximate(field(USER_TICKS) + field(SYSTEM_TICKS));
    sheet.put(&CPU, &[], used / TICKS);
    sheet.put(&THREADS, &[], field(THREAD_COUNT));
    sheet.put(&VIRTUAL, &[], field(VIRTUAL_BYTES));
    if let Some(booted) = booted() {
        sheet.put(
            &STARTED,
            &[],
            booted + approximate(field(START_TICKS)) / TICKS,
        );
    }
}

/// `VmRSS`, in bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn booted() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Value;

    #[test]
    fn what_the_system_says_of_this_process_is_plausible() {
        let mut sheet = Sheet::default();
        put(&mut sheet);
        let value = |wanted: &str| {
            let mut families = sheet.families();
            let found = families.find(|(family, _)| family.name == wanted);
            match &found.unwrap_or_else(|| panic!("no {wanted}")).1[0].value {
                Value::Whole(value) => *value as f64,
                Value::Real(value) => *value,
                Value::Tally(_) => panic!("{wanted} counts by size"),
            }
        };
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
        assert!((1.0..1e6).contains(&value("process_open_fds")));
        assert!(value("process_threads") >= 1.0);
        // Booted and begun after 2020, and not in the future of whoever compiled this.
        assert!((1.5e9..5e9).contains(&value("process_start_time_seconds")));
        assert!(value("process_cpu_seconds_total") >= 0.0);
    }

    #[test]
    fn a_name_with_brackets_hides_nothing() {
        let mut sheet = Sheet::default();
        let fields = "S 1 2 3 4 5 6 7 8 9 10 200 100 0 0 20 0 7 0 500 4096 3 0";
        put_stat(&mut sheet, &format!("1 (a) b) {fields}"));
        let threads = sheet.families().find(|(f, _)| f.name == "process_threads");
        assert_eq!(threads.unwrap().1[0].value, Value::Whole(7));
    }
}
