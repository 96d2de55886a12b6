//! What is measured: latencies, resident memory, open files; medians, percentiles, slopes. Pure but for
//! [`look`].

use std::time::Duration;

use anyhow::{Context, Result};

/// How late events came, each with the moment of the soak.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<(u32, u32)>);

/// Median and 99th percentile, in milliseconds.
pub(crate) struct Percentiles(pub(crate) f64, pub(crate) f64);

impl Latencies {
    pub(crate) fn take(&mut self, at: Duration, latency: Duration) {
        let millis = u32::try_from(at.as_millis()).unwrap_or(u32::MAX);
        let micros = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        self.0.push((millis, micros));
    }

    /// Of those that came within a part of the soak.
    pub(crate) fn within(&self, from: Duration, to: Duration) -> Percentiles {
        let range = from.as_millis()..to.as_millis();
        let within = self
            .0
            .iter()
            .filter(|(at, _)| range.contains(&u128::from(*at)));
        let mut micros: Vec<u32> = within.map(|(_, micros)| *micros).collect();
        micros.sort_unstable();
        let at = |share: f64| {
            let index = (micros.len() as f64 * share) as usize;
            micros
                .get(index)
                .map_or(0.0, |micros| f64::from(*micros) / 1e3)
        };
        Percentiles(at(0.5), at(0.99))
    }
}

/// What the process took at one moment.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    /// Resident memory, in MiB.
    pub(crate) resident: f64,
    /// Of it what is its own: neither pages of the program nor of its files.
    pub(crate) own: f64,
    pub(crate) files: usize,
}

/// Looks at a process.
pub(crate) fn look(process: u32, at: Duration) -> Result<Sample> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let mebibytes = |what: &'static str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(what));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(number.context(what)?.parse::<f64>()? / 1024.0)
    };
    Ok(Sample {
        at,
        resident: mebibytes("VmRSS:")?,
        own: mebibytes("RssAnon:")?,
        files: std::fs::read_dir(format!("/proc/{process}/fd"))?.count(),
    })
}

/// The median of each, of a part of the soak; `None` if nobody looked then.
pub(crate) fn medians(samples: &[Sample], from: Duration, to: Duration) -> Option<Sample> {
    let within = samples
        .iter()
        .filter(|sample| (from..to).contains(&sample.at));
    let within: Vec<_> = within.copied().collect();
    let middle = |of: fn(&Sample) -> f64| {
        let mut all: Vec<_> = within.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    };
    Some(Sample {
        at: from,
        resident: middle(|sample| sample.resident)?,
        own: middle(|sample| sample.own)?,
        files: middle(|sample| sample.files as f64)? as usize,
    })
}

/// How fast resident memory grows from some moment on, in MiB an hour: the straight line that fits best.
pub(crate) fn slope(samples: &[Sample], from: Duration) -> f64 {
    let points = samples.iter().filter(|sample| sample.at >= from);
    let points: Vec<_> = points
        .map(|sample| (sample.at.as_secs_f64() / 3_600.0, sample.resident))
        .collect();
    let count = points.len().max(1) as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let along = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y));
    let square = points.iter().map(|(x, _)| (x - mean_x).powi(2));
    let (along, square) = (along.sum::<f64>(), square.sum::<f64>());
    if square > 0.0 { along / square } else { 0.0 }
}
