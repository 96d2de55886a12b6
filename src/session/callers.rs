//! [`Callers`]: those who asked a session to send something, until they are answered. No decisions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::machine::Input;
use super::outbound::{Accepted, Answer, CancelProblem, Letter, Mail, SendProblem, Ticket};
use crate::domain::{Epoch, Position};
use crate::proto::v1;

/// Between two looks for callers that have left.
const SWEEP: usize = 64;

/// Those who wait for an answer, by ticket, and the box that they come from.
#[derive(Debug)]
pub(super) struct Callers {
    mail: Option<Arc<Mail>>,
    waiting: HashMap<Ticket, Caller>,
    tickets: Ticket,
    sweep_at: usize,
    /// What those are told who ask when nobody listens any more.
    last_word: SendProblem,
}

#[derive(Debug)]
enum Caller {
    Send(oneshot::Sender<Result<Accepted, SendProblem>>),
    Cancel(oneshot::Sender<Result<v1::OutboundMessage, CancelProblem>>),
}

impl Caller {
    fn has_left(&self) -> bool {
        match self {
            Self::Send(answer) => answer.is_closed(),
            Self::Cancel(answer) => answer.is_closed(),
        }
    }
}

impl Callers {
    pub(super) fn new(mail: Option<Arc<Mail>>) -> Self {
        Self {
            mail,
            waiting: HashMap::new(),
            tickets: 0,
            sweep_at: SWEEP,
            last_word: SendProblem::Draining {
                retry_after: Duration::from_secs(5),
            },
        }
    }

    /// The guest's session is over: whoever asks from now on is told so.
    pub(super) fn session_expired(&mut self) {
        self.last_word = SendProblem::SessionExpired;
    }

    /// Somebody empties the box from now on.
    pub(super) fn open(&self) {
        if let Some(mail) = &self.mail {
            mail.open();
        }
    }

    /// The box that letters come in, where any can.
    pub(super) fn mail(&self) -> Option<&Arc<Mail>> {
        self.mail.as_ref()
    }

    /// What the letters in the box ask for.
    pub(super) fn take(&mut self) -> Vec<Input> {
        let mut inputs = self.sweep();
        while let Some(letter) = self.mail.as_ref().and_then(|mail| mail.take()) {
            inputs.push(self.input(letter));
        }
        inputs
    }

    fn input(&mut self, letter: Letter) -> Input {
        self.tickets += 1;
        let ticket = self.tickets;
        match letter {
            Letter::Send(letter) => {
                self.waiting.insert(ticket, Caller::Send(letter.answer));
                Input::Send {
                    ticket,
                    message: Box::new(letter.message),
                    wait_for: letter.wait_for,
                }
            }
            Letter::Cancel(letter) => {
                self.waiting.insert(ticket, Caller::Cancel(letter.answer));
                Input::CancelMessage {
                    ticket,
                    id: letter.id,
                }
            }
            Letter::Close => Input::CloseAsked,
        }
    }

    /// Forgets those who have left, now and then.
    fn sweep(&mut self) -> Vec<Input> {
        if self.waiting.len() < self.sweep_at {
            return Vec::new();
        }
        let gone = self.waiting.iter().filter(|(_, caller)| caller.has_left());
        let gone: Vec<Ticket> = gone.map(|(ticket, _)| *ticket).collect();
        for ticket in &gone {
            self.waiting.remove(ticket);
        }
        self.sweep_at = (self.waiting.len() * 2).max(SWEEP);
        gone.into_iter().map(Input::Left).collect()
    }

    /// Tells one of them, if it is still there.
    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer, epoch: Epoch) {
        // Whoever has left needs no answer.
        match (self.waiting.remove(&ticket), answer) {
            (Some(Caller::Send(caller)), Answer::Stands(message, sequence)) => {
                let position = Position { epoch, sequence };
                let _left = caller.send(Ok(Accepted {
                    message: *message,
                    position,
                }));
            }
            (Some(Caller::Send(caller)), Answer::NotSent(problem)) => {
                let _left = caller.send(Err(problem));
            }
            (Some(Caller::Cancel(caller)), Answer::Cancelled(message)) => {
                let _left = caller.send(Ok(*message));
            }
            (Some(Caller::Cancel(caller)), Answer::NotCancelled(problem)) => {
                let _left = caller.send(Err(problem));
            }
            (None, _) => {}
            (Some(caller), answer) => {
                tracing::error!(?caller, ?answer, "An answer to another question");
            }
        }
    }
}

impl Drop for Callers {
    /// Nobody empties the box any more: whoever asks is told so.
    fn drop(&mut self) {
        if let Some(mail) = &self.mail {
            mail.close(&self.last_word);
        }
    }
}
