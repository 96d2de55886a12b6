//! `tieline journal`: looks into a journal that no process has open.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Application, CommandError, JournalAction, Output};

/// Looks into a journal offline.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline journal inspect /var/lib/tieline/default
  tieline journal verify /var/lib/tieline/default --json")]
pub(super) struct JournalArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Shows segments, epoch, ranges and gaps; changes nothing.
    #[command(after_help = "Example:\n  tieline journal inspect /var/lib/tieline/default")]
    Inspect(DirectoryArgs),
    /// Reads every event and checks every checksum; changes nothing. Damage ends with 74.
    #[command(after_help = "Example:\n  tieline journal verify /var/lib/tieline/default")]
    Verify(DirectoryArgs),
    /// Declares a restored journal a new incarnation, so that no position of the old one is
    /// misread in it.
    #[command(after_help = "Example:\n  tieline journal new-epoch /var/lib/tieline/default")]
    NewEpoch(DirectoryArgs),
}

#[derive(Debug, Args)]
struct DirectoryArgs {
    /// The journal's directory.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl JournalArgs {
    pub(super) fn run(self, application: &dyn Application) -> Result<(), CommandError> {
        let (action, args) = match self.action {
            Action::Inspect(args) => (JournalAction::Inspect, args),
            Action::Verify(args) => (JournalAction::Verify, args),
            Action::NewEpoch(args) => (JournalAction::NewEpoch, args),
        };
        let report = application.journal(action, &args.dir)?;
        let mut out = Output::stdout();
        if args.json {
            out.line(format_args!("{:#}", report.json))?;
        } else {
            out.line(report.text.trim_end())?;
        }
        out.flush()?;
        if report.sound {
            Ok(())
        } else {
            let dir = args.dir.display();
            Err(CommandError::Journal(
                format!("the journal in {dir} is damaged").into(),
            ))
        }
    }
}
