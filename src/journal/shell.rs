//! The writer's thread: hands the [`Writer`] what waits, and answers. It decides nothing.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot};

use super::encode::EncodedCommit;
use super::writer::Writer;
use super::{AppendError, Committed, Erasure, Turn};
use crate::domain::WallTime;

/// What the writer is told.
#[derive(Debug)]
pub(crate) enum Message {
    Append(Request),
    /// Erase; first told when nobody reads it any more, then when nothing holds it.
    Erase(Box<Erasure>, Begun, oneshot::Sender<()>),
    /// It is so late, and the journal has been open for so long.
    Tick(WallTime, Duration),
    /// The file for the next segment is ready, or could not be made.
    SparePrepared(bool),
    /// End in order, once everything before this is done.
    Close,
}

type Begun = oneshot::Sender<Result<(), AppendError>>;
type Asker = oneshot::Sender<Result<Committed, AppendError>>;

/// One commit that waits.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) commit: EncodedCommit,
    pub(crate) len: usize,
    pub(crate) turn: Option<Turn>,
    /// Its share of what may wait.
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) answer: Asker,
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

/// Runs until it is told to close or nobody is left to tell it anything.
pub(crate) fn run(mut writer: Writer, mut inbox: mpsc::Receiver<Message>, order: &Arc<SpareOrder>) {
    let mut next = at_hand(&mut writer, &mut inbox).or_else(|| inbox.blocking_recv());
    while let Some(message) = next.take() {
        match turn(&mut writer, message, &mut inbox, order) {
            ControlFlow::Continue(other) => {
                next = other
                    .or_else(|| at_hand(&mut writer, &mut inbox))
                    .or_else(|| inbox.blocking_recv());
            }
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
    let mut next = match at_hand(&mut writer, &mut inbox) {
        Some(message) => Some(message),
        None => inbox.recv().await,
    };
    while let Some(message) = next.take() {
        tokio::time::sleep(disk_takes()).await;
        match turn(&mut writer, message, &mut inbox, &order) {
            ControlFlow::Continue(Some(other)) => next = Some(other),
            ControlFlow::Continue(None) => {
                next = match at_hand(&mut writer, &mut inbox) {
                    Some(message) => Some(message),
                    None => inbox.recv().await,
                };
            }
            ControlFlow::Break(()) => break,
        }
    }
    inbox.close();
    writer.close();
}

/// The next message, as long as there is something to erase beside it: nobody waits for more than one
/// segment. `None` where nothing is left to erase, or nobody is left.
fn at_hand(writer: &mut Writer, inbox: &mut mpsc::Receiver<Message>) -> Option<Message> {
    while writer.owes_erasure() {
        match inbox.try_recv() {
            Ok(message) => return Some(message),
            Err(mpsc::error::TryRecvError::Empty) => writer.erase_step(),
            Err(mpsc::error::TryRecvError::Disconnected) => return None,
        }
    }
    None
}

/// Does what one message asks for. Goes on with the message that did not belong to it.
fn turn(
    writer: &mut Writer,
    message: Message,
    inbox: &mut mpsc::Receiver<Message>,
    order: &SpareOrder,
) -> ControlFlow<(), Option<Message>> {
    let mut other = None;
    match message {
        Message::Append(first) => other = append(writer, first, inbox),
        Message::Erase(erasure, begun, done) => {
            // Whoever does not wait for it any more has left it to itself.
            begun.send(writer.erase(*erasure, done)).ok();
        }
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
) -> Option<Message> {
    let (max_bytes, max_commits) = writer.batch_bounds();
    let mut bytes = 0;
    let mut requests = Vec::new();
    let mut next = Some(Message::Append(first));
    let mut other = None;
    while let Some(message) = next.take() {
        match message {
            Message::Append(request) => match request.turn.as_ref().is_none_or(Turn::take) {
                true => {
                    bytes += request.len;
                    requests.push(request);
                }
                false => answer(request.answer, Err(AppendError::OutOfTurn)),
            },
            message => {
                other = Some(message);
                break;
            }
        }
        if bytes < max_bytes && requests.len() < max_commits {
            next = inbox.try_recv().ok();
        }
    }
    let mut commits = Vec::with_capacity(requests.len());
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        commits.push(request.commit);
        answers.push((request.answer, request.turn, request.permit));
    }
    if commits.is_empty() {
        return other;
    }
    match writer.append(commits) {
        Ok(committed) => {
            for ((asker, ..), committed) in answers.into_iter().zip(committed) {
                answer(asker, Ok(committed));
            }
        }
        Err(error) => {
            let turns = answers.iter().filter_map(|(_, turn, _)| turn.as_ref());
            turns.for_each(Turn::give_back);
            for (asker, ..) in answers {
                answer(asker, Err(error.clone()));
            }
        }
    }
    other
}

/// Whoever does not wait for an answer any more has dropped its end; that is its right.
fn answer(asker: Asker, answer: Result<Committed, AppendError>) {
    asker.send(answer).ok();
}
