//! Messages as the journal's state keeps them, read by whoever shows them: what is not durable is not
//! seen.

use super::queue::{KEYS, Message, shown};
use super::{Accepted, NewMessage};
use crate::domain::{Position, SessionName};
use crate::journal::{Journal, StateEntry};
use crate::session::StateError;

/// Whether an entry of the state is a message, with its content.
#[must_use]
pub fn is_message(entry: &StateEntry) -> bool {
    let rest = entry.key.strip_prefix("sessions/");
    let own = rest.and_then(|rest| rest.split_once('/'));
    own.is_some_and(|(_, own)| own.starts_with(KEYS))
}

/// Whether a message that was taken is this one: the same, said again.
#[must_use]
pub fn is_same(taken: &Accepted, new: &NewMessage) -> bool {
    let attributes = &taken.message.custom_attributes;
    let has = |(key, value): (&String, &String)| attributes.get(key) == Some(value);
    taken.message.content == Some(shown(&new.content))
        && attributes.len() == new.attributes.len()
        && new.attributes.iter().all(has)
}

/// The message of this id; `None` where there is none, or it was forgotten 24 h after its final state.
///
/// # Errors
/// [`StateError`] where the entry cannot be read.
pub fn read(
    journal: &dyn Journal,
    session: &SessionName,
    id: &str,
) -> Result<Option<Accepted>, StateError> {
    let key = format!("{}{id}", prefix(session));
    let entries = journal.state(&key);
    let own = entries.iter().find(|entry| entry.key == key);
    let message = own
        .map(|entry| decode(journal, session, entry))
        .transpose()?;
    Ok(message.map(|(_, message)| message))
}

/// Every message of a session, in the order in which they were accepted.
///
/// # Errors
/// [`StateError`] names the entry that cannot be read.
pub fn list(journal: &dyn Journal, session: &SessionName) -> Result<Vec<Accepted>, StateError> {
    let entries = journal.state(&prefix(session));
    let messages = entries.iter().map(|entry| decode(journal, session, entry));
    let mut messages = messages.collect::<Result<Vec<_>, _>>()?;
    messages.sort_unstable_by_key(|(order, _)| *order);
    Ok(messages.into_iter().map(|(_, message)| message).collect())
}

fn prefix(session: &SessionName) -> String {
    format!("{}/{KEYS}", session.resource())
}

fn decode(
    journal: &dyn Journal,
    session: &SessionName,
    entry: &StateEntry,
) -> Result<(u64, Accepted), StateError> {
    let message = Message::decode(&entry.value, entry.sequence).map_err(|reason| StateError {
        key: entry.key.clone(),
        reason,
    })?;
    let id = entry.key.rsplit('/').next().unwrap_or_default();
    let accepted = Accepted {
        message: message.to_proto(&session.resource(), id),
        position: Position {
            epoch: journal.info().epoch,
            sequence: message.accepted(),
        },
    };
    Ok((message.order(), accepted))
}
