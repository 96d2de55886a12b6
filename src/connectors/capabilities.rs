//! [`Capabilities`]: what a platform can do, and what its numbers mean. Values only.

use std::time::Duration;

/// What a platform can do, and what its numbers mean.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// Whether there is a WebSocket (U6).
    pub websocket: bool,
    /// Whether there is long polling (U6).
    pub long_poll: bool,
    /// How a repeated event is recognised.
    pub identity: Identity,
    /// Whether a subscription that names its cursor is sent what it missed: then a broken
    /// connection opens no loss window (U18).
    pub resumes: bool,
    /// Whether a range of numbers can be asked for again (U17).
    pub catch_up: bool,
    /// Whether two connections may stand side by side for a while (U4, U5).
    pub overlap: bool,
    /// How long a hole may be mere disorder before it is called a gap.
    pub loose_order: Duration,
    /// How long the first confirmation of a subscription may take on a WebSocket.
    pub confirm_within: Duration,
    /// Whether close codes 1000 and 1001 end the session instead of a reconnect (U31).
    pub stop_on_clean_close: bool,
    /// Whether a connection lives no longer than the token it was made with: a renewed token then
    /// asks for a successor beside it (U5).
    pub bound_to_token: bool,
    /// How far REST may lag behind the events: a present state asked for sooner after a loss window
    /// could be older than its end (U18).
    pub rest_lag: Duration,
    /// How often the time that is covered is committed, where it is kept (U18): after a crash the
    /// loss window is longer by so much. Longer where history brings every event of it, and where
    /// many sessions are idle.
    pub coverage_mark: Duration,
    /// Bytes read from a WebSocket at once ([`READ_BUFFER`]); less where many sessions are idle.
    pub read_buffer: usize,
    /// Connections that are to stand at once: 1, or 2 where the configuration asks for redundancy
    /// and the platform allows it.
    pub connections: u8,
}

/// How often the time that is covered is committed, where little depends on it.
pub const COVERAGE_MARK: Duration = Duration::from_secs(5);

/// Bytes read from a WebSocket at once, where events come in numbers.
pub const READ_BUFFER: usize = 16 * 1024;

/// How a repeated event is recognised (U16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// By the platform's number.
    Numbers(Numbering),
    /// By the platform's event id.
    Ids,
    /// Only between overlapping connections, by topic, bytes and occurrence.
    Neither,
}

/// What a platform's numbers mean (U15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbering {
    /// Whether each number is used once: then a hole is a loss.
    pub dense: bool,
    /// Whether the batch's number is the cursor, so that an empty batch may advance it.
    pub batch_is_cursor: bool,
}
