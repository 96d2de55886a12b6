//! [`Link`] and [`Wire`]: a TCP connection that can be frozen and reset from outside.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::runtime::Connection;

/// What can be done to a connection.
#[derive(Debug)]
pub(in crate::sandbox) struct Link {
    /// Counts connections from 1.
    pub(in crate::sandbox) id: u64,
    frozen: AtomicBool,
    reset: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    ended: CancellationToken,
}

impl Link {
    pub(super) fn new(id: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            frozen: AtomicBool::new(false),
            reset: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            ended: CancellationToken::new(),
        })
    }

    /// Not a byte moves until [`Link::thaw`].
    pub(in crate::sandbox) fn freeze(&self) {
        self.frozen.store(true, Ordering::Release);
    }

    /// Bytes move again.
    pub(super) fn thaw(&self) {
        self.frozen.store(false, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    /// Ends the connection with a reset.
    pub(in crate::sandbox) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.ended.cancel();
    }

    /// Completes when the connection is to end at once. Cancel-safe.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Ready unless frozen; else wakes when thawed.
    fn poll_thawed(&self, waker: &AtomicWaker, context: &Context<'_>) -> Poll<()> {
        if !self.frozen.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        waker.register(context.waker());
        match self.frozen.load(Ordering::Acquire) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }
}

/// The bytes of a connection.
#[derive(Debug)]
pub(super) struct Wire<C: Connection> {
    stream: C,
    link: Arc<Link>,
}

impl<C: Connection> Wire<C> {
    pub(super) fn new(stream: C, link: Arc<Link>) -> Self {
        Self { stream, link }
    }
}

impl<C: Connection> Drop for Wire<C> {
    fn drop(&mut self) {
        if self.link.reset.load(Ordering::Acquire) {
            self.stream.reset_on_drop();
        }
    }
}

impl<C: Connection> AsyncRead for Wire<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.link.poll_thawed(&self.link.reader, context));
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<C: Connection> AsyncWrite for Wire<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.link.poll_thawed(&self.link.writer, context));
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.link.poll_thawed(&self.link.writer, context));
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.link.poll_thawed(&self.link.writer, context));
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
