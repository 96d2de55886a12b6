//! The orderly end: stop reading, journal what arrived, close, wait a little, go (U35).

use super::Machine;
use super::io::{Action, Actions, At, Input};
use super::outbox::Written;
use super::state::{State, limits};
use crate::net::Frame;

impl Machine {
    pub(super) fn drain(&mut self, at: At, out: &mut Actions) {
        self.retire_all(at, out);
        self.leave(at, "DRAINING", out);
        self.standing.closed();
        self.enter(State::Draining {
            until: at.now + limits::CLOSE_GRACE,
        });
        self.flush(out);
        self.end_when_drained();
    }

    pub(super) fn handle_draining(&mut self, at: At, input: Input, out: &mut Actions) {
        match input {
            Input::Appended(result) => match self.outbox.written(at, result) {
                // Gaps stay open and go on after the restart; what waits for their sequences does not.
                Written::Durable(gaps) => {
                    self.gaps_numbered(&gaps);
                    self.journal_snapshots(at);
                    self.flush(out);
                }
                // There is no time to wait for space; the platform sends it again.
                Written::Later | Written::TooLarge(_) | Written::Refused => self.outbox.give_up(),
                Written::Unexpected => {}
            },
            Input::Closed { generation, .. }
            | Input::Frame {
                generation,
                frame: Frame::Close { .. },
            } => {
                self.retiring.retain(|(retired, _)| *retired != generation);
                out.push(Action::Drop { generation });
            }
            Input::Dialled { generation, .. } => out.push(Action::Drop { generation }),
            Input::Start
            | Input::Token(_)
            | Input::TokenRenewed { .. }
            | Input::Health(_)
            | Input::Replaced(_)
            | Input::Frame { .. }
            | Input::Answer { .. }
            | Input::ReconnectAsked
            | Input::Drain => {}
        }
        self.end_when_drained();
    }

    fn end_when_drained(&mut self) {
        let written = self.outbox.has_given_up() || self.is_durable();
        if matches!(self.state, State::Draining { .. }) && written && self.retiring.is_empty() {
            self.enter(State::Ended);
        }
    }

    /// The grace is over. What is on its way into the journal is waited for all the same: the
    /// owner bounds that.
    pub(super) fn grace_over(&mut self, at: At, out: &mut Actions) {
        for (generation, _) in std::mem::take(&mut self.retiring) {
            out.push(Action::Drop { generation });
        }
        self.end_when_drained();
        if matches!(self.state, State::Draining { .. }) {
            self.state = State::Draining {
                until: at.now + limits::CLOSE_GRACE,
            };
        }
    }
}
