//! `tieline completions`: what a shell needs to complete our commands.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, CommandError, Output};

/// Prints a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline completions bash > /etc/bash_completion.d/tieline
  source <(tieline completions zsh)")]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self) -> Result<(), CommandError> {
        // Into memory first: the generator panics when its writer fails.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tieline", &mut script);
        Ok(Output::stdout().text(&String::from_utf8_lossy(&script))?)
    }
}
