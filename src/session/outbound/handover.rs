//! [`Handover`]: whether a frame was given to its socket. Decided once, by whoever is first: the socket
//! that begins to write it, or the session that takes it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const OPEN: u8 = 0;
const BEGUN: u8 = 1;
const REVOKED: u8 = 2;

/// One frame's way from the session to the socket. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Handover(Arc<AtomicU8>);

impl Handover {
    /// The socket is about to be given the first byte; `false` where it must not be any more.
    #[must_use]
    pub fn begin(&self) -> bool {
        self.decide(BEGUN)
    }

    /// Takes the frame back; `false` where bytes of it may have left.
    #[must_use]
    pub fn revoke(&self) -> bool {
        self.decide(REVOKED)
    }

    fn decide(&self, end: u8) -> bool {
        let order = (Ordering::AcqRel, Ordering::Acquire);
        let set = self.0.compare_exchange(OPEN, end, order.0, order.1);
        set.is_ok() || set == Err(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u36_a_frame_is_either_written_or_taken_back() {
        let first = Handover::default();
        assert!(first.begin());
        assert!(!first.revoke());
        let second = Handover::default();
        assert!(second.revoke());
        assert!(!second.begin());
    }
}
