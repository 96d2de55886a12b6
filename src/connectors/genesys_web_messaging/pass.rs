//! [`Pass`]: the JWT that opens the history, from the link that asks for it to those who read.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::WallTime;
use crate::runtime::Secret;

/// The newest JWT of a session. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Pass(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    jwt: Option<Jwt>,
    issued: u64,
    readers: usize,
}

/// A JWT.
#[derive(Debug, Clone)]
pub(super) struct Jwt {
    pub(super) text: Secret<String>,
    /// When it expires, by the platform's clock.
    pub(super) expires: Option<WallTime>,
    /// Rises with every one that came.
    pub(super) number: u64,
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.0.lock();
        f.debug_struct("Pass")
            .field("jwt", &held.jwt)
            .field("readers", &held.readers)
            .finish()
    }
}

impl Pass {
    /// A new one came.
    pub(super) fn put(&self, text: Secret<String>, expires: Option<WallTime>) {
        let mut held = self.0.lock();
        held.issued += 1;
        let number = held.issued;
        held.jwt = Some(Jwt {
            text,
            expires,
            number,
        });
    }

    /// The platform gives none.
    pub(super) fn clear(&self) {
        self.0.lock().jwt = None;
    }

    pub(super) fn get(&self) -> Option<Jwt> {
        self.0.lock().jwt.clone()
    }

    /// When it expires, while somebody reads with it.
    pub(super) fn read_until(&self) -> Option<WallTime> {
        let held = self.0.lock();
        let jwt = held.jwt.as_ref().filter(|_| held.readers > 0)?;
        jwt.expires
    }

    /// Begins to read: until it is dropped, the JWT is kept fresh.
    pub(super) fn reader(&self) -> Reader {
        self.0.lock().readers += 1;
        Reader(self.clone())
    }
}

/// Somebody who reads.
#[derive(Debug)]
pub(super) struct Reader(Pass);

impl Drop for Reader {
    fn drop(&mut self) {
        let mut held = self.0.0.lock();
        held.readers = held.readers.saturating_sub(1);
    }
}
