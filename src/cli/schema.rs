//! `tieline schema`: the JSON Schema of the configuration.

use clap::Args;

use super::{CommandError, Output};
use crate::config;

/// Prints the JSON Schema (draft 2020-12) of the configuration.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tieline schema > tieline.schema.json

An editor that knows YAML schemas completes and checks with this first line of the file:
  # yaml-language-server: $schema=tieline.schema.json")]
pub(super) struct SchemaArgs {}

impl SchemaArgs {
    #[expect(clippy::unused_self, reason = "every command has this shape")]
    pub(super) fn run(self) -> Result<(), CommandError> {
        Ok(Output::stdout().text(&config::schema_text())?)
    }
}
