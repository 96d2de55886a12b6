//! Carries out the turns of a WebSocket.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::core::Core;
use super::drivers::until_then;
use super::link::Link;
use crate::sandbox::platform::{Bearer, Socket, Turn};

const LARGEST_MESSAGE: usize = 64 << 10;
/// Ten thousand sockets have one each.
const READ_BUFFER: usize = 4 << 10;
/// How long a client may take to answer a close frame.
const CLOSING: Duration = Duration::from_secs(2);
/// Messages read between two turns while there is always something to send.
const READ_BETWEEN: usize = 16;
const NO_STATUS: u16 = 1005;
/// The head of a text frame of 4096 bytes.
const HALF_FRAME: [u8; 4] = [0x81, 0x7e, 0x10, 0x00];

type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// Whether the connection goes on.
#[derive(Debug, PartialEq, Eq)]
enum Course {
    On,
    End,
}

/// The platform's side of one WebSocket, as the shell asks it. It decides; it is dropped when the
/// connection is over.
pub(in crate::sandbox) trait Side: Send {
    /// What happens now, and whether nothing is read: a ping that is not read is not answered.
    fn turn(&mut self) -> (Turn, bool);

    /// A message came. `Some` is what it leads to at once.
    fn hear(&mut self, text: &[u8]) -> Option<Turn>;

    /// The frames of the last turn are on the wire.
    fn sent(&mut self);

    /// A ping came; it is answered by itself.
    fn pinged(&mut self);

    /// The client closed, with this code.
    fn closed(&mut self, code: u16);
}

/// A client's side of genesys-events.
struct Subscriber<'a> {
    core: &'a Arc<Core>,
    socket: Socket,
}

impl Side for Subscriber<'_> {
    fn turn(&mut self) -> (Turn, bool) {
        let (now, wall) = self.core.times();
        self.core.with(|state| {
            let turn = self.socket.turn(state, now, wall);
            (turn, self.socket.is_deaf(state))
        })
    }

    fn hear(&mut self, text: &[u8]) -> Option<Turn> {
        let now = self.core.times();
        let turn = self.core.with(|state| self.socket.hear(state, text, now));
        self.core.notice();
        turn
    }

    fn sent(&mut self) {
        self.core.notice();
    }

    fn pinged(&mut self) {
        self.core.with(|state| state.counters.pings_received += 1);
        self.core.notice();
    }

    fn closed(&mut self, code: u16) {
        self.core
            .with(|state| *state.counters.closes_received.entry(code).or_default() += 1);
        self.core.notice();
    }
}

/// Serves a subscriber of genesys-events until the connection ends.
pub(super) async fn subscriber(
    core: &Arc<Core>,
    link: &Arc<Link>,
    io: TokioIo<Upgraded>,
    bearer: Bearer,
) {
    let now = core.clock.now();
    let socket = core.with(|state| Socket::new(link.id, bearer, state, now));
    run(Subscriber { core, socket }, core.changes(), link, io).await;
}

/// Serves one side of a WebSocket until it ends; it is asked again after each of `changes`.
pub(in crate::sandbox) async fn run(
    side: impl Side,
    changes: watch::Receiver<u64>,
    link: &Arc<Link>,
    io: TokioIo<Upgraded>,
) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let mut shell = Shell { link, stream, side };
    if let Err(error) = shell.run(changes).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "WebSocket ended");
    }
}

struct Shell<'a, S> {
    link: &'a Arc<Link>,
    stream: Stream,
    side: S,
}

impl<S: Side> Shell<'_, S> {
    async fn run(&mut self, mut changes: watch::Receiver<u64>) -> Result<(), Error> {
        loop {
            changes.borrow_and_update();
            let (turn, deaf) = self.side.turn();
            let course = match turn {
                Turn::Wait(until) => tokio::select! {
                    _ = changes.changed() => Course::On,
                    () = until_then(until) => Course::On,
                    message = self.stream.next(), if !deaf => self.hear(message).await?,
                },
                other => {
                    let course = self.carry_out(other).await?;
                    match course {
                        Course::On if !deaf => self.hear_what_came().await?,
                        course => course,
                    }
                }
            };
            if course == Course::End {
                return Ok(());
            }
        }
    }

    async fn carry_out(&mut self, turn: Turn) -> Result<Course, Error> {
        match turn {
            Turn::Send(frames) => {
                for frame in frames {
                    self.stream.feed(Message::text(frame)).await?;
                }
                self.stream.flush().await?;
                self.side.sent();
            }
            Turn::Ping => self.stream.send(Message::Ping(Bytes::new())).await?,
            Turn::Delay(delay) => tokio::time::sleep(delay).await,
            Turn::Freeze => self.link.freeze(),
            Turn::Refuse { error, code } => {
                self.stream.send(Message::text(error)).await?;
                return self.close(code, String::new()).await;
            }
            Turn::Close { code, reason } => return self.close(code, reason).await,
            Turn::Hangup => return Ok(Course::End),
            Turn::Reset { half_of } => {
                if let Some(text) = half_of {
                    let io = self.stream.get_mut();
                    io.write_all(&HALF_FRAME).await?;
                    io.write_all(text.as_bytes()).await?;
                    io.flush().await?;
                }
                self.link.reset();
                return Ok(Course::End);
            }
            Turn::Wait(_) => {}
        }
        Ok(Course::On)
    }

    /// Sends a close frame and waits for its answer.
    async fn close(&mut self, code: u16, reason: String) -> Result<Course, Error> {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        let rest = async {
            self.stream.close(Some(frame)).await?;
            while let Some(message) = self.stream.next().await {
                if let Message::Close(frame) = message? {
                    self.closed(frame.as_ref());
                }
            }
            Ok::<_, Error>(())
        };
        match tokio::time::timeout(CLOSING, rest).await {
            Ok(ended) => ended?,
            Err(_) => tracing::debug!(code, "Close frame was not answered"),
        }
        Ok(Course::End)
    }

    /// Reads what is there already: a flood of events must not keep pings from being answered.
    async fn hear_what_came(&mut self) -> Result<Course, Error> {
        for _ in 0..READ_BETWEEN {
            let Some(message) = self.stream.next().now_or_never() else {
                break;
            };
            if self.hear(message).await? == Course::End {
                return Ok(Course::End);
            }
        }
        Ok(Course::On)
    }

    async fn hear(&mut self, message: Option<Result<Message, Error>>) -> Result<Course, Error> {
        let Some(message) = message.transpose()? else {
            return Ok(Course::End);
        };
        let text = match message {
            Message::Text(text) => Bytes::from(text),
            Message::Binary(bytes) => bytes,
            Message::Ping(_) => {
                self.side.pinged();
                return Ok(Course::On);
            }
            Message::Close(frame) => {
                self.closed(frame.as_ref());
                return Ok(Course::On);
            }
            Message::Pong(_) | Message::Frame(_) => return Ok(Course::On),
        };
        match self.side.hear(&text) {
            Some(turn) => self.carry_out(turn).await,
            None => Ok(Course::On),
        }
    }

    fn closed(&mut self, frame: Option<&CloseFrame>) {
        self.side
            .closed(frame.map_or(NO_STATUS, |frame| frame.code.into()));
    }
}
