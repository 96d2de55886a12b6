//! What a platform said, in words that are the same for every platform. Values only.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::Receipt;
use crate::domain::WallTime;
use crate::proto::v1;
use crate::runtime::MonoTime;
use crate::runtime::Secret;

/// The two ways of receiving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Frames on one connection.
    WebSocket,
    /// A chain of requests, each held open by the platform.
    LongPoll,
}

impl Transport {
    /// The word of the API.
    #[must_use]
    pub const fn to_proto(self) -> v1::Transport {
        match self {
            Self::WebSocket => v1::Transport::Websocket,
            Self::LongPoll => v1::Transport::LongPoll,
        }
    }
}

/// A cursor that only its platform understands; it may act as a credential, so it does not print.
pub type Opaque = Secret<String>;

/// Where a subscription goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resume<'a> {
    /// The last number that lies behind; zero asks for all the platform still has.
    pub after: u64,
    /// The platform's own cursor, where it has one instead of numbers or beside them.
    pub opaque: Option<&'a Opaque>,
}

/// A run of the platform's numbers, inclusive at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumberRange {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl NumberRange {
    /// How many numbers it holds.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// Whether it holds none; never true of a range that a gap is made of.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.last < self.first
    }

    /// Whether it holds `number`.
    #[must_use]
    pub const fn contains(self, number: u64) -> bool {
        self.first <= number && number <= self.last
    }
}

/// What one frame or answer said.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The batch's own number, where the platform numbers its batches.
    pub number: Option<u64>,
    /// The platform's next cursor, where it has one of its own.
    pub opaque: Option<Opaque>,
    /// The events, in the order in which they stood.
    pub events: Vec<ProviderEvent>,
    /// Which subscriptions it confirms.
    pub confirms: Confirms,
    /// What else it said.
    pub controls: Vec<Control>,
    /// Set where the events are not what happened but what is: the present state, sent instead of
    /// what was missed.
    pub snapshot: Option<Snapshot>,
    /// What it said of messages of ours, in the order in which it did.
    pub receipts: Vec<Receipt>,
}

/// A batch that states what is. Its events are marked as backfill; whatever is known of a scope and
/// is not among them has ended meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The scopes of [`Tracked`] that are listed in full.
    pub complete: Vec<String>,
}

impl Batch {
    /// An answer that holds nothing but shows that the subscription stands.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            confirms: Confirms::All,
            ..Self::default()
        }
    }
}

/// Which subscriptions a frame or answer confirms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Confirms {
    /// None.
    #[default]
    Nothing,
    /// Every one of this connection.
    All,
    /// Those of the named topics.
    Topics(Vec<String>),
}

/// What a platform says beside events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// It will soon close the connection, as planned (U5).
    Closing,
    /// It refuses, in a frame, what a status code would refuse (U33).
    Refused {
        /// As an HTTP status.
        status: u16,
        /// What it said, in short.
        reason: String,
    },
    /// It refuses one topic and serves the others.
    TopicRejected {
        /// The topic.
        topic: String,
        /// Why.
        reason: String,
    },
    /// The subscription no longer exists and must be set up anew.
    SubscriptionLost {
        /// Why.
        reason: String,
    },
    /// It knows that we missed events: a loss window opens when everything had last come (U18).
    Missed {
        /// How it said so.
        reason: String,
    },
    /// It answered the application heartbeat that was sent at this time: a sample of round trip
    /// (U28).
    Answered {
        /// When the heartbeat left.
        sent: MonoTime,
    },
    /// The session ends by itself then, unless something is said in it before.
    Lasts {
        /// When, by the platform's clock.
        until: WallTime,
    },
    /// The session is over for good and keeps nothing: a connection made anew would be another
    /// conversation (U39). Nothing is sent any more, and it is not connected again.
    Expired {
        /// Why.
        reason: String,
    },
    /// Another connection of the same session took this one's place, as planned: connecting again
    /// would only take it back. Tried again when somebody asks for it.
    Superseded {
        /// Why.
        reason: String,
    },
    /// It answered a question of [`super::Link::ask`]: everything that it sent before has come (U18).
    Proof {
        /// The question's name.
        name: Bytes,
    },
    /// What was subscribed to has ended, as an agent who signed out: nothing comes any more until
    /// it begins anew, which is tried slowly.
    Ended {
        /// Why.
        reason: String,
    },
}

/// One event as the platform sent it. All but `topic` and `raw` may be left at their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderEvent {
    /// Its own number; `None` where it has none or could not be read.
    pub number: Option<u64>,
    /// Its own id, where the platform gives one.
    pub id: Option<String>,
    /// The platform's name of the event: topic or type.
    pub topic: String,
    /// When it happened, by the platform.
    pub time: Option<WallTime>,
    /// Its whole JSON value: a slice of the frame or body.
    pub raw: Bytes,
    /// Why its envelope could not be read, if it could not (U20).
    pub malformed: Option<String>,
    /// Which of [`super::Connector::families`] it belongs to, by name; empty where there is one.
    pub family: &'static str,
    /// What it states anew, within its family: of two events with one key the later counts. The
    /// topic where `None`.
    pub key: Option<String>,
    /// What counts when connections are compared (U16), where a frame holds things besides, such
    /// as a correlation id: a slice of `raw`. All of `raw` where `None`.
    pub identity: Option<Bytes>,
    /// Whether its body carries a version or a date, so that equal bodies on two connections are
    /// one fact whenever they come.
    pub dated: bool,
    /// Whether it begins or ends something that a later snapshot may leave out.
    pub tracked: Option<Tracked>,
    /// What the connection knows and the event does not say, for [`super::Connector::normalize`]:
    /// such as the agent whose session it came in.
    pub context: Option<Arc<str>>,
    /// Where values stand that [`super::Connector::normalize`] will want, where the connector saw
    /// them while it read the event, in an order of its own: so that nothing is parsed twice.
    pub spans: SmallVec<[Span; 4]>,
}

/// A place in an event's bytes; nowhere where it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Where it begins.
    pub at: u32,
    /// How long it is.
    pub len: u32,
}

impl Span {
    /// Where `part` stands in `whole`, of which it is a slice.
    #[must_use]
    pub fn of(part: &str, whole: &[u8]) -> Self {
        let at = part.as_ptr().addr().checked_sub(whole.as_ptr().addr());
        let at = at.filter(|at| at + part.len() <= whole.len());
        match (at.map(u32::try_from), u32::try_from(part.len())) {
            (Some(Ok(at)), Ok(len)) => Self { at, len },
            _ => Self::default(),
        }
    }

    /// What stands there; `None` where it is nowhere.
    #[must_use]
    pub fn text(self, whole: &[u8]) -> Option<&str> {
        let (at, len) = (self.at as usize, self.len as usize);
        let bytes = whole.get(at..at + len).filter(|bytes| !bytes.is_empty())?;
        std::str::from_utf8(bytes).ok()
    }
}

/// Something that stands from one event until another: a member of a queue, a contact of an agent.
/// The engine keeps what stands, with the position, so that a snapshot tells what has ended unseen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    /// What it belongs to, such as `queues/1`; a snapshot lists a scope in full.
    pub scope: String,
    /// What it is called there.
    pub key: String,
    /// Whether it stands after this event.
    pub stands: bool,
}

/// A frame or body that is not what the platform sends: all of it is discarded (U13).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read {what}: {reason}")]
pub struct Unreadable {
    /// What was read.
    pub what: &'static str,
    /// Why it could not be, without any of its content.
    pub reason: String,
}
