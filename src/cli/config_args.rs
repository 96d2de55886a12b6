//! The arguments by which a command finds its configuration.

use std::path::PathBuf;

use clap::Args;

use crate::config::Sources;
use crate::connectors::platforms;

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", env = "TIELINE_CONFIG")]
    config: PathBuf,
    /// Overrides one key, after file and environment: listen.health=127.0.0.1:7444.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    flags: Vec<String>,
}

impl ConfigArgs {
    pub(super) fn into_sources(self) -> Sources {
        Sources {
            file: self.config,
            // What is not UTF-8 can neither be a key of ours nor a secret that is sent as text.
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            flags: self.flags,
            platforms: platforms(),
        }
    }
}
