//! Who waits to be told of a message, and when they are: nobody is told what is not durable.

use super::message::Phase;
use super::{Moment, Over, Path, Queue, draining, unavailable};
use crate::domain::Sequence;
use crate::proto::v1;
use crate::session::outbound::queue::Effects;
use crate::session::outbound::{CancelProblem, SendProblem, Stage};

/// Names whoever asked.
pub type Ticket = u64;

/// What whoever asked is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The message as it stands, and the sequence of its ACCEPTED event.
    Stands(Box<v1::OutboundMessage>, Sequence),
    /// It was not taken, or does not get as far as was asked.
    NotSent(SendProblem),
    /// It is cancelled.
    Cancelled(Box<v1::OutboundMessage>),
    /// It is not.
    NotCancelled(CancelProblem),
}

#[derive(Debug)]
pub(super) struct Waiter {
    ticket: Ticket,
    order: u64,
    wants: Wants,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Stage(Stage),
    Cancelled,
}

impl Waiter {
    pub(super) fn send(ticket: Ticket, order: u64, stage: Stage) -> Self {
        let wants = Wants::Stage(stage);
        Self {
            ticket,
            order,
            wants,
        }
    }

    pub(super) fn cancel(ticket: Ticket, order: u64) -> Self {
        let wants = Wants::Cancelled;
        Self {
            ticket,
            order,
            wants,
        }
    }

    pub(super) fn cancels(&self, order: u64) -> bool {
        self.order == order && self.wants == Wants::Cancelled
    }
}

impl Queue {
    /// Whoever asked has left: nothing is kept for it.
    pub(crate) fn left(&mut self, ticket: Ticket) {
        self.waiters.retain(|waiter| waiter.ticket != ticket);
    }

    /// The journal takes nothing: whoever waits for it is told.
    pub(crate) fn stuck(&mut self, retry_after: std::time::Duration, fx: &mut Effects) {
        let waiters = std::mem::take(&mut self.waiters);
        for waiter in waiters {
            let held = self.messages.get(&waiter.order);
            if held.is_none_or(|held| held.pending == 0) {
                self.waiters.push(waiter);
                continue;
            }
            match waiter.wants {
                Wants::Stage(_) => {
                    fx.problem(waiter.ticket, SendProblem::ReadOnly { retry_after });
                }
                Wants::Cancelled => {
                    let problem = CancelProblem::Unavailable { retry_after };
                    fx.not_cancelled(waiter.ticket, problem);
                }
            }
        }
    }

    /// Nobody is told anything more by this process.
    pub(crate) fn dismiss(&mut self, fx: &mut Effects) {
        for waiter in std::mem::take(&mut self.waiters) {
            match waiter.wants {
                Wants::Stage(_) => fx.problem(waiter.ticket, draining()),
                Wants::Cancelled => fx.not_cancelled(waiter.ticket, unavailable()),
            }
        }
    }

    /// Tells those who wait for this message what is durable.
    pub(super) fn answer(&mut self, at: Moment, order: u64, fx: &mut Effects) {
        if !self.waiters.iter().any(|waiter| waiter.order == order) {
            return;
        }
        let waiters = std::mem::take(&mut self.waiters);
        for waiter in waiters {
            let answer = match waiter.order == order {
                true => self.answer_to(at, &waiter),
                false => None,
            };
            match answer {
                Some(answer) => fx.answers.push((waiter.ticket, answer)),
                None => self.waiters.push(waiter),
            }
        }
    }

    pub(super) fn answer_all(&mut self, at: Moment, fx: &mut Effects) {
        let waiters = std::mem::take(&mut self.waiters);
        for waiter in waiters {
            match self.answer_to(at, &waiter) {
                Some(answer) => fx.answers.push((waiter.ticket, answer)),
                None => self.waiters.push(waiter),
            }
        }
    }

    fn answer_to(&self, at: Moment, waiter: &Waiter) -> Option<Answer> {
        let held = self.messages.get(&waiter.order)?;
        let message = &held.message;
        // A change is on its way into the journal, and its end brings us here again.
        if held.pending > 0 || message.accepted.is_none() {
            return None;
        }
        let shown = || Box::new(message.to_proto(&self.session, &held.id));
        let stage = match waiter.wants {
            Wants::Cancelled => {
                return Some(match message.phase {
                    Phase::Cancelled => Answer::Cancelled(shown()),
                    _ => Answer::NotCancelled(CancelProblem::TooLate(shown())),
                });
            }
            Wants::Stage(stage) => stage,
        };
        let written = !matches!(message.phase, Phase::Accepted | Phase::Begun);
        let reached = match stage {
            Stage::Accepted => true,
            Stage::Sent => written,
            Stage::Acknowledged => message.phase.is_final(),
        };
        if reached {
            return Some(Answer::Stands(shown(), message.accepted()));
        }
        // In flight, its own end is near.
        if !self.waiting.contains(&waiter.order) {
            return None;
        }
        let left = |until: crate::runtime::MonoTime| until.saturating_duration_since(at.now);
        let problem = match (self.over, self.throttled_until, self.path) {
            (Some(Over::Draining), ..) => draining(),
            (_, Some(until), _) if until > at.now => SendProblem::Throttled {
                retry_after: left(until),
            },
            (_, _, Path::Down(until)) => SendProblem::Disconnected {
                retry_after: left(until).max(std::time::Duration::from_secs(1)),
            },
            (_, _, Path::Open | Path::Opening) => return None,
        };
        Some(Answer::NotSent(problem))
    }
}
