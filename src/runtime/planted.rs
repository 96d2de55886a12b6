//! [`Mistake`]: mistakes that systems like this one had, made on purpose, so that the simulation can
//! show that it would find each. Without the feature `testing` nothing of it is left.

/// A mistake, and where it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mistake {
    /// Journal: commits are told to everybody before they are synced.
    VisibleBeforeSynced,
    /// Journal: a sync that failed is tried again, and believed.
    SyncTriedAgain,
    /// Journal: a new segment is synced, its name is not.
    NameNotSynced,
    /// Journal: the segment that a restart begins does not repeat the state.
    SnapshotWithoutState,
    /// Journal: recovery serves events whose commit was never completed.
    TornCommitAccepted,
    /// Journal: a full disk is tried again when the clock says so, which may be set back.
    NoSpaceWaitsByTheClock,
    /// Session: numbers at or below the cursor are taken for new.
    DuplicateAccepted,
    /// Session: numbers that are missing between others are passed over.
    HoleNotNoticed,
    /// Session: numbers that begin again are taken for repetitions for ever.
    RenumberingNotNoticed,
    /// Session: a hole is given up without a word.
    GapWithoutRecord,
    /// Session: an open gap is not kept for the time after a crash.
    GapInMemoryAlone,
    /// Session: what fills a hole is handed on in the wrong order.
    FilledOutOfOrder,
    /// Session: what follows a repeated event in its batch is dropped with it.
    RestOfABatchDropped,
    /// Session: the position kept is past what is still held behind a hole.
    PositionPastWhatIsHeld,
    /// Session: the position follows its events in a commit of its own.
    PositionNotInTheCommit,
    /// Session: the position goes ahead of its events in a commit of its own.
    PositionBeforeItsEvents,
    /// Session: the position is not read after a restart.
    PositionForgotten,
    /// Session: a commit for which there was no room is not offered again.
    RefusedCommitForgotten,
    /// Session: a token that is not accepted is not reported to whoever obtains tokens.
    RejectedTokenKept,
    /// Session and tokens: a token that is not accepted is used again and again.
    RejectedTokenUsedAgain,
    /// Tokens: the endpoint is asked again without a pause.
    TokenAskedAtOnce,
    /// Session: `Retry-After` is not heard.
    RetryAfterIgnored,
    /// Back-off: it counts and does not wait.
    BackOffDoesNotWait,
    /// Back-off: success does not end it.
    BackOffNotReset,
    /// Session: empty answers are followed by the next poll without a pause.
    EmptyAnswersPolledAtOnce,
    /// Session: what needs a person is never tried again.
    SuspendedForGood,
    /// Session: a trouble that is over is still shown.
    DegradedForGood,
    /// Profile: events that cannot be read are left out.
    MalformedEventDropped,
    /// Profile: an event without a type is taken for an empty batch of its number.
    UntypedEventTakenForABatch,
    /// Feed: what is committed between the disk and the ring is passed over.
    HandoffLosesABatch,
    /// Feed: a reader that lags is put near the end.
    LaggardSkipsToTheTail,
    /// Feed: a filter looks at the keys of another event of the batch.
    KeysOfANeighbour,
    /// Feed: a filtered reader's bookmark is the end of the journal.
    BookmarkAhead,
    /// Feed: every response claims the end of the journal.
    HeartbeatClaimsTheEnd,
    /// Feed: a reader that comes back gets its last event again.
    ResumesAtThePosition,
    /// Feed: a filter by type holds gap records back.
    FilterDropsGaps,
}

#[cfg(any(test, feature = "testing"))]
mod switch {
    use std::cell::Cell;
    use std::marker::PhantomData;

    use super::Mistake;

    thread_local! {
        static MADE: Cell<Option<Mistake>> = const { Cell::new(None) };
    }

    /// A mistake is made on this thread as long as this lives.
    #[derive(Debug)]
    #[must_use = "the mistake is made as long as this lives"]
    pub struct Planted {
        before: Option<Mistake>,
        /// It belongs to its thread.
        bound: PhantomData<*const ()>,
    }

    impl Mistake {
        /// Whether it is made here.
        #[must_use]
        pub fn is_made(self) -> bool {
            MADE.get() == Some(self)
        }

        /// Makes it from now on, on this thread.
        pub fn plant(self) -> Planted {
            Planted {
                before: MADE.replace(Some(self)),
                bound: PhantomData,
            }
        }
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            MADE.set(self.before);
        }
    }
}

#[cfg(any(test, feature = "testing"))]
pub use switch::Planted;

#[cfg(not(any(test, feature = "testing")))]
impl Mistake {
    /// Never: mistakes are made in tests only.
    #[must_use]
    #[inline(always)]
    pub const fn is_made(self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_made_on_its_thread_while_it_is_planted() {
        let mistake = Mistake::HoleNotNoticed;
        {
            let _planted = mistake.plant();
            assert!(mistake.is_made() && !Mistake::BackOffNotReset.is_made());
            let elsewhere = std::thread::spawn(move || mistake.is_made());
            assert!(!elsewhere.join().unwrap());
        }
        assert!(!mistake.is_made());
    }
}
