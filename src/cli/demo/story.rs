//! The story of the demo: what happens to the platform, when, and how it is told. Data.

use std::time::Duration;

/// How long the story takes as it is written; a shorter demo plays it faster.
pub(super) const LENGTH: Duration = Duration::from_secs(30);

/// What happens in an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Events flow.
    Open,
    /// The network strips `Upgrade` and cuts the socket.
    StripUpgrade,
    /// Every access token stops being valid.
    ExpireTokens,
    /// Events get lost on the way; the platform's history has them.
    LoseEvents,
    /// The reader is killed.
    KillReader,
    /// The reader comes back with its position.
    ResumeReader,
    /// What was delivered is delivered once more.
    Repeat,
    /// The network lets WebSocket through again.
    RestoreUpgrade,
    /// No more events.
    Close,
}

/// An act, when it begins and what is said then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    /// From the beginning of the story, in milliseconds.
    at_ms: u32,
    pub(super) act: Act,
    pub(super) told: &'static str,
}

pub(super) const SCENES: [Scene; 9] = [
    scene(
        0,
        Act::Open,
        "The contact centre opens. Tieline owns the session, the reader reads gRPC.",
    ),
    scene(
        3_000,
        Act::StripUpgrade,
        "The network begins to strip Upgrade, and resets the WebSocket.",
    ),
    scene(
        6_000,
        Act::ExpireTokens,
        "Every access token expires, in the middle of a long poll.",
    ),
    scene(
        8_500,
        Act::LoseEvents,
        "Three events get lost between the platform and us.",
    ),
    // A WebSocket is tried again after 0.5 to 1 s, 1.5 to 3, 3.5 to 7 and 7.5 to 15 s of stripping.
    scene(
        10_000,
        Act::RestoreUpgrade,
        "The network lets WebSocket through again.",
    ),
    scene(19_000, Act::KillReader, "The reader is killed."),
    scene(
        21_000,
        Act::ResumeReader,
        "The reader comes back with the position it stored.",
    ),
    scene(
        23_000,
        Act::Repeat,
        "The platform repeats batches it has delivered.",
    ),
    scene(26_500, Act::Close, "The contact centre closes."),
];

const fn scene(at_ms: u32, act: Act, told: &'static str) -> Scene {
    Scene { at_ms, act, told }
}

impl Scene {
    /// When it begins in a story of `length`.
    pub(super) fn begins(&self, length: Duration) -> Duration {
        scaled(Duration::from_millis(self.at_ms.into()), length)
    }
}

/// A time of the story as it is written, in a story of `length`.
pub(super) fn scaled(time: Duration, length: Duration) -> Duration {
    time.mul_f64(length.as_secs_f64() / LENGTH.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_follow_each_other_and_leave_time_to_settle() {
        let begins = SCENES.map(|scene| scene.begins(Duration::from_secs(10)));
        assert!(begins.is_sorted());
        assert!(begins.last().unwrap() < &Duration::from_secs(9));
    }
}
