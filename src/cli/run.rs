//! `tieline run`: the sidecar.

use clap::Args;

use super::config_args::ConfigArgs;
use super::{Application, CommandError};
use crate::config;

/// Runs the sidecar.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline run --config tieline.yaml
  TIELINE__LISTEN__HEALTH=127.0.0.1:7444 tieline run -c tieline.yaml --set drain_timeout=5s

A SIGHUP or a changed file: what differs is applied, other sessions go on.

Exit codes: 0 ended in order, 78 configuration, 74 journal, 70 a bug of ours.")]
pub(super) struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

impl RunArgs {
    pub(super) async fn run(self, application: &dyn Application) -> Result<(), CommandError> {
        let sources = self.config.into_sources();
        let loaded = config::load(&sources).map_err(CommandError::Config)?;
        loaded.warnings.log();
        // The model holds names of files and variables, never secrets.
        if let Ok(effective) = serde_json::to_string(&loaded.config) {
            tracing::debug!(effective, "Effective configuration");
        }
        application.run(loaded.config, sources).await
    }
}
