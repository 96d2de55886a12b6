//! [`Lease`]: what a stream that reads by a cursor holds of it.

use tokio::sync::watch;

use super::asks::Cursors;
use super::error::CursorError;
use crate::domain::{Sequence, SubscriptionName};

/// The right to commit, as long as nobody else has it.
#[derive(Debug)]
pub(in crate::feed) struct Lease {
    pub(in crate::feed) name: SubscriptionName,
    pub(in crate::feed) number: u64,
    /// Told why it is another's now, upon which the stream ends.
    pub(in crate::feed) told: watch::Receiver<Option<CursorError>>,
    pub(super) cursors: Cursors,
}

impl Lease {
    /// The stream was ended by us, after everything up to `through` was given to its reader.
    pub(in crate::feed) fn cut_at(&self, through: Sequence) {
        self.cursors.owes(&self.name, self.number, through);
    }
}
