//! [`Ledger`]: the cursors of a journal as they are durable; and whose name is whose.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::cursor::Cursor;
use super::drafts::Draft;
use super::stored::{self, Record};
use crate::domain::{JournalName, Sequence, SubscriptionName};
use crate::journal::{Hold, Info, Journal};

/// Which journal keeps the cursor of a name: names are unique in the process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct CursorNames(Arc<Mutex<BTreeMap<SubscriptionName, JournalName>>>);

impl CursorNames {
    /// The journal that keeps this one.
    #[must_use]
    pub fn journal_of(&self, name: &SubscriptionName) -> Option<JournalName> {
        self.0.lock().get(name).cloned()
    }

    /// Takes a name for a journal; `false` where it is another's.
    pub(super) fn claim(&self, name: &SubscriptionName, journal: &JournalName) -> bool {
        let mut names = self.0.lock();
        names.entry(name.clone()).or_insert_with(|| journal.clone()) == journal
    }

    /// Gives back what was claimed.
    pub(super) fn release(&self, name: &SubscriptionName) {
        self.0.lock().remove(name);
    }
}

/// The cursors of a journal, as they are durable.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) cursors: BTreeMap<SubscriptionName, Cursor>,
    /// Leases up to this one were given out by cursors that are gone.
    pub(super) spent: u64,
    /// What readers were given that the end of the process took away, by cursor: under which lease, and
    /// up to where.
    owed: BTreeMap<SubscriptionName, (u64, Sequence)>,
}

impl Ledger {
    /// What a journal keeps. A name that is another journal's is passed over.
    pub(super) fn read(journal: &dyn Journal, names: &CursorNames) -> Self {
        let mut ledger = Self::default();
        let info = journal.info();
        for entry in journal.state(stored::PREFIX) {
            match stored::read(&entry) {
                Some(Record::Spent(lease)) => ledger.spent = lease,
                Some(Record::Cursor(name, cursor)) if names.claim(&name, &info.name) => {
                    ledger.cursors.insert(name, cursor);
                }
                Some(Record::Cursor(name, _)) => tracing::error!(
                    journal = %info.name,
                    subscription = %name,
                    "A subscription is not served: another journal has one of that name"
                ),
                None => tracing::error!(
                    journal = %info.name,
                    key = entry.key,
                    "A subscription is not served: what is kept of it cannot be read"
                ),
            }
        }
        ledger
    }

    /// Takes over what has become durable.
    pub(super) fn take(&mut self, draft: Draft) {
        self.spent = draft.spent;
        for (name, cursor) in draft.changed {
            match cursor {
                Some(cursor) => drop(self.cursors.insert(name, cursor)),
                None => drop(self.cursors.remove(&name)),
            }
        }
    }

    /// What all of them ask retention to keep.
    pub(super) fn holds(&self, info: &Info) -> Vec<Hold> {
        let holds = self.cursors.values().filter_map(|cursor| cursor.hold(info));
        holds.collect()
    }

    /// A reader was given everything up to `through`, and its stream was ended by us.
    pub(super) fn owes(&mut self, name: &SubscriptionName, lease: u64, through: Sequence) {
        self.owed.insert(name.clone(), (lease, through));
    }

    /// Whether every such reader has committed what it was given.
    pub(super) fn is_settled(&self) -> bool {
        self.owed.iter().all(|(name, (lease, through))| {
            self.cursors.get(name).is_none_or(|cursor| {
                cursor.lease != *lease || cursor.committed.sequence >= *through
            })
        })
    }
}
