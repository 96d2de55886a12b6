//! [`Kept`]: what a session leaves to the connections after it, its id above all.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::connectors::Opaque;
use crate::runtime::Secret;

/// A longer session id is none.
const LONGEST_ID: usize = 4096;

/// Which part of a session's life an answer meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// The first session of all; nothing was read yet.
    Joined,
    /// It took the place of another, and the loss between the two has not been told.
    Rejoined,
    /// Likewise, and told; its state has not come yet.
    Told,
    /// Its events are read.
    Live,
}

/// A session that stands.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// Where it lives.
    pub(super) base: Url,
    /// Its newest id: the cursor, and a credential.
    pub(super) id: Secret<String>,
    pub(super) stage: Stage,
}

/// What is kept.
#[derive(Debug)]
pub(super) struct Kept {
    /// `None`: one stood, but is lost or has ended.
    pub(super) session: Option<Session>,
    /// Whose it is, where known.
    pub(super) agent: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
struct Form<'a> {
    /// What the session was opened for: after a change of settings it is of no use.
    of: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<SessionForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
struct SessionForm {
    base: Url,
    id: String,
    stage: Stage,
}

impl Kept {
    /// Reads it back; `None` where it is not of this subscription.
    pub(super) fn read(text: &Opaque, of: &str) -> Option<Self> {
        let form: Form<'_> = serde_json::from_str(text.expose()).ok()?;
        let session = form.session.and_then(|form| {
            let SessionForm { base, id, stage } = form;
            let id = session_id(id)?;
            Some(Session { base, id, stage })
        });
        let agent = form.agent;
        (form.of == of).then_some(Self { session, agent })
    }

    /// The text to keep.
    pub(super) fn write(session: Option<&Session>, agent: Option<&Arc<str>>, of: &str) -> Opaque {
        let session = session.map(|session| SessionForm {
            base: session.base.clone(),
            id: session.id.expose().clone(),
            stage: session.stage,
        });
        let form = Form {
            of: of.into(),
            session,
            agent: agent.cloned(),
        };
        // Writing text and addresses to memory cannot fail.
        let text = serde_json::to_string(&form).unwrap_or_default();
        if let Some(SessionForm { id, .. }) = form.session {
            drop(Secret::new(id));
        }
        Opaque::new(text)
    }
}

/// An id that can stand in a path as one segment; nothing else is one.
pub(super) fn session_id(text: String) -> Option<Secret<String>> {
    let text = Secret::new(text);
    let id = text.expose();
    let fits = (1..=LONGEST_ID).contains(&id.len());
    let valid = fits && !matches!(id.as_str(), "." | "..") && !id.contains(char::is_control);
    valid.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_kept_for_other_settings_is_of_no_use() {
        let kept = Kept::write(None, None, "join 1");
        assert!(Kept::read(&kept, "join 1").is_some());
        assert!(Kept::read(&kept, "join 2").is_none());
        for other in ["", "{}", "7", r#"{"of":"join 1","session":{"base":"x"}}"#] {
            assert!(
                Kept::read(&Opaque::new(other.to_owned()), "join 1").is_none(),
                "{other}"
            );
        }
    }

    #[test]
    fn ids_that_would_change_the_path_are_none() {
        for bad in [
            "",
            ".",
            "..",
            "a\nb",
            "a\tb",
            "\0",
            &"x".repeat(LONGEST_ID + 1),
        ] {
            assert!(session_id(bad.to_owned()).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id in "[ -~]{1,60}", agent in proptest::option::of("[0-9]{1,9}")) {
            prop_assume!(session_id(id.clone()).is_some());
            let agent: Option<Arc<str>> = agent.map(Arc::from);
            let session = Session {
                base: "https://api-b32.example.test/".parse().unwrap(),
                id: Secret::new(id.clone()),
                stage: Stage::Told,
            };
            let text = Kept::write(Some(&session), agent.as_ref(), "join 1");
            let kept = Kept::read(&text, "join 1").unwrap();
            prop_assert_eq!(&kept.agent, &agent);
            let read = kept.session.unwrap();
            prop_assert_eq!((read.id.expose(), read.stage), (&id, Stage::Told));
            prop_assert_eq!(read.base, session.base);
        }
    }
}
