//! The traits [`Connector`] and [`Link`]: all that the engine needs to know of a platform. Both are
//! pure: no clock, no socket, no task, no chance.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::{
    Batch, Confirms, Dispatch, NumberRange, Opaque, Outgoing, ProviderEvent, Resume, Seen,
    SendOutcome, Sending, Transport, Unreadable, Unsendable,
};
use crate::auth::AccessToken;
use crate::domain::{Platform, WallTime};
use crate::net::{Frame, HttpResponse, UrlPolicy};
use crate::proto::v1;
use crate::runtime::MonoTime;

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
    /// Connections that are to stand at once: 1, or 2 where the configuration asks for redundancy
    /// and the platform allows it.
    pub connections: u8,
}

/// Topics whose loss is told and recovered together (U18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// As [`ProviderEvent::family`] names it.
    pub name: &'static str,
    /// Its topics, in the platform's words.
    pub topics: Vec<String>,
}

/// What a new connection is opened for.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// Over which transport.
    pub transport: Transport,
    /// Where the subscription goes on, and what earlier connections left for it ([`Link::keep`]).
    pub resume: Resume<'a>,
    /// Another connection of this subscription stands and must not be disturbed: `resume` names what
    /// it stands on, or nothing. `false` where none stands, and where `resume` names what an earlier
    /// connection left in this one's own place, which is free to be used again.
    pub beside: bool,
    /// The moment.
    pub now: MonoTime,
    /// The same, on the wall.
    pub wall: WallTime,
}

/// What a connection leaves to those after it, beside the cursor of its batches. It may hold
/// credentials, so it is kept like them.
#[derive(Debug, Clone, Default)]
pub enum Keep {
    /// Nothing new.
    #[default]
    Unchanged,
    /// What was kept is of no use any more.
    Nothing,
    /// This.
    This(Opaque),
}

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

/// A request of the dialect; the engine adds deadline and size limit.
#[derive(Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The target. Path and query may hold a credential: never logged.
    pub url: Url,
    /// Headers; credentials are marked sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("host", &self.url.host_str().unwrap_or_default())
            .finish_non_exhaustive()
    }
}

/// A WebSocket handshake of the dialect; the engine adds deadline and size limit.
#[derive(Clone)]
pub struct Handshake {
    /// The target, `ws` or `wss`. Path and query may hold a credential: never logged.
    pub url: Url,
    /// Headers; credentials are marked sensitive.
    pub headers: HeaderMap,
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("host", &self.url.host_str().unwrap_or_default())
            .finish_non_exhaustive()
    }
}

/// What must happen before a link can be opened.
#[derive(Debug)]
pub enum Setup {
    /// This request first; its answer goes to [`Link::setup_answer`].
    Call(Box<Call>),
    /// Nothing more.
    Ready,
    /// The platform would take this connection at another's expense, or has nothing to connect to
    /// yet: it is tried again slowly, and the reason says what is not covered meanwhile.
    Yield {
        /// For the session's state.
        reason: String,
    },
}

/// What a status means for the session. The engine has a table of its own; a platform overrides
/// single entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The token was not accepted (U12).
    Unauthorized,
    /// Needs a person (U12).
    Forbidden,
    /// Too fast (U12).
    Throttled,
    /// Something between us broke the hold; ask again at once (U11).
    Interrupted,
    /// The platform is in trouble; ask again after a back-off (U30).
    Unavailable,
    /// The channel or cursor no longer exists: set up anew.
    Gone,
    /// What was subscribed to has ended: tried again slowly ([`super::Control::Ended`]).
    Ended,
}

/// A time in which events may have been lost (U18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossWindow {
    /// The last proof of life before it.
    pub start: WallTime,
    /// When every topic was confirmed again.
    pub end: WallTime,
}

/// The next step of a conversation over REST.
#[derive(Debug)]
pub enum Step<T> {
    /// This request; its answer goes back to whoever asked for it.
    Call(Box<Call>),
    /// The end, and what came of it.
    Done(T),
}

/// What REST could say about a loss window (U18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Every event of it, or that there was none: the gap is closed.
    Everything,
    /// The present state: the gap is confirmed with reason `SNAPSHOT`.
    PresentState,
    /// Nothing: the gap is confirmed.
    Nothing,
}

/// What one answer about a loss window held.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// In the order in which they are to be journaled.
    pub events: Vec<ProviderEvent>,
    /// Scopes of [`super::Tracked`] that are listed in full, now that this answer is in.
    pub complete: Vec<String>,
    /// Messages of ours that the answer showed to have arrived (U36).
    pub seen: Vec<Seen>,
}

/// Asks REST about the loss window of one family. Pure; one is made for each window.
pub trait Recoverer: Send + fmt::Debug {
    /// Whether live events of the family wait while it asks, so that a present state comes before
    /// what changed it.
    fn holds(&self) -> bool;

    /// What to do next. Asked again after each answer, and after a pause when a call failed.
    fn next(&mut self, token: &AccessToken) -> Step<Found>;

    /// Reads the answer (a status of success) to the last call. `wall` stamps states that carry no
    /// time of their own.
    ///
    /// # Errors
    /// When the body is not what the platform sends.
    fn answer(&mut self, answer: &HttpResponse, wall: WallTime) -> Result<Recovered, Unreadable>;

    /// The last call was refused for good (not throttled, not a failure of the network): whether
    /// there is another way. `false` ends with [`Found::Nothing`].
    fn refused(&mut self, _status: StatusCode) -> bool {
        false
    }
}

/// Finds out, over REST, what a session is to subscribe to: names become ids, families their
/// members, and many topics several connectors. Pure.
pub trait Plan: Send + fmt::Debug {
    /// What to do next. Asked again after each answer; and when a call failed, after a pause or with
    /// another token: then it gives the same call.
    fn next(&mut self, token: &AccessToken) -> Step<Vec<Arc<dyn Connector>>>;

    /// Reads the answer (a status of success) to the last call.
    ///
    /// # Errors
    /// When the body is not what the platform sends.
    fn answer(&mut self, answer: &HttpResponse) -> Result<(), Unreadable>;

    /// The last call was refused with this status: whether the plan goes on without it. What could
    /// not be resolved is then reported by the connectors as rejected topics.
    fn refused(&mut self, _status: StatusCode) -> bool {
        false
    }
}

/// A platform's dialect. One instance serves one subscription; a session that needs several
/// channels side by side is several connectors.
pub trait Connector: Send + Sync + fmt::Debug {
    /// The registry name.
    fn platform(&self) -> Platform;

    /// CloudEvents `source` of every event of this session.
    fn source(&self) -> &str;

    /// What is subscribed to, in the platform's words.
    fn topics(&self) -> &[String];

    /// Whatever else than topics it was made of that a plan may find out otherwise next time, as a
    /// number: hosts, ids. Where a new plan differs neither in this nor in topics and families, the
    /// session goes on undisturbed.
    fn variant(&self) -> u64 {
        0
    }

    /// Its topics, each by itself even where they are asked for together, by what can be said of their
    /// loss; one family of all where nothing tells them
    /// apart. Each loss window has a gap record for each family.
    fn families(&self) -> Vec<Family> {
        vec![Family {
            name: "",
            topics: self.topics().to_vec(),
        }]
    }

    /// What the platform can do.
    fn capabilities(&self) -> &Capabilities;

    /// Which addresses may be used, whoever named them (U42).
    fn addresses(&self) -> &UrlPolicy;

    /// The handshake that shows whether the network lets WebSockets through. It is given no
    /// credential, so it cannot send one (U1).
    fn probe(&self) -> Option<Handshake>;

    /// The dialect of one connection.
    fn link(&self, opening: Opening<'_>) -> Box<dyn Link>;

    /// Asks for a range of numbers again, in the smallest steps the platform has.
    fn catch_up(&self, range: NumberRange, token: &AccessToken) -> Option<Call>;

    /// Reads the answer to [`Connector::catch_up`].
    ///
    /// # Errors
    /// When the body is not what the platform sends.
    fn read_catch_up(&self, answer: &HttpResponse) -> Result<Batch, Unreadable>;

    /// Whether a status in answer to [`Connector::catch_up`] says that the range is gone for good.
    fn catch_up_refused(&self, status: StatusCode) -> bool {
        matches!(status.as_u16(), 404 | 410)
    }

    /// Asks REST about a loss window of a family; `None` where it has nothing to say.
    fn recover(&self, _family: &str, _window: &LossWindow) -> Option<Box<dyn Recoverer>> {
        None
    }

    /// The event that tells the end of something tracked that a snapshot left out; it carries no
    /// bytes of the platform.
    fn departed(&self, _scope: &str, _key: &str) -> Option<ProviderEvent> {
        None
    }

    /// A request that shows whether the platform is well, apart from its events (U27).
    fn health(&self, token: &AccessToken) -> Option<Call>;

    /// What this platform means by a status, where it differs from the engine's table.
    fn verdict(&self, _status: StatusCode) -> Option<Verdict> {
        None
    }

    /// The same of a WebSocket handshake, where a platform shows no token there.
    fn handshake_verdict(&self, status: StatusCode) -> Option<Verdict> {
        self.verdict(status)
    }

    /// How messages are sent; `None` where the platform takes none.
    fn sending(&self) -> Option<Sending> {
        None
    }

    /// Whether the platform would take a message at all.
    ///
    /// # Errors
    /// [`Unsendable`] names the field and the limit.
    fn check_outgoing(&self, _message: &Outgoing<'_>) -> Result<(), Unsendable> {
        Err(Unsendable {
            reason: "CONTENT_UNSUPPORTED",
            field: "parent",
            problem: format!("platform {} takes no messages", self.platform()),
        })
    }

    /// The event in its normal form. `id` is set where the platform gave one; sequence, session
    /// and origin are the engine's.
    fn normalize(&self, event: &ProviderEvent) -> v1::Event;
}

/// The dialect of one connection, with what that connection must remember.
pub trait Link: Send + fmt::Debug {
    /// The next request to make before the connection can be opened.
    fn setup(&mut self, _token: &AccessToken) -> Setup {
        Setup::Ready
    }

    /// Takes the answer (a status of success) to the request that [`Link::setup`] asked for.
    ///
    /// # Errors
    /// When the body is not what the platform sends.
    fn setup_answer(&mut self, _answer: &HttpResponse) -> Result<(), Unreadable> {
        Ok(())
    }

    /// A request of [`Link::setup`] was answered with a status that is none of success: whether the
    /// link has another way. Asked before the status is judged.
    fn setup_refused(&mut self, _answer: &HttpResponse) -> bool {
        false
    }

    /// The handshake or a poll was refused with this status, or the connection ended: what the link
    /// learns of it goes into [`Link::keep`].
    fn over(&mut self, _status: Option<StatusCode>) {}

    /// What later connections want to know. Asked after set-up, after each frame and at the end.
    fn keep(&self) -> Keep {
        Keep::Unchanged
    }

    /// The handshake, once set up.
    fn handshake(&self, token: &AccessToken) -> Option<Handshake>;

    /// The connection is open: what to send first.
    fn opened(&mut self, resume: Resume<'_>) -> Vec<Frame>;

    /// The next poll.
    fn poll(&mut self, resume: Resume<'_>, token: &AccessToken) -> Option<Call>;

    /// Reads one text or binary frame.
    ///
    /// # Errors
    /// When it is not what the platform sends.
    fn read_frame(&mut self, now: MonoTime, frame: &Bytes) -> Result<Batch, Unreadable>;

    /// The answer to a ping came: everything that was sent before that ping was read. For platforms
    /// that confirm a subscription by nothing else, and whose link pings behind its first frames.
    fn ponged(&mut self, _named: &Bytes) -> Confirms {
        Confirms::Nothing
    }

    /// Reads the answer (a status of success, or 304) to a poll.
    ///
    /// # Errors
    /// When the body is not what the platform sends.
    fn read_poll(&mut self, answer: &HttpResponse) -> Result<Batch, Unreadable>;

    /// How this message leaves, on an open and confirmed connection; `None` where nothing can be
    /// sent now.
    fn send(
        &mut self,
        _now: MonoTime,
        _wall: WallTime,
        _message: &Outgoing<'_>,
    ) -> Option<Dispatch> {
        None
    }

    /// The same while no connection stands, for platforms that take messages over REST besides
    /// ([`Sending::rest`]): asked of a link that is set up.
    fn send_over_rest(&mut self, _message: &Outgoing<'_>) -> Option<Box<Call>> {
        None
    }

    /// Reads the answer to a message that left as a request, whatever the status.
    fn sent_answer(&mut self, _wall: WallTime, _answer: &HttpResponse) -> SendOutcome {
        SendOutcome::Unknown {
            reason: "ANSWER_UNREADABLE",
        }
    }

    /// What to say before a session is closed for good (`CloseSession`).
    fn goodbye(&mut self) -> Vec<Frame> {
        Vec::new()
    }

    /// When [`Link::errand`] wants to be called next: requests beside the connection, such as the
    /// renewal of a channel before it expires.
    fn errand_due(&self) -> Option<MonoTime> {
        None
    }

    /// The request that is due.
    fn errand(&mut self, _now: MonoTime, _token: &AccessToken) -> Option<Call> {
        None
    }

    /// Takes its answer, whatever the status; `None` where there was none. The batch may hold
    /// controls, such as a subscription that is lost.
    ///
    /// # Errors
    /// When the body is not what the platform sends.
    fn errand_answer(
        &mut self,
        _now: MonoTime,
        _answer: Option<&HttpResponse>,
    ) -> Result<Batch, Unreadable> {
        Ok(Batch::default())
    }

    /// The session fares so from now on, for platforms whose heartbeats depend on it (U28). Told
    /// before the connection opens, and at each change.
    fn condition(&mut self, _now: MonoTime, _condition: Condition) {}

    /// When [`Link::heartbeat`] wants to be called next (U26).
    fn heartbeat_due(&self) -> Option<MonoTime> {
        None
    }

    /// Sends what is due; `Err` when the platform has been silent for too long.
    ///
    /// # Errors
    /// [`Silent`]: the connection is dead.
    fn heartbeat(&mut self, _now: MonoTime, _wall: WallTime) -> Result<Vec<Frame>, Silent> {
        Ok(Vec::new())
    }

    /// Nothing was read until now, for we could not take it (U41): that is no silence of the
    /// platform, and a watchdog begins anew. Told before [`Link::heartbeat`] is taken for the end of
    /// the connection.
    fn unheard(&mut self, _now: MonoTime) {}
}

/// How a session fares (U28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// Round trips and losses are as they should be.
    #[default]
    Stable,
    /// Round trips are slow, or too many are lost.
    Degraded,
    /// No connection is confirmed: one broke, or none stood yet.
    Reconnecting,
}

/// The platform's own heartbeat did not come: the connection is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the platform's heartbeat did not come")]
pub struct Silent;
