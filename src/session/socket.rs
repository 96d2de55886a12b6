//! One WebSocket as a future: frames out of a queue onto the wire, frames off the wire into a queue.
//! No decisions.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::inbox::{Came, Inbox, size_of};
use super::machine::Generation;
use super::outbound::Handover;
use crate::domain::SessionName;
use crate::net::{Frame, HttpFailure, Note, WebSocket, sent};
use crate::runtime::MonoTime;

/// Frames that wait to be sent on one connection; more means that nothing leaves it any more.
pub(super) const OUTGOING: usize = 64;
/// Frames that are handed on together, if so many have come, in number and in bytes.
const AT_ONCE: usize = 64;
const AT_ONCE_BYTES: usize = 64 << 10;

/// How long a peer may take to answer a close frame (U35).
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// What to do on a connection.
#[derive(Debug)]
pub(super) enum Command {
    Send(Sending),
    /// The frame that carries a message: unless it was taken back, and with a word when it is
    /// written.
    Message {
        sending: Sending,
        handover: Handover,
        written: oneshot::Sender<()>,
    },
    Close {
        code: u16,
        /// Where the session stands, for the audit log.
        state: &'static str,
    },
}

/// A frame that is to be sent, with what the audit log says of it.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) frame: Frame,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
}

/// Whose connection it is.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    session: SessionName,
    generation: Generation,
}

impl Wire {
    pub(super) fn new(session: &SessionName, generation: Generation) -> Self {
        Self {
            session: session.clone(),
            generation,
        }
    }

    /// Obeys a command, but for the close frame's answer.
    async fn obey<S: WebSocket>(
        &self,
        socket: &mut S,
        command: Command,
    ) -> Result<(), HttpFailure> {
        match command {
            Command::Send(sending) => self.send(socket, sending).await,
            Command::Message {
                sending,
                handover,
                written,
            } => {
                if handover.begin() {
                    self.send(socket, sending).await?;
                    // The driver may be gone.
                    let _gone = written.send(());
                }
                Ok(())
            }
            Command::Close { code, state } => self.send(socket, goodbye(code, state)).await,
        }
    }

    /// Sends a frame, and writes its line of the audit log (U29).
    async fn send<S: WebSocket>(
        &self,
        socket: &mut S,
        sending: Sending,
    ) -> Result<(), HttpFailure> {
        let Sending { frame, kind, state } = sending;
        let (size, began) = (size_of(&frame), MonoTime::now());
        let result = socket.send(frame).await;
        let outcome = result
            .as_ref()
            .map_or_else(HttpFailure::word, |()| "WRITTEN");
        self.line(kind, state, size, outcome, began.elapsed());
        result
    }

    /// What the shell beneath answers by itself, as the protocol wants it.
    fn answered(&self, came: &Frame) {
        let kind = match came {
            Frame::Ping(_) => "pong",
            Frame::Close { .. } => "close",
            Frame::Text(_) | Frame::Binary(_) | Frame::Pong(_) => return,
        };
        self.line(kind, "", size_of(came), "ANSWERED", Duration::ZERO);
    }

    fn line(
        &self,
        kind: &'static str,
        state: &'static str,
        size: usize,
        outcome: &str,
        took: Duration,
    ) {
        let note = Note {
            kind,
            state,
            generation: self.generation,
            ..Note::default()
        };
        sent(self.session.as_str(), &note, size, outcome, took);
    }
}

/// Runs one connection until it ends, or until the grace after a close frame is over. The socket is
/// boxed, for it is handed on twice, and each would make room for it.
pub(super) async fn run<S: WebSocket>(
    wire: Wire,
    mut socket: Box<S>,
    mut commands: mpsc::Receiver<Command>,
    inbox: Inbox,
) {
    let generation = wire.generation;
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(Command::Close { code, state }) => {
                    return close(&wire, socket, goodbye(code, state), &inbox).await;
                }
                Some(command) => {
                    if let Err(failure) = wire.obey(&mut *socket, command).await {
                        return inbox.ended(generation, Some(failure)).await;
                    }
                }
                None => return,
            },
            first = socket.receive() => {
                let (came, is_over) = gather(&wire, &mut *socket, first);
                if is_over {
                    return inbox.put(generation, came).await;
                }
                // While there is no room, commands still leave.
                if !put_or_obey(&wire, &mut *socket, &mut commands, &inbox, came).await {
                    return;
                }
            }
        }
    }
}

/// What was received, and whatever has come behind it. Whether the connection is over with it.
fn gather<S: WebSocket>(
    wire: &Wire,
    socket: &mut S,
    first: Result<Option<Frame>, HttpFailure>,
) -> (VecDeque<Came>, bool) {
    let mut came = VecDeque::new();
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(received) = next.take() {
        match received {
            Ok(Some(frame)) => {
                wire.answered(&frame);
                bytes += size_of(&frame);
                came.push_back(Came::Frame(frame));
            }
            Ok(None) => {
                came.push_back(Came::Ended(None));
                return (came, true);
            }
            Err(failure) => {
                came.push_back(Came::Ended(Some(failure)));
                return (came, true);
            }
        }
        if came.len() < AT_ONCE && bytes < AT_ONCE_BYTES {
            next = socket.received();
        }
    }
    (came, false)
}

/// Puts frames; false when the connection is over.
async fn put_or_obey<S: WebSocket>(
    wire: &Wire,
    socket: &mut S,
    commands: &mut mpsc::Receiver<Command>,
    inbox: &Inbox,
    came: VecDeque<Came>,
) -> bool {
    let generation = wire.generation;
    let put = inbox.put(generation, came);
    tokio::pin!(put);
    loop {
        tokio::select! {
            biased;
            () = &mut put => return true,
            command = commands.recv() => match command {
                // No time to wait for room: whoever closes wants nothing more.
                Some(Command::Close { code, state }) => {
                    let _broken = wire.send(socket, goodbye(code, state)).await;
                    return false;
                }
                Some(command) => {
                    if let Err(failure) = wire.obey(socket, command).await {
                        put.await;
                        inbox.ended(generation, Some(failure)).await;
                        return false;
                    }
                }
                None => return false,
            },
        }
    }
}

fn goodbye(code: u16, state: &'static str) -> Sending {
    Sending {
        frame: Frame::Close {
            code: Some(code),
            reason: String::new(),
        },
        kind: "close",
        state,
    }
}

/// Sends a close frame and reads on until the peer's, within the grace.
async fn close<S: WebSocket>(wire: &Wire, mut socket: Box<S>, last: Sending, inbox: &Inbox) {
    let farewell = async {
        wire.send(&mut *socket, last).await?;
        while let Some(frame) = socket.receive().await? {
            if matches!(frame, Frame::Close { .. }) {
                break;
            }
        }
        Ok::<(), HttpFailure>(())
    };
    let failure = match tokio::time::timeout(CLOSE_GRACE, farewell).await {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(_) => Some(HttpFailure::Timeout(CLOSE_GRACE)),
    };
    inbox.ended(wire.generation, failure).await;
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;

    /// Takes frames until it breaks.
    #[derive(Debug)]
    struct Paper {
        written: Vec<Frame>,
        breaks_after: usize,
        read: VecDeque<Frame>,
    }

    #[async_trait]
    impl WebSocket for Paper {
        async fn receive(&mut self) -> Result<Option<Frame>, HttpFailure> {
            match self.read.pop_front() {
                Some(frame) => Ok(Some(frame)),
                None => std::future::pending().await,
            }
        }

        async fn send(&mut self, frame: Frame) -> Result<(), HttpFailure> {
            if self.written.len() >= self.breaks_after {
                return Err(HttpFailure::Reset("paper".to_owned()));
            }
            self.written.push(frame);
            Ok(())
        }
    }

    fn message(handover: &Handover) -> (Command, oneshot::Receiver<()>) {
        let (written, told) = oneshot::channel();
        let sending = Sending {
            frame: Frame::Text("hello".into()),
            kind: "message",
            state: "live_websocket",
        };
        let handover = handover.clone();
        let command = Command::Message {
            sending,
            handover,
            written,
        };
        (command, told)
    }

    fn wire() -> Wire {
        Wire::new(&SessionName::new("cc").unwrap(), 1)
    }

    fn paper(breaks_after: usize) -> Paper {
        Paper {
            written: Vec::new(),
            breaks_after,
            read: VecDeque::new(),
        }
    }

    #[tokio::test]
    async fn u36_a_message_is_reported_once_it_is_written() {
        let (mut socket, handover) = (paper(1), Handover::default());
        let (command, told) = message(&handover);
        wire().obey(&mut socket, command).await.unwrap();
        assert_eq!((told.await, socket.written.len()), (Ok(()), 1));
        assert!(!handover.revoke(), "it may have arrived");
    }

    #[tokio::test]
    async fn u36_a_message_that_was_taken_back_is_not_written() {
        let (mut socket, handover) = (paper(1), Handover::default());
        let (command, told) = message(&handover);
        assert!(handover.revoke());
        wire().obey(&mut socket, command).await.unwrap();
        assert!(told.await.is_err() && socket.written.is_empty());
    }

    #[tokio::test]
    async fn u36_a_message_whose_writing_broke_may_have_arrived() {
        let (mut socket, handover) = (paper(0), Handover::default());
        let (command, told) = message(&handover);
        wire().obey(&mut socket, command).await.unwrap_err();
        assert!(told.await.is_err() && !handover.revoke());
    }

    #[tokio::test]
    async fn u36_a_message_behind_a_broken_write_was_certainly_not_written() {
        let (commands, queue) = mpsc::channel(OUTGOING);
        let (inbox, mut frames) = Inbox::new();
        let handover = Handover::default();
        let (command, told) = message(&handover);
        let first = Sending {
            frame: Frame::Ping(bytes::Bytes::new()),
            kind: "ping",
            state: "live_websocket",
        };
        commands.try_send(Command::Send(first)).unwrap();
        commands.try_send(command).unwrap();
        run(wire(), Box::new(paper(0)), queue, inbox).await;
        assert!(matches!(
            frames.next().await.unwrap(),
            (_, Came::Ended(Some(_)))
        ));
        assert!(told.await.is_err() && handover.revoke());
    }
}
