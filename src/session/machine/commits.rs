//! Commits: what goes along with the events, and what follows from the journal's answers.

use super::Machine;
use super::draft;
use super::io::{Actions, At, CommitNumber};
use super::outbox::Written;
use super::recovered;
use crate::journal::{AppendError, Committed};
use crate::runtime::Mistake;
use crate::session::ordering::{Ordering, Position};

impl Machine {
    /// Takes the journal's answer to an append.
    pub(super) fn appended(
        &mut self,
        at: At,
        number: CommitNumber,
        result: Result<Committed, AppendError>,
        out: &mut Actions,
    ) {
        match self.outbox.written(at, number, result, &self.stats) {
            Written::Durable(durable) => {
                self.standing.has_space(true);
                self.gaps_numbered(&durable.gaps);
                self.messages_durable(at, durable.messages, out);
                self.settle_gaps(at);
                self.journal_snapshots(at);
                self.recovery_next(at, out);
                self.poll_after_commit(at, out);
            }
            Written::Later => {
                self.standing.has_space(false);
                self.messages_stuck(at, out);
            }
            Written::Behind => self.outbox.resend(at.now, out),
            Written::TooLarge { number, index } => {
                let shrunk = self.outbox.refused_event(number, index).and_then(|event| {
                    let size = event.raw_data.len();
                    draft::shrink(event).then_some((event.provider_sequence, size))
                });
                match shrunk {
                    Some((number, size)) => {
                        self.told_oversize(at, number, size);
                        self.outbox.resend(at.now, out);
                    }
                    // Not an event of the platform: nothing to leave out.
                    None => self.stop_ingest(at, "JOURNAL_REFUSES", out),
                }
            }
            Written::Refused => self.stop_ingest(at, "JOURNAL_READ_ONLY", out),
            Written::Unexpected => tracing::debug!("Answer of the journal that nobody waits for"),
        }
    }

    /// Sends what gathered, with the position it leads to, unless enough is under way.
    pub(super) fn flush(&mut self, out: &mut Actions) {
        if !self.outbox.has_room() {
            return;
        }
        if let Some(ordering) = &self.ordering
            && std::mem::take(&mut self.missing_moved)
        {
            let value = recovered::missing_value(&ordering.position().missing);
            self.outbox
                .set(recovered::MISSING.to_owned(), Some(value), None);
        }
        let apart = Mistake::PositionNotInTheCommit.is_made() && self.outbox.has_events();
        if !apart && std::mem::take(&mut self.position_moved) {
            let start = Position::default();
            let position = self.ordering.as_ref().map_or(&start, Ordering::position);
            let beyond = Mistake::PositionPastWhatIsHeld.is_made();
            let beyond = self.ordering.as_ref().filter(|_| beyond);
            let beyond = beyond.map(|ordering| Position {
                cursor: ordering.highest(),
                ..position.clone()
            });
            let position = beyond.as_ref().unwrap_or(position);
            let sealer = self.sealer.as_deref();
            let value = recovered::position_value(position, &self.keeping, &self.prefix, sealer);
            self.outbox
                .set(recovered::POSITION.to_owned(), Some(value), None);
        }
        self.outbox.flush(&self.prefix, out);
    }

    /// Whether everything that was received is journaled (what is held behind a hole aside).
    pub(super) fn is_durable(&self) -> bool {
        self.outbox.is_empty() && !self.position_moved && self.snapshots.is_empty()
    }
}
