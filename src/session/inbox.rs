//! [`Inbox`] and [`Arrivals`]: what connections bring, on its way to the machine. Bounded in number
//! and in bytes; what came together travels together.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::machine::Generation;
use crate::net::{Frame, HttpFailure};

/// What waits for the machine of all connections: frames that were handed on together, and bytes
/// (U41).
const INCOMING: usize = 8;
const INCOMING_BYTES: usize = 16 << 20;

/// What came from a connection.
#[derive(Debug)]
pub(super) enum Came {
    Frame(Frame),
    Ended(Option<HttpFailure>),
}

/// What came together. The room it takes is given back when it is dropped.
#[derive(Debug)]
struct Incoming {
    generation: Generation,
    what: VecDeque<Came>,
    _room: Option<OwnedSemaphorePermit>,
}

/// Where incoming frames go.
#[derive(Debug, Clone)]
pub(super) struct Inbox {
    frames: mpsc::Sender<Incoming>,
    room: Arc<Semaphore>,
}

/// Where they are taken from, one by one.
#[derive(Debug)]
pub(super) struct Arrivals {
    frames: mpsc::Receiver<Incoming>,
    begun: Option<Incoming>,
}

impl Inbox {
    pub(super) fn new() -> (Self, Arrivals) {
        let (frames, receiver) = mpsc::channel(INCOMING);
        let room = Arc::new(Semaphore::new(INCOMING_BYTES));
        let arrivals = Arrivals {
            frames: receiver,
            begun: None,
        };
        (Self { frames, room }, arrivals)
    }

    /// Waits for room; nothing more is read meanwhile, which is the back-pressure.
    pub(super) async fn put(&self, generation: Generation, what: VecDeque<Came>) {
        let size: usize = what.iter().map(Came::size).sum();
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

    pub(super) async fn ended(&self, generation: Generation, failure: Option<HttpFailure>) {
        self.put(generation, [Came::Ended(failure)].into()).await;
    }
}

impl Arrivals {
    /// Waits for the next thing that comes. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<(Generation, Came)> {
        loop {
            if let Some(next) = self.take() {
                return Some(next);
            }
            self.begun = Some(self.frames.recv().await?);
        }
    }

    /// The next thing, if one has come.
    pub(super) fn try_next(&mut self) -> Option<(Generation, Came)> {
        loop {
            if let Some(next) = self.take() {
                return Some(next);
            }
            self.begun = Some(self.frames.try_recv().ok()?);
        }
    }

    fn take(&mut self) -> Option<(Generation, Came)> {
        let begun = self.begun.as_mut()?;
        match begun.what.pop_front() {
            Some(came) => Some((begun.generation, came)),
            None => {
                self.begun = None;
                None
            }
        }
    }
}

impl Came {
    fn size(&self) -> usize {
        match self {
            Self::Frame(frame) => size_of(frame),
            Self::Ended(_) => 0,
        }
    }
}

/// Bytes of a frame that were, or will be, on the wire, but for its head.
pub(super) fn size_of(frame: &Frame) -> usize {
    match frame {
        Frame::Text(b) | Frame::Binary(b) | Frame::Ping(b) | Frame::Pong(b) => b.len(),
        // The code, and what it says besides.
        Frame::Close { code, reason } => reason.len() + code.map_or(0, |_| 2),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn frames(texts: &[&'static str]) -> VecDeque<Came> {
        let frame = |text: &&'static str| Came::Frame(Frame::Text(text.as_bytes().into()));
        texts.iter().map(frame).collect()
    }

    fn text(came: Option<(Generation, Came)>) -> Option<(Generation, String)> {
        let (generation, Came::Frame(Frame::Text(text))) = came? else {
            return None;
        };
        Some((generation, String::from_utf8(text.to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn what_came_together_is_taken_one_by_one_in_its_order() {
        let (inbox, mut arrivals) = Inbox::new();
        inbox.put(1, frames(&["a", "b"])).await;
        inbox.put(2, frames(&["c"])).await;
        inbox.ended(2, None).await;
        let mut taken = Vec::new();
        taken.extend(text(arrivals.next().await));
        taken.extend(std::iter::from_fn(|| text(arrivals.try_next())));
        let expected = [(1, "a"), (1, "b"), (2, "c")];
        assert_eq!(taken, expected.map(|(g, text)| (g, text.to_owned())));
        assert!(
            arrivals.try_next().is_none(),
            "the end was taken by the loop"
        );
    }

    #[tokio::test]
    async fn u41_room_is_given_back_once_all_that_came_together_is_taken() {
        let (inbox, mut arrivals) = Inbox::new();
        let large = || Came::Frame(Frame::Binary(vec![0; INCOMING_BYTES / 2].into()));
        inbox.put(1, [large(), large()].into()).await;
        let mut more = Box::pin(inbox.put(1, frames(&["a"])));
        assert!(more.as_mut().now_or_never().is_none());
        for _ in 0..2 {
            arrivals.next().await.unwrap();
            assert!(more.as_mut().now_or_never().is_none());
        }
        assert!(arrivals.try_next().is_none());
        more.await;
        assert_eq!(text(arrivals.next().await), Some((1, "a".to_owned())));
    }
}
