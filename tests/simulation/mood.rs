//! [`Mood`]: what a world is most likely to be troubled by.

use std::io::ErrorKind;

use tieline::runtime::Rng;
use tieline::sandbox::fault::{Fault, FaultRule};

use crate::trouble::Trouble;

/// How many draws a world makes to suit its mood.
const DRAWS: usize = 1_000;

/// Which troubles are likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As they come.
    Any,
    Crashes,
    PowerCuts,
    /// Processes that die while they write much.
    Tears,
    /// Syncs that fail, and power that is cut.
    FailedSyncs,
    FullDisks,
    /// Full disks, and clocks that are set back.
    FullDisksAndClocks,
    /// Holes, repetitions, things in the wrong order.
    Disorder,
    /// The same, and crashes.
    DisorderAndCrashes,
    /// Holes that nobody fills, and crashes.
    HolesAndCrashes,
    Unauthorized,
    Throttled,
    Outages,
    /// Answers without anything in them.
    Emptiness,
    Malformed,
    Renumbering,
    Forbidden,
}

/// Every mood.
const MOODS: [Mood; 17] = [
    Mood::Any,
    Mood::Crashes,
    Mood::PowerCuts,
    Mood::Tears,
    Mood::FailedSyncs,
    Mood::FullDisks,
    Mood::FullDisksAndClocks,
    Mood::Disorder,
    Mood::DisorderAndCrashes,
    Mood::HolesAndCrashes,
    Mood::Unauthorized,
    Mood::Throttled,
    Mood::Outages,
    Mood::Emptiness,
    Mood::Malformed,
    Mood::Renumbering,
    Mood::Forbidden,
];

impl Mood {
    /// The mood of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        MOODS.into_iter().find(|mood| format!("{mood:?}") == name)
    }

    /// The next trouble: three of four suit the mood.
    pub(crate) fn draw(self, rng: &Rng) -> (Trouble, std::time::Duration) {
        let mut drawn = Trouble::draw(rng);
        if self != Self::Any && rng.below(4) > 0 {
            for _ in 0..DRAWS {
                if self.suits(&drawn.0) {
                    break;
                }
                drawn = Trouble::draw(rng);
            }
        }
        drawn
    }

    /// The only transport on which it can be in this mood.
    pub(crate) fn transport(self) -> Option<&'static str> {
        matches!(self, Self::Throttled | Self::Emptiness).then_some("long_poll")
    }

    fn suits(self, trouble: &Trouble) -> bool {
        use Trouble as T;
        let crash = matches!(
            trouble,
            T::Kill | T::PowerCut | T::KillInOperation(_) | T::KillInDrain(_) | T::Drain
        );
        match (self, trouble) {
            (Self::Any, _) => true,
            (Self::Crashes, _) => crash,
            (Self::PowerCuts, _) => matches!(trouble, T::PowerCut),
            (Self::Tears, _) => matches!(trouble, T::SlowDisk(_) | T::KillInOperation(_)),
            (Self::FailedSyncs, _) => matches!(trouble, T::PowerCut | T::FailedOperation(..)),
            // Room is reserved by the segment, so a full disk shows in its own time.
            (
                Self::FullDisks | Self::FullDisksAndClocks,
                T::FullDisk(_) | T::FailedOperation(_, ErrorKind::StorageFull),
            ) => true,
            (Self::FullDisksAndClocks, T::Clock(by)) => *by < 0,
            (Self::HolesAndCrashes, _) if matches!(trouble, T::Kill | T::PowerCut) => true,
            (Self::DisorderAndCrashes, _) if crash => true,
            (_, T::Platform(rule)) => self.suits_platform(rule),
            (Self::Outages, _) => matches!(trouble, T::NoAnswer(..) | T::Reset(..)),
            _ => false,
        }
    }

    fn suits_platform(self, rule: &FaultRule) -> bool {
        let fault = &rule.fault;
        match self {
            Self::Disorder | Self::DisorderAndCrashes => matches!(
                fault,
                Fault::Duplicate { .. }
                    | Fault::Reorder { .. }
                    | Fault::Skip { .. }
                    | Fault::Late { .. }
                    | Fault::HistoryGone { .. }
                    | Fault::HistoryDown { .. }
            ),
            Self::HolesAndCrashes => matches!(
                fault,
                Fault::Skip { .. } | Fault::Reorder { .. } | Fault::HistoryDown { .. }
            ),
            Self::Unauthorized => matches!(
                fault,
                Fault::ExpireTokensNow {}
                    | Fault::PollStatus { status: 401, .. }
                    | Fault::FrameError { status: 401 }
            ),
            Self::Throttled => matches!(fault, Fault::PollStatus { status: 429, .. }),
            Self::Outages => matches!(
                fault,
                Fault::PlatformDown {}
                    | Fault::PollStatus {
                        status: 500 | 503,
                        ..
                    }
                    | Fault::WebsocketReset { .. }
                    | Fault::WebsocketClose { .. }
                    | Fault::TokenDown { .. }
            ),
            Self::Emptiness => matches!(fault, Fault::Empty200AtOnce { .. }),
            Self::Malformed => matches!(fault, Fault::MalformedEvent { .. }),
            Self::Renumbering => matches!(fault, Fault::RestartNumbering {}),
            Self::Forbidden => matches!(
                fault,
                Fault::PollStatus { status: 403, .. } | Fault::FrameError { status: 403 }
            ),
            _ => false,
        }
    }
}
