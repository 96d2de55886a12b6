//! The words between the subscription machine and its shell: terms, moments, steps. Pure.

use std::time::Duration;

use super::delivery::{Delivery, Opened};
use super::error::FeedError;
use super::gather::Gather;
use super::request::{End, Policy, Selection};
use crate::domain::{Sequence, WallTime};
use crate::journal::DurableEnd;
use crate::runtime::MonoTime;

/// Bytes that one read from disk asks for.
pub(super) const WINDOW: usize = 256 << 10;

/// What a subscription is to do, decided before it begins.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) policy: Policy,
    pub(super) end: Option<End>,
    pub(super) selection: Selection,
    pub(super) gather: Gather,
    pub(super) linger: Duration,
    pub(super) replay_rate: u32,
    pub(super) opened: Opened,
    /// Delays that are told when the stream is ended, jittered by the caller.
    pub(super) drain_delay: Duration,
    pub(super) age_delay: Duration,
}

/// What is known at the time of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: MonoTime,
    pub(super) wall: WallTime,
    pub(super) end: DurableEnd,
    pub(super) draining: bool,
    pub(super) forced: bool,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Step {
    /// Send this.
    Emit(Delivery),
    /// Read from disk and answer with [`Subscription::read`]. Steps may go on meanwhile.
    Read { after: Sequence },
    /// Ask the ring and answer with [`Subscription::followed`].
    Follow { after: Sequence },
    /// Nothing to do before then, or before the end of the journal or the drain moves.
    Wait { until: MonoTime },
    /// The stream is over.
    End(Result<(), FeedError>),
}

/// The name of a state, for status and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateName {
    /// Reading history.
    Replaying,
    /// At the live edge.
    Live,
    /// About to end.
    Closing,
}
