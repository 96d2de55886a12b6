//! `tieline version`.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{CommandError, Output};

/// Prints the version.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline version
  tieline version --format json")]
pub(super) struct VersionArgs {
    /// How it is printed.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Human,
    Json,
}

impl VersionArgs {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let version = env!("CARGO_PKG_VERSION");
        let text = match self.format {
            Format::Human => format!("tieline {version}\n"),
            Format::Json => {
                format!(
                    "{}\n",
                    json!({
                        "name": "tieline",
                        "version": version,
                        "api": "tieline.v1",
                        "os": std::env::consts::OS,
                        "architecture": std::env::consts::ARCH,
                    })
                )
            }
        };
        Ok(Output::stdout().text(&text)?)
    }
}
