//! [`Trouble`]: what goes wrong in a simulation, drawn by chance, and how often each kind struck.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use tieline::runtime::Rng;
use tieline::sandbox::fault::FaultRule;

use crate::network::Place;
use crate::platform;

/// One thing that goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// At the platform, or on the way to it as its sandbox knows it: this fault where the platform
    /// has it, else one of its own.
    Platform(FaultRule),
    /// Neither direction between two places lets anything through.
    Partition(Place, Place),
    /// One direction does not.
    OneWay(Place, Place),
    /// Connections that are begun get no answer.
    NoAnswer(Place, Place),
    Slow(Place, Place, Duration),
    /// A few bytes at a time.
    Thin(Place, Place),
    Narrow(Place, Place, u64),
    Reset(Place, Place),
    /// Each write and sync takes this long.
    SlowDisk(Duration),
    /// So many bytes are left.
    FullDisk(u64),
    /// The n-th operation from now fails.
    FailedOperation(usize, ErrorKind),
    PowerCut,
    Kill,
    /// The process dies in its n-th disk operation from now.
    KillInOperation(usize),
    Drain,
    /// Killed so long after it was told to end.
    KillInDrain(Duration),
    /// Somebody sets the clock.
    Clock(i64),
}

/// How often each kind of trouble struck.
pub(crate) type Strikes = BTreeMap<&'static str, u64>;

impl Trouble {
    /// The next one, and how long it lasts.
    pub(crate) fn draw(rng: &Rng) -> (Self, Duration) {
        let millis = |least: u64, most: u64| Duration::from_millis(least + rng.below(most - least));
        let far = [Place::Platform, Place::Readers];
        let other = far[usize::try_from(rng.below(2)).unwrap_or(0)];
        let lasts = millis(100, 12_000);
        let trouble = match rng.below(40) {
            0 => Self::Partition(Place::Sidecar, other),
            1 => Self::OneWay(Place::Sidecar, other),
            2 => Self::OneWay(other, Place::Sidecar),
            3 => Self::NoAnswer(Place::Sidecar, Place::Platform),
            4 => Self::Slow(other, Place::Sidecar, millis(50, 5_000)),
            5 => Self::Thin(other, Place::Sidecar),
            6 => Self::Narrow(Place::Platform, Place::Sidecar, 1_000 + rng.below(20_000)),
            7 => Self::Reset(Place::Sidecar, other),
            8 => Self::SlowDisk(millis(100, 5_000)),
            9 => Self::FullDisk(rng.below(20_000)),
            10 => {
                let kinds = [
                    ErrorKind::Other,
                    ErrorKind::StorageFull,
                    ErrorKind::TimedOut,
                ];
                let kind = kinds[usize::try_from(rng.below(3)).unwrap_or(0)];
                Self::FailedOperation(usize::try_from(rng.below(12)).unwrap_or(0), kind)
            }
            11 => Self::PowerCut,
            12 => Self::Kill,
            13 => Self::KillInOperation(usize::try_from(rng.below(20)).unwrap_or(0)),
            14 => Self::Drain,
            15 => Self::KillInDrain(millis(0, 300)),
            16 => {
                let hours = 3_600_000_000_000_i64;
                let by = i64::try_from(rng.below(2 * 3_600_000_000_000)).unwrap_or(0);
                Self::Clock(by - hours)
            }
            _ => Self::Platform(platform::draw(rng, lasts)),
        };
        (trouble, lasts)
    }

    /// Whether the process may end of it, or write nothing for a while.
    pub(crate) fn may_end_process(&self) -> bool {
        matches!(
            self,
            Self::SlowDisk(_)
                | Self::FullDisk(_)
                | Self::FailedOperation(..)
                | Self::PowerCut
                | Self::Kill
                | Self::KillInOperation(_)
                | Self::Drain
                | Self::KillInDrain(_)
        )
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Platform(_) => "platform",
            Self::Partition(..) => "network: partition",
            Self::OneWay(..) => "network: one way only",
            Self::NoAnswer(..) => "network: no answer to connecting",
            Self::Slow(..) => "network: latency",
            Self::Thin(..) => "network: thin segments",
            Self::Narrow(..) => "network: bandwidth",
            Self::Reset(..) => "network: reset",
            Self::SlowDisk(_) => "disk: slow",
            Self::FullDisk(_) => "disk: full",
            Self::FailedOperation(..) => "disk: failed operation",
            Self::PowerCut => "disk: power cut",
            Self::Kill => "process: SIGKILL",
            Self::KillInOperation(_) => "process: SIGKILL in a disk operation",
            Self::Drain => "process: SIGTERM",
            Self::KillInDrain(_) => "process: SIGKILL while draining",
            Self::Clock(by) if *by < 0 => "clock: set back",
            Self::Clock(_) => "clock: set forward",
        }
    }
}

/// Every kind of trouble that the network, the disk, the process or the clock can be in.
pub(crate) const OURS: [&str; 18] = [
    "network: partition",
    "network: one way only",
    "network: no answer to connecting",
    "network: latency",
    "network: thin segments",
    "network: bandwidth",
    "network: reset",
    "disk: slow",
    "disk: full",
    "disk: failed operation",
    "disk: power cut",
    "process: SIGKILL",
    "process: SIGKILL in a disk operation",
    "process: SIGTERM",
    "process: SIGKILL while draining",
    "clock: set back",
    "clock: set forward",
    "process: started",
];
