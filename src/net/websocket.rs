//! [`Socket`]: an open WebSocket. Frames in and out, pings answered, every wait bounded.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Sink, SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::contract::{Frame, HttpFailure, WebSocket};
use crate::runtime::MonoTime;

/// A peer that takes no byte for this long is gone; meanwhile nothing is read.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// How long after the peer's close frame its end of the connection is waited for (U35).
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// Outgoing messages are ours and small; beyond this the peer has stopped reading.
const WRITE_BUFFER: usize = 1024 * 1024;
/// RFC 6455 section 5.5.
const MAX_CONTROL: usize = 125;

/// An open WebSocket on a connection of its own.
pub struct Socket<S = reqwest::Upgraded> {
    stream: WebSocketStream<S>,
    /// An answer of ours (pong, close) may still be in the buffer.
    answer_due: bool,
    /// Set by the peer's close frame.
    end_by: Option<MonoTime>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket<S> {
    /// Takes over a connection whose handshake is done. A longer message than `max_message` ends it;
    /// so many bytes are read at once.
    pub(super) async fn new(stream: S, max_message: usize, read_buffer: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(read_buffer)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        Self {
            stream: WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await,
            answer_due: false,
            end_by: None,
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, HttpFailure>> {
        self.poll_answer(cx);
        let message = match ready!(self.stream.poll_next_unpin(cx)) {
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                self.complain(&error, cx);
                return Poll::Ready(Err(failure(&error)));
            }
            None => return Poll::Ready(Ok(None)),
        };
        match message {
            // tungstenite has queued the answer; it must leave even if nobody reads on soon.
            Message::Ping(_) => {
                self.answer_due = true;
                self.poll_answer(cx);
            }
            Message::Close(_) => {
                self.answer_due = true;
                self.end_by = Some(MonoTime::now() + CLOSE_LIMIT);
                self.poll_answer(cx);
            }
            _ => {}
        }
        Poll::Ready(Ok(into_frame(message)))
    }

    /// Pushes queued answers out as far as the connection takes them; never waits.
    fn poll_answer(&mut self, cx: &mut Context<'_>) {
        if self.answer_due && Pin::new(&mut self.stream).poll_flush(cx).is_ready() {
            // Where this failed, reading fails too and says why.
            self.answer_due = false;
        }
    }

    /// Tells a peer that broke the protocol or our limit why the connection ends.
    fn complain(&mut self, error: &Error, cx: &mut Context<'_>) {
        let code = match error {
            Error::Capacity(_) => CloseCode::Size,
            Error::Utf8(_) => CloseCode::Invalid,
            Error::Protocol(_) => CloseCode::Protocol,
            _ => return,
        };
        let close = Message::Close(Some(CloseFrame {
            code,
            reason: Utf8Bytes::from_static(""),
        }));
        self.answer_due = Pin::new(&mut self.stream).start_send(close).is_ok();
        self.poll_answer(cx);
    }
}

impl<S> fmt::Debug for Socket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("closing", &self.end_by.is_some())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: AsyncRead + AsyncWrite + Unpin + Send> WebSocket for Socket<S> {
    async fn receive(&mut self) -> Result<Option<Frame>, HttpFailure> {
        let end_by = self.end_by;
        let next = poll_fn(|cx| self.poll_receive(cx));
        match end_by {
            None => next.await,
            Some(end_by) => timeout_at(end_by, next).await.unwrap_or(Ok(None)),
        }
    }

    fn received(&mut self) -> Option<Result<Option<Frame>, HttpFailure>> {
        // Nobody is woken for what comes later: whoever wants that waits for it.
        let mut cx = Context::from_waker(Waker::noop());
        match self.poll_receive(&mut cx) {
            Poll::Ready(received) => Some(received),
            Poll::Pending => None,
        }
    }

    async fn send(&mut self, frame: Frame) -> Result<(), HttpFailure> {
        let message = into_message(frame)?;
        match timeout(SEND_LIMIT, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(HttpFailure::Reset(format!(
                "the peer took nothing for {SEND_LIMIT:?}"
            ))),
        }
    }
}

/// `None` for raw frames, which reading never yields.
fn into_frame(message: Message) -> Option<Frame> {
    Some(match message {
        Message::Text(text) => Frame::Text(Bytes::from(text)),
        Message::Binary(bytes) => Frame::Binary(bytes),
        Message::Ping(bytes) => Frame::Ping(bytes),
        Message::Pong(bytes) => Frame::Pong(bytes),
        Message::Close(None) => Frame::Close {
            code: None,
            reason: String::new(),
        },
        Message::Close(Some(close)) => Frame::Close {
            code: Some(close.code.into()),
            reason: close.reason.as_str().to_owned(),
        },
        Message::Frame(_) => return None,
    })
}

fn into_message(frame: Frame) -> Result<Message, HttpFailure> {
    let control = |bytes: Bytes| match bytes.len() {
        0..=MAX_CONTROL => Ok(bytes),
        _ => Err(HttpFailure::TooLarge { limit: MAX_CONTROL }),
    };
    Ok(match frame {
        Frame::Text(bytes) => Message::Text(
            Utf8Bytes::try_from(bytes)
                .map_err(|_| HttpFailure::Reset("outgoing text is not UTF-8".to_owned()))?,
        ),
        Frame::Binary(bytes) => Message::Binary(bytes),
        Frame::Ping(bytes) => Message::Ping(control(bytes)?),
        Frame::Pong(bytes) => Message::Pong(control(bytes)?),
        Frame::Close { code: None, .. } => Message::Close(None),
        Frame::Close {
            code: Some(code),
            reason,
        } => {
            let reason = reason
                .get(..reason.floor_char_boundary(MAX_CONTROL - 2))
                .unwrap_or_default();
            Message::Close(Some(CloseFrame {
                code: CloseCode::from(code),
                reason: reason.into(),
            }))
        }
    })
}

fn failure(error: &Error) -> HttpFailure {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
            HttpFailure::TooLarge { limit: *max_size }
        }
        Error::WriteBufferFull(_) => HttpFailure::TooLarge {
            limit: WRITE_BUFFER,
        },
        error => HttpFailure::Reset(error.to_string()),
    }
}
