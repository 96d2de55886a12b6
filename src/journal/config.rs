//! Settings of a journal.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::JournalName;
use crate::runtime::{ByteSize, HumanDuration};

/// One entry of `journals`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// The journal's name; `journals/{name}` in the API.
    #[schemars(with = "String")]
    pub name: JournalName,
    /// Directory of the journal. Created with mode 0700 when it does not exist.
    pub path: PathBuf,
    /// What is kept of an event.
    #[serde(default)]
    pub store: StoreConfig,
    /// When events are deleted.
    #[serde(default)]
    pub retention: RetentionConfig,
}

/// What is kept of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreConfig {
    /// The normalized form and the provider's bytes.
    #[default]
    Full,
    /// The normalized form alone, where there is one.
    Normalized,
    /// The provider's bytes alone.
    Raw,
}

/// When events are deleted. Whole segments go, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Events older than this are deleted.
    pub max_age: HumanDuration,
    /// The oldest events are deleted when the journal is larger than this.
    pub max_bytes: ByteSize,
    /// The bound that nothing exceeds, whatever a cursor holds back.
    pub hard_max_bytes: ByteSize,
    /// The oldest events are deleted when the volume has less free space than this.
    pub min_free_bytes: ByteSize,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            max_age: HumanDuration::from_secs(72 * 3600),
            max_bytes: ByteSize::from_mib(2048),
            hard_max_bytes: ByteSize::from_mib(3072),
            min_free_bytes: ByteSize::from_mib(256),
        }
    }
}
