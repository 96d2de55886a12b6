//! What goes into the machine and what comes out of it.

use std::sync::Arc;

use crate::auth::{AccessToken, TokenProblem};
use crate::connectors::Connector;
use crate::domain::WallTime;
use crate::journal::{AppendError, Commit, Committed};
use crate::net::{
    Frame, HandshakeFailure, HttpFailure, HttpRequest, HttpResponse, WebSocketRequest,
};
use crate::runtime::MonoTime;
use crate::session::health::HealthReport;
use crate::session::outbound::{Answer, Handover, NewMessage, Stage, Ticket};

/// Names one connection; rises. Frames of an older one are dropped.
pub type Generation = u64;

/// Names one request; rises. An answer nobody waits for any more is dropped.
pub type CallId = u64;

/// Names one commit, and its place among those of a machine; rises by one from zero.
pub type CommitNumber = u64;

/// The moment of an input, on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// For scheduling.
    pub now: MonoTime,
    /// For people.
    pub wall: WallTime,
}

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// Begin.
    Start,
    /// The answer to [`Action::AskToken`].
    Token(Result<AccessToken, TokenProblem>),
    /// The credential has a new token, whoever asked for it.
    TokenRenewed {
        /// Its generation.
        generation: u64,
    },
    /// A secret of the credential, or the proxy's password, is not what it was.
    SecretsChanged,
    /// What is subscribed to changed.
    Replaced(Arc<dyn Connector>),
    /// A handshake waits for its turn: its time has not begun.
    DialWaits {
        /// Which connection.
        generation: Generation,
    },
    /// It is its turn.
    DialBegins {
        /// Which connection.
        generation: Generation,
    },
    /// The answer to [`Action::Dial`].
    Dialled {
        /// Which connection.
        generation: Generation,
        /// Whether it stands.
        result: Result<(), HandshakeFailure>,
    },
    /// A frame.
    Frame {
        /// Of which connection.
        generation: Generation,
        /// The frame.
        frame: Frame,
    },
    /// A connection ended without a close frame.
    Closed {
        /// Which connection.
        generation: Generation,
        /// Why, unless it was an orderly end.
        failure: Option<HttpFailure>,
    },
    /// The answer to [`Action::Call`].
    Answer {
        /// Which request.
        call: CallId,
        /// The answer.
        result: Result<HttpResponse, HttpFailure>,
    },
    /// The answer to [`Action::Append`].
    Appended {
        /// Which commit.
        number: CommitNumber,
        /// What became of it.
        result: Result<Committed, AppendError>,
    },
    /// The answer to [`Action::AskHealth`].
    Health(HealthReport),
    /// Somebody wants a message to be sent.
    Send {
        /// Where to answer.
        ticket: Ticket,
        /// The message.
        message: Box<NewMessage>,
        /// When to answer.
        wait_for: Stage,
    },
    /// Somebody wants a message not to be sent any more.
    CancelMessage {
        /// Where to answer.
        ticket: Ticket,
        /// The message's id.
        id: String,
    },
    /// Whoever is to be answered has left.
    Left(Ticket),
    /// The frames of [`Action::Dispatch`] were given to the socket and flushed.
    Written {
        /// On which connection.
        generation: Generation,
        /// Which of its dispatches.
        ticket: Ticket,
    },
    /// The session is to end for good.
    CloseAsked,
    /// An operator wants a new connection.
    ReconnectAsked,
    /// The process ends.
    Drain,
}

/// What to do outside.
#[derive(Debug)]
pub enum Action {
    /// Ask the token source for a token; one question at a time.
    AskToken,
    /// Tell the token source that a token was not accepted.
    RejectToken(u64),
    /// Open a WebSocket.
    Dial {
        /// Its generation.
        generation: Generation,
        /// The handshake.
        request: Box<WebSocketRequest>,
    },
    /// Send a frame.
    Send {
        /// On which connection.
        generation: Generation,
        /// The frame.
        frame: Frame,
        /// What it is, in a word of the audit log.
        kind: &'static str,
    },
    /// Send frames, the last of which carries a message, and report when it is written.
    Dispatch {
        /// On which connection.
        generation: Generation,
        /// The frames.
        frames: Vec<Frame>,
        /// To be begun before the first byte of the last frame is given to the socket.
        handover: Handover,
        /// For [`Input::Written`].
        ticket: Ticket,
    },
    /// Tell whoever asked.
    Answer(Ticket, Answer),
    /// Close politely: send a close frame, then read until the peer's.
    Close {
        /// Which connection.
        generation: Generation,
        /// The close code.
        code: u16,
    },
    /// Forget a connection, or a handshake under way, at once.
    Drop {
        /// Which.
        generation: Generation,
    },
    /// Send a request.
    Call {
        /// Its name.
        call: CallId,
        /// The request.
        request: Box<HttpRequest>,
    },
    /// Forget a request under way.
    Cancel {
        /// Which.
        call: CallId,
    },
    /// Ask for the next health report of this connector's endpoint; one question at a time.
    AskHealth(Arc<dyn Connector>),
    /// Forget the question.
    DropHealth,
    /// Append to the journal. Others may be under way, none of them behind it.
    Append {
        /// Its number.
        number: CommitNumber,
        /// What is to be kept behind all commits with lower numbers, or not at all.
        commit: Arc<Commit>,
    },
    /// Post [`super::Machine::status`] on the board.
    Post,
}

/// What to do, in order.
pub type Actions = Vec<Action>;
