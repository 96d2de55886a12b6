//! `tieline check`: every mistake of a configuration at once.

use clap::{Args, ValueEnum};

use super::config_args::ConfigArgs;
use super::{CommandError, Output};
use crate::config::{self, Loaded, Severity};

/// Checks a configuration and reports every mistake at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline check --config tieline.yaml
  tieline check --config tieline.yaml --format json | jq '.findings[].key'

The smallest file:
  sessions:
    - name: queue-stats
      platform: genesys-events
      endpoint: https://api.example.com
      channels: [routing.queueStats]
      auth:
        grant: client_credentials
        client_id_file: /var/run/secrets/genesys/client-id
        client_secret_file: /var/run/secrets/genesys/client-secret

Exit codes: 0 no errors, 78 errors.")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Check without any connection; this is the default.
    #[arg(long)]
    offline: bool,
    /// Treat warnings as errors.
    #[arg(long)]
    deny_warnings: bool,
    /// How findings are printed.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Human,
    Json,
}

impl CheckArgs {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let findings = match config::load(&self.config.into_sources()) {
            Ok(Loaded { warnings, .. }) => warnings,
            Err(findings) => findings,
        };
        let mut out = Output::stdout();
        match self.format {
            Format::Human => out.line(&findings)?,
            Format::Json => out.line(format_args!("{:#}", findings.to_json()))?,
        }
        out.flush()?;
        let refused =
            findings.has_errors() || (self.deny_warnings && findings.count(Severity::Warning) > 0);
        if refused {
            Err(CommandError::Refused)
        } else {
            Ok(())
        }
    }
}
