//! [`Turns`]: a connection whose streams speak first, and whose writes of one turn leave together.
//!
//! HTTP/2 as it is implemented flushes after each DATA frame of more than 256 bytes. When an event
//! becomes ready for every stream of a connection, that is a system call for each of them, and each
//! of them wakes the connection anew. Here the connection lets its streams go first, its frames are
//! gathered, and the socket is written to once.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What may be gathered.
const GATHERED: usize = 64 << 10;
/// What is written at once: its share of a system call is small, and a copy of it is not.
const LARGE: usize = 16 << 10;

/// The side of a socket that a connection writes to.
#[derive(Debug)]
pub(super) struct Outbox<S>(Arc<Mutex<Inner<S>>>);

#[derive(Debug)]
struct Inner<S> {
    socket: S,
    /// What waits, and how much of it has left.
    waiting: Vec<u8>,
    left: usize,
    /// Something has been put in since the last turn ended.
    used: bool,
    failed: Option<io::Error>,
}

/// A connection over an [`Outbox`].
#[derive(Debug)]
pub(super) struct Turns<C, S> {
    connection: Pin<Box<C>>,
    outbox: Outbox<S>,
    /// Others have had their turn.
    yielded: bool,
}

impl<S> Clone for Outbox<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Outbox<S> {
    pub(super) fn new(socket: S) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            socket,
            waiting: Vec::new(),
            left: 0,
            used: false,
            failed: None,
        })))
    }
}

impl<S: AsyncWrite + Unpin> Inner<S> {
    fn unsent(&self) -> &[u8] {
        self.waiting.get(self.left..).unwrap_or_default()
    }

    /// Writes what waits.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        while !self.unsent().is_empty() {
            let unsent = self.waiting.get(self.left..).unwrap_or_default();
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, unsent))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.left += written;
        }
        self.waiting.clear();
        self.left = 0;
        Poll::Ready(Ok(()))
    }

    /// Puts in what is small and writes what is large.
    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if len >= LARGE || self.unsent().len() + len > GATHERED {
            ready!(self.poll_leave(cx))?;
        }
        if len >= LARGE {
            return Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        }
        self.used = true;
        parts
            .iter()
            .for_each(|part| self.waiting.extend_from_slice(part));
        Poll::Ready(Ok(len))
    }

    /// Ends a turn. A failure is kept for the connection, which is then to be asked again.
    fn end_turn(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(error)) = self.poll_leave(cx) {
            self.waiting = Vec::new();
            self.left = 0;
            self.failed = Some(error);
            cx.waker().wake_by_ref();
        }
        if !std::mem::take(&mut self.used) && self.unsent().is_empty() {
            // A connection that has nothing to say keeps no room for it.
            self.waiting = Vec::new();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Outbox<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        match inner.failed.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut inner.socket).poll_read(cx, into),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Outbox<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_take(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_take(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What waits leaves when the turn ends.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.lock().failed.take().map_or(Ok(()), Err))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        ready!(inner.poll_leave(cx))?;
        Pin::new(&mut inner.socket).poll_shutdown(cx)
    }
}

impl<C, S> Turns<C, S> {
    /// `connection` writes to `outbox`.
    pub(super) fn new(connection: C, outbox: Outbox<S>) -> Self {
        Self {
            connection: Box::pin(connection),
            outbox,
            yielded: false,
        }
    }

    pub(super) fn connection(&mut self) -> Pin<&mut C> {
        self.connection.as_mut()
    }
}

impl<C: Future, S: AsyncWrite + Unpin> Future for Turns<C, S> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let this = &mut *self;
        // What wakes a connection is a stream of it, and with that stream others were woken: a task
        // that wakes itself gets its turn after them.
        this.yielded = !this.yielded;
        if this.yielded {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = this.connection.as_mut().poll(cx);
        this.outbox.0.lock().end_turn(cx);
        polled
    }
}
