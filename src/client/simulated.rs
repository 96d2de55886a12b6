//! [`SimulatedAddress`]: a server on a network that is simulated.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use crate::runtime::Connection;

type Dialling = Pin<Box<dyn Future<Output = io::Result<Box<dyn Connection>>> + Send>>;
type Dial = dyn Fn() -> Dialling + Send + Sync;

/// A name and how to get there.
#[derive(Clone)]
pub struct SimulatedAddress {
    name: String,
    dial: Arc<Dial>,
}

impl SimulatedAddress {
    /// A server of that name; `dial` makes one connection to it.
    pub fn new(name: &str, dial: impl Fn() -> Dialling + Send + Sync + 'static) -> Self {
        Self {
            name: name.to_owned(),
            dial: Arc::new(dial),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn dial(&self) -> Dialling {
        (self.dial)()
    }
}

impl fmt::Debug for SimulatedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for SimulatedAddress {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dial, &other.dial)
    }
}

impl Eq for SimulatedAddress {}
