//! Reports as text for a terminal.

use std::fmt;

use super::report::{Finding, GapReport, Report, Verification};

/// Runs of erased events that are shown.
const MOST_RUNS: usize = 20;

fn or_none(text: Option<&String>) -> &str {
    text.map_or("-", String::as_str)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "directory  {}", self.path.display())?;
        if let Some(holder) = &self.holder {
            writeln!(f, "open in    {holder}")?;
        }
        writeln!(f, "epoch      {}", or_none(self.epoch.as_ref()))?;
        writeln!(f, "created    {}", or_none(self.create_time.as_ref()))?;
        if let Some(cause) = &self.new_epoch {
            writeln!(f, "next start begins a new epoch: {cause}")?;
        }
        let count = (self.latest + 1).saturating_sub(self.earliest);
        writeln!(
            f,
            "events     {count}: {} to {}",
            self.earliest, self.latest
        )?;
        let (from, to) = (
            or_none(self.earliest_time.as_ref()),
            or_none(self.latest_time.as_ref()),
        );
        writeln!(f, "recorded   {from} to {to}")?;
        writeln!(
            f,
            "size       {} bytes in {} segments",
            self.size_bytes,
            self.segments.len()
        )?;
        for segment in &self.segments {
            let form = if segment.sealed { "sealed" } else { "open" };
            writeln!(
                f,
                "  {}  epoch {}  {} to {}  {} of {} bytes  {form}",
                segment.file,
                segment.epoch,
                segment.first,
                segment.last,
                segment.data_bytes,
                segment.file_bytes,
            )?;
        }
        let partial = if self.state_is_partial {
            ", incomplete"
        } else {
            ""
        };
        writeln!(f, "state      {} keys{partial}", self.state.len())?;
        for entry in &self.state {
            writeln!(
                f,
                "  {}  {} bytes  at {}",
                entry.key, entry.bytes, entry.sequence
            )?;
        }
        for gap in &self.gaps {
            writeln!(f, "gap        {} to {} cannot be read", gap.first, gap.last)?;
        }
        let goes_on = match self.holder {
            Some(_) => "being erased",
            None => "erased from the next start on",
        };
        erasures(f, &self.erased, "erased")?;
        erasures(f, &self.erasing, goes_on)
    }
}

/// How many events, and where the first of them are.
fn erasures(f: &mut fmt::Formatter<'_>, runs: &[GapReport], what: &str) -> fmt::Result {
    if runs.is_empty() {
        return Ok(());
    }
    let count: u64 = runs.iter().map(GapReport::count).sum();
    writeln!(
        f,
        "erasure    {count} events in {} runs, {what}",
        runs.len()
    )?;
    for run in runs.iter().take(MOST_RUNS) {
        writeln!(f, "  {} to {}", run.first, run.last)?;
    }
    match runs.len().saturating_sub(MOST_RUNS) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more; --json names all"),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        if let Some(offset) = self.offset {
            write!(f, "at byte {offset}: ")?;
        }
        f.write_str(self.problem)?;
        match &self.lost {
            Some(lost) => write!(f, "; lost are {} to {}", lost.first, lost.last),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)?;
        if self.is_sound() {
            return writeln!(f, "every checksum is right, and no number is missing");
        }
        for finding in &self.findings {
            writeln!(f, "damage     {finding}")?;
        }
        Ok(())
    }
}
