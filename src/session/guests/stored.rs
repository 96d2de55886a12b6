//! What a journal keeps of a guest's session, so that it goes on after a restart: `guests/<name>`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::auth::Sealer;
use crate::domain::{SessionName, TemplateName, WallTime};
use crate::journal::{Commit, StateDelta, StateEntry};
use crate::runtime::Secret;

/// Where the records stand.
pub(super) const PREFIX: &str = "guests/";

/// A guest's session as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) template: TemplateName,
    /// Shown to the agent. Nothing of it is left once the session is over.
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) life: Life,
}

/// Whether a session goes on.
#[derive(Debug, Clone)]
pub(super) enum Life {
    /// It does, for whoever has this token.
    Open(Secret<String>),
    /// It was closed, or has expired, at this time.
    Over(WallTime),
    /// It goes on at the platform, but its token was sealed with another key.
    Unreadable,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    template: TemplateName,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_sealed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over: Option<u64>,
}

fn key(name: &SessionName) -> String {
    format!("{PREFIX}{name}")
}

/// Keeps a session as it is now.
pub(super) fn keep(name: &SessionName, kept: &Kept, sealer: Option<&Sealer>) -> StateDelta {
    let key = key(name);
    let mut stored = Stored {
        template: kept.template.clone(),
        attributes: kept.attributes.clone(),
        token: None,
        token_sealed: None,
        over: None,
    };
    match &kept.life {
        Life::Open(token) => match sealer.map(|s| s.seal(&key, token.expose().as_bytes())) {
            None => stored.token = Some(token.expose().clone()),
            Some(Ok(sealed)) => stored.token_sealed = Some(STANDARD.encode(sealed)),
            Some(Err(error)) => {
                tracing::error!(%error, session = %name, "A guest's token cannot be kept");
            }
        },
        Life::Over(at) => stored.over = Some(at.as_nanos()),
        Life::Unreadable => {}
    }
    // The shape holds texts and numbers only, so serializing it cannot fail.
    let value = serde_json::to_vec(&stored).unwrap_or_default();
    StateDelta {
        key,
        value: Some(Bytes::from(value)),
        event: None,
    }
}

/// Forgets a session, and whatever `entries` its engine left.
pub(super) fn forget(name: &SessionName, entries: Vec<StateEntry>) -> Commit {
    let keys = entries.into_iter().map(|entry| entry.key);
    let delete = |key| StateDelta {
        key,
        value: None,
        event: None,
    };
    Commit {
        events: Vec::new(),
        state: keys.chain([key(name)]).map(delete).collect(),
    }
}

/// Reads a record; `None` where it is none of ours.
pub(super) fn read(entry: &StateEntry, sealer: Option<&Sealer>) -> Option<(SessionName, Kept)> {
    let name = SessionName::new(entry.key.strip_prefix(PREFIX)?).ok()?;
    let stored: Stored = serde_json::from_slice(&entry.value).ok()?;
    let unsealed = |sealed: String| {
        let sealed = STANDARD.decode(sealed).ok()?;
        let plain = sealer?.open(&entry.key, &sealed).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    };
    let token = stored
        .token
        .or_else(|| stored.token_sealed.and_then(unsealed));
    let life = match (stored.over, token) {
        (Some(at), _) => Life::Over(WallTime::from_nanos(at)),
        (None, Some(token)) => Life::Open(Secret::new(token)),
        (None, None) => Life::Unreadable,
    };
    let kept = Kept {
        template: stored.template,
        attributes: stored.attributes,
        life,
    };
    Some((name, kept))
}

/// Whether this is kept of a guest's session that is over, and that one of these names or beginnings of
/// names (`sessions/g1`, `sessions/g*`) means: nobody needs it any more, and older values of it hold what
/// the guest was shown as.
#[must_use]
pub fn is_record_of(entry: &StateEntry, sessions: &[String]) -> bool {
    let Some(name) = entry.key.strip_prefix(PREFIX) else {
        return false;
    };
    let named = sessions.iter().any(|session| {
        let session = session.strip_prefix("sessions/");
        session.is_some_and(|session| match session.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == session,
        })
    });
    named && read(entry, None).is_some_and(|(_, kept)| matches!(kept.life, Life::Over(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sequence;

    fn entry(delta: StateDelta) -> StateEntry {
        StateEntry {
            key: delta.key,
            value: delta.value.unwrap(),
            sequence: Sequence::default(),
        }
    }

    fn open() -> (SessionName, Kept) {
        let kept = Kept {
            template: TemplateName::new("webchat").unwrap(),
            attributes: [("name".to_owned(), "A guest".to_owned())].into(),
            life: Life::Open(Secret::new("the-token".to_owned())),
        };
        (SessionName::new("g1").unwrap(), kept)
    }

    #[test]
    fn a_session_is_found_again_as_it_was() {
        let (name, kept) = open();
        let (again, read) = read(&entry(keep(&name, &kept, None)), None).unwrap();
        assert_eq!((again, &read.attributes), (name, &kept.attributes));
        assert!(matches!(read.life, Life::Open(t) if t.expose() == "the-token"));
    }

    #[test]
    fn a_token_is_sealed_where_there_is_a_key_and_lost_without_it() {
        let (name, kept) = open();
        let sealer = Sealer::new(&[7; 32]);
        let stored = entry(keep(&name, &kept, Some(&sealer)));
        assert!(!String::from_utf8_lossy(&stored.value).contains("the-token"));
        let life = |sealer| read(&stored, sealer).unwrap().1.life;
        assert!(matches!(life(Some(&sealer)), Life::Open(t) if t.expose() == "the-token"));
        let other = Sealer::new(&[8; 32]);
        assert!(matches!(life(Some(&other)), Life::Unreadable));
        assert!(matches!(life(None), Life::Unreadable));
    }

    #[test]
    fn what_is_kept_of_a_guest_goes_by_its_name_once_it_is_over() {
        let (name, mut kept) = open();
        let stands = entry(keep(&name, &kept, None));
        kept.life = Life::Over(WallTime::from_nanos(5));
        let over = entry(keep(&name, &kept, None));
        let is = |entry, session: &str| is_record_of(entry, &[session.to_owned()]);
        assert!(is(&over, "sessions/g1") && is(&over, "sessions/g*"));
        assert!(!is(&over, "sessions/g") && !is(&over, "g1"));
        assert!(!is(&stands, "sessions/g1"), "it is needed");
    }

    #[test]
    fn what_is_over_keeps_no_token() {
        let (name, mut kept) = open();
        kept.life = Life::Over(WallTime::from_nanos(5));
        let stored = entry(keep(&name, &kept, None));
        assert!(!String::from_utf8_lossy(&stored.value).contains("the-token"));
        let life = read(&stored, None).unwrap().1.life;
        assert!(matches!(life, Life::Over(at) if at.as_nanos() == 5));
    }
}
