//! How much may wait in a session, at each place where events wait: behind a hole, for the journal, for the
//! history, for another connection.

/// Events that wait in one place.
pub(in crate::session) const MOST_EVENTS: usize = 10_000;
/// Their bytes.
pub(in crate::session) const MOST_BYTES: usize = 16 << 20;
