//! What history tells of messages that may have arrived (U36).
//!
//! An id that history kept names its message. Without one, a message is recognised by what it says:
//! only where more unattributed copies are found than all other messages could have brought, for
//! else it cannot be told which arrived, and none is claimed. Which copy is its own is known only where
//! no other message could have brought one.

use std::collections::HashSet;
use std::time::Duration;

use super::{Effects, Message, Moment, Queue};
use crate::connectors::{Content, Seen};
use crate::domain::WallTime;
use crate::runtime::MonoTime;

/// How far the platform's clock may be behind ours: a copy may be older by this than its message.
pub(crate) const SKEW: Duration = Duration::from_secs(300);
/// How long history may take, once connected, before the queue goes on without it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// What is remembered of one answer of the history.
const MOST_SEEN: usize = 10_000;

/// A time that history was asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// From when on.
    pub(crate) start: WallTime,
    /// When it was decided to ask.
    pub(crate) decided: MonoTime,
}

impl Queue {
    /// When the first byte of the oldest message may have been written that is not settled: from
    /// before then on history has to be asked, the platform's clock considered.
    pub(crate) fn oldest_unsettled(&self) -> Option<WallTime> {
        let open = self.unsettled.iter().filter_map(|order| self.get(*order));
        let oldest = open.filter_map(|message| message.began).min()?;
        Some(oldest.minus(SKEW))
    }

    /// Whether history has something to settle.
    pub(crate) fn is_unsettled(&self) -> bool {
        !self.unsettled.is_empty()
    }

    /// History showed these.
    pub(crate) fn seen(&mut self, seen: Vec<Seen>) {
        let room = MOST_SEEN.saturating_sub(self.seen.len());
        self.seen.extend(seen.into_iter().take(room));
    }

    /// The answers about this time are all in: `everything` where none is missing.
    pub(crate) fn recovered(
        &mut self,
        at: Moment,
        asked: Asked,
        everything: bool,
        fx: &mut Effects,
    ) {
        let seen = std::mem::take(&mut self.seen);
        self.attribute_by_id(at, &seen, fx);
        self.attribute_by_content(at, &seen, fx);
        let whole = everything && seen.len() < MOST_SEEN;
        for order in self.unsettled.clone() {
            let Some(held) = self.messages.get(&order) else {
                continue;
            };
            let began = held.message.began.unwrap_or(held.message.created);
            let later = held.unsettled_at.is_some_and(|since| since > asked.decided);
            if later || asked.start > began {
                continue;
            }
            let reason = match whole {
                true => "NOT_IN_HISTORY".to_owned(),
                false => held.message.reason.clone(),
            };
            self.by_policy(at, order, &reason, fx);
        }
        if self.unsettled.is_empty() {
            self.settle_by = None;
        }
    }

    /// Nothing will be asked, or nothing was answered in time.
    pub(crate) fn without_history(&mut self, at: Moment, fx: &mut Effects) {
        for order in self.unsettled.clone() {
            let reason = self.get(order).map(|message| message.reason.clone());
            self.by_policy(at, order, &reason.unwrap_or_default(), fx);
        }
        self.settle_by = None;
    }

    /// Whether it is in flight: its receipt is yet to come, and would be taken for the next one's.
    fn flies(&self, order: u64) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.order == order)
    }

    fn attribute_by_id(&mut self, at: Moment, seen: &[Seen], fx: &mut Effects) {
        for copy in seen {
            let order = copy.id.as_ref().and_then(|id| self.orders.get(id));
            if let Some(order) = order.copied().filter(|order| !self.flies(*order)) {
                self.acknowledge(at, order, Some(copy.provider_id.clone()), fx);
            }
        }
    }

    fn attribute_by_content(&mut self, at: Moment, seen: &[Seen], fx: &mut Effects) {
        let known: HashSet<String> = self
            .messages
            .values()
            .filter_map(|held| held.message.provider_id.clone())
            .collect();
        let mut copies: Vec<&Seen> = Vec::new();
        let mut counted = HashSet::new();
        for copy in seen {
            let foreign = copy.id.is_some() || known.contains(&copy.provider_id);
            if !foreign && counted.insert(&copy.provider_id) {
                copies.push(copy);
            }
        }
        let mut judged: Vec<&Content> = Vec::new();
        for content in copies.iter().filter_map(|copy| copy.content.as_ref()) {
            if judged.contains(&content) {
                continue;
            }
            judged.push(content);
            let same = copies.iter().copied();
            let same = same.filter(|copy| copy.content.as_ref() == Some(content));
            let same: Vec<_> = same.collect();
            for (order, provider_id) in self.claims(content, &same) {
                self.acknowledge(at, order, provider_id, fx);
            }
        }
    }

    /// Which messages of this content arrived, for certain, and as which copy where that is certain too.
    fn claims(&self, content: &Content, copies: &[&Seen]) -> Vec<(u64, Option<String>)> {
        let same = || {
            let all = self.messages.values().map(|held| &held.message);
            all.filter(|message| message.content == *content)
        };
        let open = same()
            .filter(|message| message.provider_id.is_none() && message.may_have_arrived())
            .filter(|message| !self.flies(message.order))
            .filter_map(|message| Some((message.began?, message)));
        // What arrived long before one was written left no copy that is young enough, where copies tell
        // their age. One that was sent again may have another on its way.
        let dated = copies.iter().all(|copy| copy.time.is_some());
        let claim = |(began, message): (WallTime, &Message)| {
            let earliest = began.minus(SKEW);
            let is_own = |copy: &&&Seen| copy.time.is_none_or(|time| time >= earliest);
            let long_ago = |other: &&Message| {
                let known = |time: WallTime| time < earliest.minus(SKEW);
                let arrived = other.phase.has_arrived() && !other.doubtful;
                arrived && other.acknowledged.is_some_and(known)
            };
            let others = same().filter(|other| other.order != message.order);
            let recent = others.filter(|other| !(dated && long_ago(other)));
            let theirs: usize = recent.map(Message::stray_copies).sum();
            let copy = copies.iter().filter(is_own).nth(theirs)?;
            let own = (theirs == 0).then(|| copy.provider_id.clone());
            Some((message.order, own))
        };
        open.filter_map(claim).collect()
    }

    /// The state that a message shows.
    #[cfg(test)]
    pub(crate) fn shown(&self, id: &str) -> Option<crate::proto::v1::OutboundMessageState> {
        Some(self.held_by(id)?.message.shown())
    }
}
