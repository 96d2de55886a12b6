//! What goes into the order and what comes out of it.

use super::Missing;
use crate::domain::Sequence;

/// A place in a platform's numbering.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// Counts how often the platform's numbers began anew.
    pub numbering: u64,
    /// Every number up to this was journaled, is in `missing`, or was skipped by the platform.
    pub cursor: u64,
    /// Numbers at or below the cursor that never came.
    pub missing: Missing,
}

/// All events that share one number.
#[derive(Debug, Clone)]
pub struct Unit<T> {
    /// Their number.
    pub number: u64,
    /// The events.
    pub payload: T,
    /// How many they are.
    pub events: usize,
    /// How many bytes.
    pub bytes: usize,
    /// Hash of their bytes.
    pub hash: u64,
}

/// What became of an offered unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// Released, in order.
    Accepted,
    /// Seen before: dropped.
    Duplicate,
    /// Released although its turn is over: its gap was confirmed, or the platform had skipped it.
    Late,
    /// Waits behind a hole.
    Held,
}

/// A unit whose turn has come.
#[derive(Debug, Clone)]
pub struct Released<T> {
    /// Its number.
    pub number: u64,
    /// Its events.
    pub payload: T,
    /// The confirmed gap that it comes too late for (U17).
    pub late: Option<Sequence>,
}
