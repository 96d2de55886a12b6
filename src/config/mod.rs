//! The configuration: gathers the settings of each module, loads, layers and checks them.
//!
//! A file is read into a tree that knows the place of each key; environment (`TIELINE__LISTEN__HEALTH`)
//! and flags (`--set listen.health=…`) are put over it; the JSON Schema of the model is checked
//! against the tree, then what it means. Every mistake is collected, with its key, place, value and
//! mend; a value that may be a secret is never shown.

mod address;
mod check;
mod difference;
mod findings;
mod forms;
mod hash;
mod key;
mod load;
mod model;
mod overrides;
mod redact;
mod schema;
mod structure;
mod suggest;
#[cfg(test)]
mod tests;
mod tree;
mod yaml;

pub use address::{InvalidListenAddress, ListenAddress};
pub use check::proxy as trusted_proxy;
pub use difference::{Changed, Difference};
pub use findings::{Code, Finding, Findings, Place, Severity};
pub use load::{Loaded, Sources, load, load_text};
pub use model::{Config, LimitsConfig, ListenConfig, PeerLimitsConfig};
pub use overrides::PREFIX as OVERRIDE_PREFIX;
pub use schema::{schema, schema_text};
