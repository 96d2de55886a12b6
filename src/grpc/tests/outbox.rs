//! What a connection writes in a turn: all of it, in its order, with one write.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::grpc::outbox::{Outbox, Turns};

/// Takes at most so many bytes at once, and says that it is full in between.
#[derive(Debug)]
struct Socket {
    most: usize,
    is_full: bool,
    writes: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.most == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        self.is_full = !self.is_full && self.most < usize::MAX;
        if self.is_full {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let taken = &bytes[..bytes.len().min(self.most)];
        self.writes.lock().push(taken.to_vec());
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A connection that writes and flushes each of these and then closes; what the socket was given.
async fn written(most: usize, parts: Vec<Vec<u8>>) -> (io::Result<()>, Vec<Vec<u8>>) {
    let writes = Arc::default();
    let outbox = Outbox::new(Socket {
        most,
        is_full: false,
        writes: Arc::clone(&writes),
    });
    let mut side = outbox.clone();
    let connection = async move {
        for part in parts {
            side.write_all(&part).await?;
            side.flush().await?;
        }
        tokio::task::yield_now().await;
        side.flush().await?;
        side.shutdown().await
    };
    let ended = Turns::new(connection, outbox).await;
    let writes = std::mem::take(&mut *writes.lock());
    (ended, writes)
}

#[tokio::test]
async fn small_writes_of_one_turn_leave_together() {
    let parts = vec![vec![1; 9], vec![2; 5_000], vec![3; 9], vec![4; 5_000]];
    let (ended, writes) = written(usize::MAX, parts.clone()).await;
    ended.unwrap();
    assert_eq!(writes, [parts.concat()]);
}

#[tokio::test]
async fn a_large_write_follows_what_waits_and_is_not_copied() {
    let parts = vec![vec![1; 9], vec![2; 40_000], vec![3; 9]];
    let (ended, writes) = written(usize::MAX, parts.clone()).await;
    ended.unwrap();
    assert_eq!(writes, parts);
}

#[tokio::test]
async fn a_broken_socket_ends_the_connection() {
    let (ended, writes) = written(0, vec![vec![1; 9]]).await;
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert!(writes.is_empty());
}

#[tokio::test]
async fn other_tasks_go_before_a_connection_that_was_woken() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let (first, second) = (Arc::clone(&order), Arc::clone(&order));
    let outbox = Outbox::new(tokio::io::sink());
    let connection = async move { first.lock().push("connection") };
    tokio::join!(Turns::new(connection, outbox), async move {
        second.lock().push("stream");
    });
    assert_eq!(*order.lock(), ["stream", "connection"]);
}

proptest! {
    #[test]
    fn every_byte_arrives_once_and_in_order(
        sizes in proptest::collection::vec(0..40_000_usize, 0..12),
        most in 1_000..50_000_usize,
    ) {
        let numbered = (0_u8..).zip(&sizes).map(|(n, size)| vec![n; *size]);
        let parts: Vec<Vec<u8>> = numbered.collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (ended, writes) = runtime.block_on(written(most, parts.clone()));
        prop_assert!(ended.is_ok());
        prop_assert_eq!(writes.concat(), parts.concat());
    }
}
