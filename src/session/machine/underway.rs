//! [`Underway`]: commits on their way into the journal, in their order. The journal keeps none before
//! the one ahead of it, so that each may be handed in while others are written.

use std::collections::VecDeque;
use std::sync::Arc;

use super::io::{Action, Actions, CommitNumber};
use crate::journal::{Commit, Committed};
use crate::proto::v1;
use crate::runtime::MonoTime;
use crate::telemetry::traces::Span;

/// One is written, and the others are at hand when that is done. With more of them commits become
/// small: what comes meanwhile should gather.
const MOST: usize = 2;

/// What a commit leads to once it is durable; indexes are of its events.
#[derive(Debug, Default)]
pub(super) struct Sequel {
    pub(super) gaps: Vec<(String, usize)>,
    pub(super) messages: Vec<(u64, Option<usize>)>,
    pub(super) creations: Vec<(Span, usize)>,
}

/// The commits that are not durable yet, or not known to be.
#[derive(Debug, Default)]
pub(super) struct Underway {
    /// Number of the foremost.
    first: CommitNumber,
    commits: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    commit: Arc<Commit>,
    sequel: Sequel,
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    /// No answer yet.
    Asked,
    Kept(Committed),
    /// To be handed in again, behind those before it.
    Refused,
    /// Likewise, and not before then.
    Waits(MonoTime),
}

impl Underway {
    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// Whether one more may be sent: nothing that was refused waits, and there are not too many.
    pub(super) fn has_room(&self) -> bool {
        self.commits.len() < MOST && self.commits.iter().all(Sent::is_taken)
    }

    pub(super) fn send(&mut self, commit: Commit, sequel: Sequel, out: &mut Actions) {
        let mut sent = Sent {
            commit: Arc::new(commit),
            sequel,
            standing: Standing::Refused,
        };
        sent.ask(self.first + self.commits.len() as CommitNumber, out);
        self.commits.push_back(sent);
    }

    /// This one is durable.
    pub(super) fn kept(&mut self, number: CommitNumber, committed: Committed) {
        self.stands(number, Standing::Kept(committed));
    }

    /// This one was refused, and goes again with [`Underway::resend`]; not before `until`.
    pub(super) fn refused(&mut self, number: CommitNumber, until: Option<MonoTime>) {
        self.stands(number, until.map_or(Standing::Refused, Standing::Waits));
    }

    fn stands(&mut self, number: CommitNumber, standing: Standing) {
        if let Some(sent) = self.get_mut(number) {
            sent.standing = standing;
        }
    }

    /// Whether an answer to this one is waited for.
    pub(super) fn awaits(&self, number: CommitNumber) -> bool {
        self.place(number)
            .and_then(|at| self.commits.get(at))
            .is_some_and(|sent| matches!(sent.standing, Standing::Asked))
    }

    pub(super) fn is_foremost(&self, number: CommitNumber) -> bool {
        number == self.first
    }

    /// Whether any answer is waited for.
    pub(super) fn awaits_any(&self) -> bool {
        let mut standings = self.commits.iter().map(|sent| &sent.standing);
        standings.any(|standing| matches!(standing, Standing::Asked))
    }

    /// Takes the foremost out, if it is durable.
    pub(super) fn next_kept(&mut self) -> Option<(Arc<Commit>, Sequel, Committed)> {
        let Standing::Kept(committed) = self.commits.front()?.standing else {
            return None;
        };
        let Sent { commit, sequel, .. } = self.commits.pop_front()?;
        self.first += 1;
        Some((commit, sequel, committed))
    }

    /// An event of a commit, to be made smaller.
    pub(super) fn event(&mut self, number: CommitNumber, index: usize) -> Option<&mut v1::Event> {
        let commit = Arc::make_mut(&mut self.get_mut(number)?.commit);
        commit.events.get_mut(index)
    }

    /// Leaves a place, with nothing in it.
    pub(super) fn empty(&mut self, number: CommitNumber) {
        if let Some(sent) = self.get_mut(number) {
            sent.commit = Arc::default();
        }
    }

    /// Hands in again what was refused, if its time has come and everything before it is on its way.
    pub(super) fn resend(&mut self, now: MonoTime, out: &mut Actions) {
        for (number, sent) in (self.first..).zip(&mut self.commits) {
            match sent.standing {
                Standing::Asked | Standing::Kept(_) => {}
                Standing::Waits(until) if now < until => return,
                Standing::Waits(_) | Standing::Refused => sent.ask(number, out),
            }
        }
    }

    /// When [`Underway::resend`] is due.
    pub(super) fn retry_at(&self) -> Option<MonoTime> {
        self.commits.iter().find_map(|sent| match sent.standing {
            Standing::Waits(until) => Some(until),
            Standing::Asked | Standing::Kept(_) | Standing::Refused => None,
        })
    }

    fn place(&self, number: CommitNumber) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    fn get_mut(&mut self, number: CommitNumber) -> Option<&mut Sent> {
        let at = self.place(number)?;
        self.commits.get_mut(at)
    }
}

impl Sent {
    fn ask(&mut self, number: CommitNumber, out: &mut Actions) {
        let commit = Arc::clone(&self.commit);
        out.push(Action::Append { number, commit });
        self.standing = Standing::Asked;
    }

    fn is_taken(&self) -> bool {
        matches!(self.standing, Standing::Asked | Standing::Kept(_))
    }
}
