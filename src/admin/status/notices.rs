//! [`Notices`]: what other parts of the process have told operators. A slot for each.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// What the header of the console shows of others. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Told>>);

#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) config_hash: String,
    pub(super) reload: Option<LastReload>,
    pub(super) telemetry: Option<String>,
}

/// How the last reload of the configuration ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReload {
    /// When, as RFC 3339.
    pub time: String,
    /// Whether what it holds is in force.
    pub applied: bool,
    /// What was changed, or why nothing was.
    pub message: String,
}

impl Notices {
    /// Nothing was told yet; the configuration in force has this hash.
    #[must_use]
    pub fn new(config_hash: String) -> Self {
        Self(Arc::new(Mutex::new(Told {
            config_hash,
            ..Told::default()
        })))
    }

    /// The configuration was read again. `hash` is that of what is in force now, where it changed.
    pub fn reloaded(&self, reload: LastReload, hash: Option<String>) {
        let mut told = self.0.lock();
        told.reload = Some(reload);
        if let Some(hash) = hash {
            told.config_hash = hash;
        }
    }

    /// Where traces and metrics go, and whether they arrive.
    pub fn telemetry(&self, state: String) {
        self.0.lock().telemetry = Some(state);
    }

    pub(super) fn told(&self) -> Told {
        self.0.lock().clone()
    }
}
