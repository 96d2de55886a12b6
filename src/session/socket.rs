//! One WebSocket as a future: frames out of a queue onto the wire, frames off the wire into a queue.
//! No decisions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::machine::Generation;
use crate::net::{Frame, HttpFailure, WebSocket};

/// Frames that wait to be sent on one connection; more means that nothing leaves it any more.
pub(super) const OUTGOING: usize = 64;
/// Frames of all connections that wait for the machine, in number and in bytes (U41).
pub(super) const INCOMING: usize = 64;
pub(super) const INCOMING_BYTES: usize = 16 << 20;

/// How long a peer may take to answer a close frame (U35).
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// What to do on a connection.
#[derive(Debug)]
pub(super) enum Command {
    Send(Frame),
    Close(u16),
}

/// What came from a connection. The room it takes is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) generation: Generation,
    pub(super) what: Came,
    _room: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
pub(super) enum Came {
    Frame(Frame),
    Ended(Option<HttpFailure>),
}

/// Where incoming frames go.
#[derive(Debug, Clone)]
pub(super) struct Inbox {
    frames: mpsc::Sender<Incoming>,
    room: Arc<Semaphore>,
}

impl Inbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<Incoming>) {
        let (frames, receiver) = mpsc::channel(INCOMING);
        let room = Arc::new(Semaphore::new(INCOMING_BYTES));
        (Self { frames, room }, receiver)
    }

    /// Waits for room; nothing more is read meanwhile, which is the back-pressure.
    async fn put(&self, generation: Generation, what: Came) {
        let size = match &what {
            Came::Frame(Frame::Text(b) | Frame::Binary(b) | Frame::Ping(b) | Frame::Pong(b)) => {
                b.len()
            }
            Came::Frame(Frame::Close { .. }) | Came::Ended(_) => 0,
        };
        let size = u32::try_from(size.min(INCOMING_BYTES)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(size).await.ok();
        let incoming = Incoming {
            generation,
            what,
            _room: room,
        };
        // The driver is gone: there is nobody to tell.
        let _gone = self.frames.send(incoming).await;
    }
}

/// Runs one connection until it ends, or until the grace after a close frame is over.
pub(super) async fn run<S: WebSocket>(
    generation: Generation,
    mut socket: S,
    mut commands: mpsc::Receiver<Command>,
    inbox: Inbox,
) {
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(Command::Send(frame)) => {
                    if let Err(failure) = socket.send(frame).await {
                        return inbox.put(generation, Came::Ended(Some(failure))).await;
                    }
                }
                Some(Command::Close(code)) => {
                    return close(generation, socket, code, &inbox).await;
                }
                None => return,
            },
            received = socket.receive() => match received {
                Ok(Some(frame)) => {
                    // While there is no room, commands still leave.
                    if !put_or_obey(generation, &mut socket, &mut commands, &inbox, frame).await {
                        return;
                    }
                }
                Ok(None) => return inbox.put(generation, Came::Ended(None)).await,
                Err(failure) => {
                    return inbox.put(generation, Came::Ended(Some(failure))).await;
                }
            },
        }
    }
}

/// Puts one frame; false when the connection is over.
async fn put_or_obey<S: WebSocket>(
    generation: Generation,
    socket: &mut S,
    commands: &mut mpsc::Receiver<Command>,
    inbox: &Inbox,
    frame: Frame,
) -> bool {
    let put = inbox.put(generation, Came::Frame(frame));
    tokio::pin!(put);
    loop {
        tokio::select! {
            biased;
            () = &mut put => return true,
            command = commands.recv() => match command {
                Some(Command::Send(frame)) => {
                    if let Err(failure) = socket.send(frame).await {
                        put.await;
                        inbox.put(generation, Came::Ended(Some(failure))).await;
                        return false;
                    }
                }
                // No time to wait for room: whoever closes wants nothing more.
                Some(Command::Close(code)) => {
                    let frame = Frame::Close { code: Some(code), reason: String::new() };
                    let _broken = socket.send(frame).await;
                    return false;
                }
                None => return false,
            },
        }
    }
}

/// Sends a close frame and reads on until the peer's, within the grace.
async fn close<S: WebSocket>(generation: Generation, mut socket: S, code: u16, inbox: &Inbox) {
    let frame = Frame::Close {
        code: Some(code),
        reason: String::new(),
    };
    let goodbye = async {
        socket.send(frame).await?;
        while let Some(frame) = socket.receive().await? {
            if matches!(frame, Frame::Close { .. }) {
                break;
            }
        }
        Ok::<(), HttpFailure>(())
    };
    let failure = match tokio::time::timeout(CLOSE_GRACE, goodbye).await {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(_) => Some(HttpFailure::Timeout(CLOSE_GRACE)),
    };
    inbox.put(generation, Came::Ended(failure)).await;
}
