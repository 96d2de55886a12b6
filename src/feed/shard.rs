//! [`Shard`]: static work sharing by the hash of an event's key. Pure.

use super::keys::{Key, Keys};
use crate::journal::Entry;

/// One of several readers that share the events of a journal among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// A shard that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("shard {index} of {count}: the count must be above 0 and the index below the count")]
pub struct InvalidShard {
    index: u32,
    count: u32,
}

impl Shard {
    /// Checks and makes a shard.
    ///
    /// # Errors
    /// When the index is not below the count.
    pub fn new(index: u32, count: u32) -> Result<Self, InvalidShard> {
        if index < count {
            Ok(Self { index, count })
        } else {
            Err(InvalidShard { index, count })
        }
    }

    /// Whether the event's key hashes to this shard.
    pub(super) fn holds(self, keys: &Keys, entry: &Entry) -> bool {
        let key = [Key::Ordering, Key::Subject, Key::Session]
            .into_iter()
            .map(|key| keys.get(key, entry))
            .find(|value| !value.is_empty())
            .unwrap_or_default();
        xxhash_rust::xxh3::xxh3_64(key) % u64::from(self.count) == u64::from(self.index)
    }
}
