//! `tieline run`: the sidecar.

use clap::Args;

use super::config_args::ConfigArgs;
use super::{Application, CommandError};
use crate::config::{self, Severity};

/// Runs the sidecar.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline run --config tieline.yaml
  TIELINE__LISTEN__HEALTH=127.0.0.1:7444 tieline run -c tieline.yaml --set drain_timeout=5s

Exit codes: 0 ended in order, 78 configuration, 74 journal, 70 a bug of ours.")]
pub(super) struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

impl RunArgs {
    pub(super) async fn run(self, application: &dyn Application) -> Result<(), CommandError> {
        let loaded = config::load(&self.config.into_sources()).map_err(CommandError::Config)?;
        for finding in loaded.warnings.all() {
            debug_assert_eq!(finding.severity, Severity::Warning);
            let hint = finding.hint.as_deref().unwrap_or_default();
            tracing::warn!(
                key = finding.key,
                problem = finding.message,
                hint,
                "Configuration"
            );
        }
        // The model holds names of files and variables, never secrets.
        if let Ok(effective) = serde_json::to_string(&loaded.config) {
            tracing::debug!(effective, "Effective configuration");
        }
        application.run(loaded.config).await
    }
}
