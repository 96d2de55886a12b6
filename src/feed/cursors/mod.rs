//! Managed cursors: positions that are kept for readers who cannot keep their own.
//!
//! [`Cursor`] says what may move one, [`Drafts`] what a run of changes makes of all of them; both are
//! pure. One task for each journal, [`Feed::keep_cursors`], takes whatever has come together, decides,
//! makes it durable with one append, and only then answers: commits of many callers share one sync.
//!
//! They are kept as state of their journal, in commits that carry no events, and not in a store of
//! their own. A position means something in one incarnation of one journal alone, and so it is
//! restored, copied and deleted with it; a cursor can never be ahead of the events that it counts;
//! and there is one file to sync, one recovery, and one set of simulated crashes that has tried it.
//! The price: each commit that moves a cursor takes some hundred bytes of what retention allows, and a
//! journal that takes no appends takes no commits. Nor does it give out leases then, for a right that
//! a crash forgets is none.

mod asks;
mod cursor;
mod desk;
mod drafts;
mod error;
mod lease;
mod ledger;
mod stored;
#[cfg(test)]
mod tests;

pub use self::cursor::Cursor;
pub use self::error::CursorError;
pub use self::ledger::CursorNames;

pub(super) use self::asks::Cursors;
pub(super) use self::lease::Lease;

/// Cursors that one journal keeps at most: all of them are written again with every new segment.
pub const MOST_CURSORS: usize = 1000;
