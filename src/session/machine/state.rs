//! The states, each with what belongs to it.

use std::time::Duration;

use super::io::{CallId, Generation};
use super::keeping::Place;
use super::live::Live;
use super::live_poll::Polling;
use super::sift::Sift;
use super::socket::Socket;
use crate::auth::AccessToken;
use crate::connectors::Link;
use crate::runtime::MonoTime;

/// Where the session stands.
#[derive(Debug)]
pub(super) enum State {
    Idle,
    /// On the way to a WebSocket.
    Connecting(Attempt),
    /// Long polling, confirmed or not.
    Polling(Box<Polling>),
    /// On confirmed WebSockets.
    Live(Live),
    /// Asking for single events past an answer that cannot be read (U13).
    Sifting(Sift),
    Waiting {
        until: MonoTime,
        next: Next,
    },
    /// Needs a person; tried again slowly all the same, unless `until` is `None`.
    Suspended {
        until: Option<MonoTime>,
        awaits: Awaits,
    },
    Draining {
        until: MonoTime,
    },
    Ended,
}

/// What the state is called, in logs and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateName {
    /// Not begun.
    Idle,
    /// A handshake without credentials is under way (U1).
    Probing,
    /// Waits for a token.
    AwaitingToken,
    /// Makes the platform's own requests before a connection.
    SettingUp,
    /// A handshake with credentials is under way.
    Handshaking,
    /// Connected or polling, not yet confirmed.
    Subscribing,
    /// Receives over WebSocket.
    LiveWebSocket,
    /// Receives by long polling.
    LiveLongPoll,
    /// Asks for single events past an answer that cannot be read.
    Sifting,
    /// Waits before it tries again.
    Waiting,
    /// Needs a person.
    Suspended,
    /// Ends politely.
    Draining,
    /// Ended.
    Ended,
}

/// What a suspended session waits for, besides its next slow attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    /// The token endpoint to take the credentials again (U24).
    Credentials,
    /// The proxy to take ours (U7).
    Proxy,
    /// Something else that only a person can change.
    Person,
}

/// How to go on after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// From the beginning: probe, then choose (U1).
    Negotiate,
    /// A WebSocket at once, for the network is known to let it through.
    Dial,
}

/// One attempt at a WebSocket.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) role: Role,
    pub(super) place: Place,
    pub(super) generation: Generation,
    pub(super) deadline: Option<MonoTime>,
    pub(super) phase: Phase,
}

/// What an attempt is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The session has no other connection.
    Primary,
    /// A WebSocket beside the poll that works (U4).
    Failback,
    /// Beside other WebSockets: a companion, or a successor of one that is about to end (U5).
    Beside,
}

/// How far an attempt is.
#[derive(Debug)]
pub(super) enum Phase {
    Probing,
    Token,
    SettingUp {
        link: Box<dyn Link>,
        token: AccessToken,
        call: CallId,
    },
    Handshaking {
        link: Box<dyn Link>,
        /// Generation of the token it carries.
        token: u64,
    },
    Subscribing(Box<Socket>),
}

/// What goes on beside the connection that works.
#[derive(Debug)]
pub(super) enum Successor {
    None,
    Due { at: MonoTime, role: Role },
    Trying(Attempt),
}

impl State {
    pub(super) fn name(&self) -> StateName {
        match self {
            Self::Idle => StateName::Idle,
            Self::Connecting(attempt) => attempt.name(),
            Self::Polling(polling) => polling.name(),
            Self::Live(_) => StateName::LiveWebSocket,
            Self::Sifting(_) => StateName::Sifting,
            Self::Waiting { .. } => StateName::Waiting,
            Self::Suspended { .. } => StateName::Suspended,
            Self::Draining { .. } => StateName::Draining,
            Self::Ended => StateName::Ended,
        }
    }
}

impl StateName {
    /// As a word, for the audit log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Probing => "probing",
            Self::AwaitingToken => "awaiting_token",
            Self::SettingUp => "setting_up",
            Self::Handshaking => "handshaking",
            Self::Subscribing => "subscribing",
            Self::LiveWebSocket => "live_websocket",
            Self::LiveLongPoll => "live_long_poll",
            Self::Sifting => "sifting",
            Self::Waiting => "waiting",
            Self::Suspended => "suspended",
            Self::Draining => "draining",
            Self::Ended => "ended",
        }
    }
}

impl Attempt {
    pub(super) fn name(&self) -> StateName {
        match self.phase {
            Phase::Probing => StateName::Probing,
            Phase::Token => StateName::AwaitingToken,
            Phase::SettingUp { .. } => StateName::SettingUp,
            Phase::Handshaking { .. } => StateName::Handshaking,
            Phase::Subscribing(_) => StateName::Subscribing,
        }
    }
}

/// Deadlines and bounds that nobody needs to configure.
pub(super) mod limits {
    use super::Duration;

    /// A request that is no poll.
    pub(in super::super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);
    /// A frame or body (U13).
    pub(in super::super) const MESSAGE: usize = 8 << 20;
    /// How often something that needs a person is tried again (U12, U24).
    pub(in super::super) const SUSPENDED_RETRY: Duration = Duration::from_secs(300);
    /// How long a peer may take to answer a close frame (U35).
    pub(in super::super) const CLOSE_GRACE: Duration = Duration::from_secs(2);
    /// The longest pause between failbacks (U4).
    pub(in super::super) const LONGEST_FAILBACK: Duration = Duration::from_secs(900);
    /// An empty or failed poll that takes less is abnormal (U10).
    pub(in super::super) const QUICK: Duration = Duration::from_secs(1);
    /// So many of a kind in a row change the behaviour (U10, U11, U13).
    pub(in super::super) const IN_A_ROW: u32 = 3;
    /// A connection that breaks sooner after its confirmation has proved nothing: the back-off
    /// goes on where it was.
    pub(in super::super) const PROVEN_AFTER: Duration = Duration::from_secs(10);
    /// How long an acknowledgement may take, where the platform does not say (U38).
    pub(in super::super) const ACKNOWLEDGED: Duration = Duration::from_secs(30);
    /// An answer comes behind everything that the platform wrote before it. An event may be issued
    /// this long before it is written; a loss window begins so much earlier.
    pub(in super::super) const PLATFORM_LAG: Duration = Duration::from_secs(1);
    /// Between two errands of one connection, whatever it asks for.
    pub(in super::super) const ERRAND_REST: Duration = Duration::from_secs(1);
    /// Other ways that a link may try before a refusal is taken for one.
    pub(in super::super) const OTHER_WAYS: u32 = 8;
    /// Between two questions to a history that had nothing new.
    pub(in super::super) const CATCH_UP_PAUSE: Duration = Duration::from_secs(1);
    /// The largest event, encoded, less room for its numbers (`journal.md`, "Size").
    pub(in super::super) const EVENT: usize = (3 << 20) - 256;
}
