//! Reports as text for a terminal.

use std::fmt;

use super::report::{Finding, Report, Verification};

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
        Ok(())
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
        for run in &self.erased {
            writeln!(f, "erased     {} to {}", run.first, run.last)?;
        }
        if self.is_sound() {
            return writeln!(f, "every checksum is right, and no number is missing");
        }
        for finding in &self.findings {
            writeln!(f, "damage     {finding}")?;
        }
        Ok(())
    }
}
