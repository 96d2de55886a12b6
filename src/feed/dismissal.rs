//! [`Dismissal`]: how an operator tells a running stream to end, and what its poll tells operators. A
//! load of an atomic for each step of a stream, a store for each of its polls.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// Shared by a stream and those who may end it.
#[derive(Debug, Default)]
pub(super) struct Dismissal {
    told: AtomicBool,
    stream: AtomicWaker,
    /// The stream has nothing to send: what it sent last was taken, or it is about to be.
    waits: AtomicBool,
}

impl Dismissal {
    /// Tells the stream to end.
    pub(super) fn tell(&self) {
        self.told.store(true, Ordering::Release);
        self.stream.wake();
    }

    /// Whether it was told.
    pub(super) fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// The stream is about to wait: it is woken when it is told. True if it has been told meanwhile.
    pub(super) fn waits_by(&self, waker: &Waker) -> bool {
        self.stream.register(waker);
        self.waits.store(true, Ordering::Relaxed);
        self.is_told()
    }

    /// The stream gave a response away.
    pub(super) fn gives(&self) {
        self.waits.store(false, Ordering::Relaxed);
    }

    /// Whether the stream was asked for more since it gave its last response.
    pub(super) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }
}
