//! The writer's thread: hands the [`Writer`] what waits, and answers. It decides nothing.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot};

use super::encode::EncodedCommit;
use super::writer::Writer;
use super::{AppendError, Committed};
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// From so many at once on, commits that come together wait for each other.
const CROWD: usize = 8;
/// Commits that come together follow each other within this time, and all come within that.
const APART: Duration = Duration::from_micros(10);
const TOGETHER: Duration = Duration::from_micros(100);

/// What the writer is told.
#[derive(Debug)]
pub(crate) enum Message {
    Append(Request),
    /// It is so late, and the journal has been open for so long.
    Tick(WallTime, Duration),
    /// The file for the next segment is ready, or could not be made.
    SparePrepared(bool),
    /// End in order, once everything before this is done.
    Close,
}

/// One commit that waits.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) commit: EncodedCommit,
    pub(crate) len: usize,
    /// Its share of what may wait.
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) answer: oneshot::Sender<Result<Committed, AppendError>>,
}

/// A file of zeros that the writer asks for.
#[derive(Debug, Default)]
pub(crate) struct SpareOrder {
    bytes: AtomicU64,
    placed: Notify,
}

impl SpareOrder {
    fn place(&self, bytes: Option<u64>) {
        let bytes = bytes.unwrap_or(0);
        if self.bytes.swap(bytes, Ordering::AcqRel) != bytes && bytes > 0 {
            self.placed.notify_one();
        }
    }

    /// Waits for an order. Cancel-safe.
    pub(crate) async fn placed(&self) -> u64 {
        loop {
            self.placed.notified().await;
            let bytes = self.bytes.load(Ordering::Acquire);
            if bytes > 0 {
                return bytes;
            }
        }
    }
}

/// How many commits were written together of late. Where they come in crowds, the first of one does
/// not go to the disk alone while the others are on their way.
#[derive(Debug)]
struct Crowd {
    last: usize,
    before: usize,
    /// How long after one commit the next is waited for, and how long after the first.
    apart: Duration,
    together: Duration,
}

impl Crowd {
    fn new(apart: Duration, together: Duration) -> Self {
        Self {
            last: 0,
            before: 0,
            apart,
            together,
        }
    }

    fn came(&mut self, count: usize) {
        self.before = std::mem::replace(&mut self.last, count);
    }

    /// Waits for the next message, if there are to be more commits than `count`, the first of which
    /// came at `first`.
    fn wait(
        &self,
        count: usize,
        first: MonoTime,
        inbox: &mut mpsc::Receiver<Message>,
    ) -> Option<Message> {
        let expected = self.last.max(self.before);
        if expected < CROWD || count >= expected {
            return None;
        }
        let begun = MonoTime::now();
        while begun.elapsed() < self.apart && first.elapsed() < self.together {
            std::thread::yield_now();
            if let Ok(message) = inbox.try_recv() {
                return Some(message);
            }
        }
        None
    }
}

/// Runs until it is told to close or nobody is left to tell it anything.
pub(crate) fn run(mut writer: Writer, mut inbox: mpsc::Receiver<Message>, order: &Arc<SpareOrder>) {
    let mut crowd = Crowd::new(APART, TOGETHER);
    let mut next = inbox.blocking_recv();
    while let Some(message) = next.take() {
        match turn(&mut writer, message, &mut inbox, &mut crowd, order) {
            ControlFlow::Continue(other) => next = other.or_else(|| inbox.blocking_recv()),
            ControlFlow::Break(()) => break,
        }
    }
    inbox.close();
    writer.close();
}

/// The same on the runtime's own time, for simulations. Before each turn it waits for as long as the
/// disk is said to take.
#[cfg(any(test, feature = "testing"))]
pub(crate) async fn run_as_task(
    mut writer: Writer,
    mut inbox: mpsc::Receiver<Message>,
    order: Arc<SpareOrder>,
    disk_takes: impl Fn() -> Duration,
) {
    // Nothing comes while the only thread waits.
    let mut crowd = Crowd::new(Duration::ZERO, Duration::ZERO);
    let mut next = inbox.recv().await;
    while let Some(message) = next.take() {
        tokio::time::sleep(disk_takes()).await;
        match turn(&mut writer, message, &mut inbox, &mut crowd, &order) {
            ControlFlow::Continue(Some(other)) => next = Some(other),
            ControlFlow::Continue(None) => next = inbox.recv().await,
            ControlFlow::Break(()) => break,
        }
    }
    inbox.close();
    writer.close();
}

/// Does what one message asks for. Goes on with the message that did not belong to it.
fn turn(
    writer: &mut Writer,
    message: Message,
    inbox: &mut mpsc::Receiver<Message>,
    crowd: &mut Crowd,
    order: &SpareOrder,
) -> ControlFlow<(), Option<Message>> {
    let mut other = None;
    match message {
        Message::Append(first) => other = append(writer, first, inbox, crowd),
        Message::Tick(now, uptime) => writer.tick(now, uptime),
        Message::SparePrepared(prepared) => writer.spare_prepared(prepared),
        Message::Close => return ControlFlow::Break(()),
    }
    order.place(writer.wanted_spare());
    ControlFlow::Continue(other)
}

/// Appends a commit and all that wait behind it, up to a bound, with one write. Returns the message
/// that did not belong to them.
fn append(
    writer: &mut Writer,
    first: Request,
    inbox: &mut mpsc::Receiver<Message>,
    crowd: &mut Crowd,
) -> Option<Message> {
    let (max_bytes, max_commits) = writer.batch_bounds();
    let begun = MonoTime::now();
    let mut bytes = first.len;
    let mut requests = vec![first];
    let mut other = None;
    while bytes < max_bytes && requests.len() < max_commits {
        let next = inbox.try_recv().ok();
        match next.or_else(|| crowd.wait(requests.len(), begun, inbox)) {
            Some(Message::Append(request)) => {
                bytes += request.len;
                requests.push(request);
            }
            Some(message) => {
                other = Some(message);
                break;
            }
            None => break,
        }
    }
    crowd.came(requests.len());
    let mut commits = Vec::with_capacity(requests.len());
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        commits.push(request.commit);
        answers.push((request.answer, request.permit));
    }
    // Whoever does not wait for an answer any more has dropped its end; that is its right.
    match writer.append(commits) {
        Ok(committed) => {
            for ((answer, _), committed) in answers.into_iter().zip(committed) {
                answer.send(Ok(committed)).ok();
            }
        }
        Err(error) => {
            for (answer, _) in answers {
                answer.send(Err(error.clone())).ok();
            }
        }
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR_EVER: Duration = Duration::from_secs(1 << 30);

    #[test]
    fn a_crowd_is_waited_for_until_it_is_complete() {
        let (sender, mut inbox) = mpsc::channel(1);
        let now = MonoTime::now();
        let mut crowd = Crowd::new(FOR_EVER, FOR_EVER);
        crowd.came(1);
        crowd.came(20);
        crowd.came(1);
        sender.try_send(Message::Close).unwrap();
        let came = crowd.wait(19, now, &mut inbox);
        assert!(matches!(came, Some(Message::Close)));
        assert!(crowd.wait(20, now, &mut inbox).is_none());
    }

    #[test]
    fn a_few_are_not_waited_for_and_a_crowd_not_for_ever() {
        let (_sender, mut inbox) = mpsc::channel(1);
        let now = MonoTime::now();
        let mut few = Crowd::new(FOR_EVER, FOR_EVER);
        few.came(CROWD - 1);
        assert!(few.wait(1, now, &mut inbox).is_none());
        for (apart, together) in [(Duration::ZERO, FOR_EVER), (FOR_EVER, Duration::ZERO)] {
            let mut gone = Crowd::new(apart, together);
            gone.came(100);
            assert!(gone.wait(1, now, &mut inbox).is_none());
        }
    }
}
