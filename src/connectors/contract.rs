//! The traits [`Connector`] and [`Link`]: all that the engine needs to know of a platform. Both are
//! pure: no clock, no socket, no task, no chance.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::{
    Batch, Capabilities, Confirms, Dispatch, LossWindow, NumberRange, Opaque, Outgoing,
    ProviderEvent, Recoverer, Resume, SendOutcome, Sending, Transport, Unreadable, Unsendable,
};
use crate::auth::AccessToken;
use crate::domain::{Platform, WallTime};
use crate::net::{Frame, HttpResponse, UrlPolicy};
use crate::proto::v1;
use crate::runtime::MonoTime;

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
    /// The session is over for good ([`super::Control::Expired`]).
    Expired,
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

    /// A frame whose answer the platform sends behind everything that it sent before (U16, U18). The
    /// protocol's own ping with this payload, whose pong carries it too; where a platform has a ping
    /// of its own, its answer is told as [`super::Control::Proof`].
    fn ask(&mut self, name: &Bytes) -> Frame {
        Frame::Ping(name.clone())
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
