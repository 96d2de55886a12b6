//! [`Difference`]: what another configuration changes about a sidecar that runs. Pure.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::Config;
use crate::domain::{JournalName, SessionName, TemplateName};
use crate::session::SessionConfig;

/// What changes for a session without another connection.
const IN_PLACE: &str = "rate_limit.per_minute";
/// What is compared entry by entry.
const BY_ENTRY: [&str; 2] = ["sessions", "session_templates"];
/// What is applied at once, besides those.
const AT_ONCE: [&str; 5] = [
    "listen.limits.subscribers",
    "listen.limits.per_principal",
    "listen.limits.sends_per_minute",
    "listen.auth.permissions",
    "max_dynamic_sessions",
];

/// What another configuration changes.
#[derive(Debug, Clone)]
pub struct Difference {
    /// What runs once it is applied: the other configuration, with what needs a restart as it was.
    pub next: Config,
    /// Sessions that begin, in the order of the configuration.
    pub added: Vec<SessionName>,
    /// Sessions that end for good.
    pub removed: Vec<SessionName>,
    /// Sessions with other settings, in the order of the configuration.
    pub changed: Vec<Changed>,
    /// Sessions that notice nothing.
    pub unchanged: usize,
    /// Templates that are new or have other settings: new guests use them.
    pub templates: Vec<TemplateName>,
    /// Templates that new guests cannot use any more.
    pub templates_removed: Vec<TemplateName>,
    /// The other keys that are applied at once.
    pub limits: Vec<String>,
    /// Keys that count only after a restart, and are left as they are.
    pub restart: Vec<String>,
}

/// A session with other settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub session: SessionName,
    /// The keys that differ, below its entry.
    pub keys: Vec<String>,
}

impl Changed {
    /// Whether it has to be ended and started for it.
    #[must_use]
    pub fn restarts(&self) -> bool {
        self.keys.iter().any(|key| key != IN_PLACE)
    }
}

impl Difference {
    /// What `new` changes about a sidecar that runs by `old`.
    #[must_use]
    pub fn between(old: &Config, new: &Config) -> Self {
        let keys = keys_between(old, new);
        let is_entry = |key: &String| BY_ENTRY.contains(&key.as_str());
        let whole = keys.into_iter().filter(|key| !is_entry(key));
        let (limits, mut restart): (Vec<_>, Vec<_>) =
            whole.partition(|key| AT_ONCE.contains(&key.as_str()));

        let open: BTreeSet<_> = old.journals.iter().map(|journal| &journal.name).collect();
        let is_open = |journal: &Option<JournalName>| match journal {
            Some(name) => open.contains(name),
            None => open.len() == 1,
        };
        let mut next = old.clone();
        next.listen.limits.subscribers = new.listen.limits.subscribers;
        next.listen.limits.per_principal = new.listen.limits.per_principal;
        next.listen.limits.sends_per_minute = new.listen.limits.sends_per_minute;
        if let (Some(next), Some(new)) = (&mut next.listen.auth, &new.listen.auth) {
            next.permissions.clone_from(&new.permissions);
        }
        next.max_dynamic_sessions = new.max_dynamic_sessions;
        next.sessions.clear();
        for session in &new.sessions {
            if is_open(&session.journal) {
                next.sessions.push(session.clone());
            } else {
                restart.push(format!("sessions.{}.journal", session.name));
                next.sessions
                    .extend(found(&old.sessions, &session.name).cloned());
            }
        }
        next.session_templates.clear();
        for template in &new.session_templates {
            let mut before = old.session_templates.iter();
            let before = before.find(|t| t.name == template.name);
            // The account of its guests stands in its journal.
            let stays = before.is_none_or(|before| before.journal == template.journal);
            if stays && is_open(&template.journal) {
                next.session_templates.push(template.clone());
            } else {
                restart.push(format!("session_templates.{}.journal", template.name));
                next.session_templates.extend(before.cloned());
            }
        }
        Self::applied(old, next, limits, restart)
    }

    fn applied(old: &Config, next: Config, limits: Vec<String>, restart: Vec<String>) -> Self {
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for session in &next.sessions {
            match found(&old.sessions, &session.name) {
                None => added.push(session.name.clone()),
                Some(before) => {
                    let keys = keys_between(before, session);
                    let session = session.name.clone();
                    changed.push(Changed { session, keys });
                }
            }
        }
        let stood = changed.len();
        changed.retain(|changed| !changed.keys.is_empty());
        let left = |session: &&SessionConfig| found(&next.sessions, &session.name).is_none();
        let removed = old.sessions.iter().filter(left);
        let templates = next.session_templates.iter().filter(|template| {
            let mut before = old.session_templates.iter();
            let before = before.find(|t| t.name == template.name);
            before.is_none_or(|before| !keys_between(before, template).is_empty())
        });
        let stays = |name: &TemplateName| next.session_templates.iter().any(|t| t.name == *name);
        let templates_before = old.session_templates.iter().map(|t| &t.name);
        Self {
            removed: removed.map(|session| session.name.clone()).collect(),
            unchanged: stood - changed.len(),
            templates: templates.map(|template| template.name.clone()).collect(),
            templates_removed: templates_before.filter(|n| !stays(n)).cloned().collect(),
            added,
            changed,
            limits,
            restart,
            next,
        }
    }

    /// Whether there is nothing to apply.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.limits.is_empty()
            && !self.changes_templates()
    }

    /// Whether new guests find other templates.
    #[must_use]
    pub fn changes_templates(&self) -> bool {
        !self.templates.is_empty() || !self.templates_removed.is_empty()
    }
}

fn found<'a>(sessions: &'a [SessionConfig], name: &SessionName) -> Option<&'a SessionConfig> {
    sessions.iter().find(|session| session.name == *name)
}

/// The keys whose values differ, with dots; a list is one value.
fn keys_between(old: &impl Serialize, new: &impl Serialize) -> Vec<String> {
    let mut keys = Vec::new();
    // What was read from a configuration can be written as one.
    let value = |result: Result<Value, _>| result.unwrap_or(Value::Null);
    let (old, new) = (serde_json::to_value(old), serde_json::to_value(new));
    compare("", &value(old), &value(new), &mut keys);
    keys
}

fn compare(path: &str, old: &Value, new: &Value, keys: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                let value = |side: &serde_json::Map<String, Value>| side.get(name).cloned();
                let (old, new) = (value(old), value(new));
                compare(
                    &path,
                    &old.unwrap_or_default(),
                    &new.unwrap_or_default(),
                    keys,
                );
            }
        }
        (old, new) if old == new => {}
        _ => keys.push(path.to_owned()),
    }
}

#[cfg(test)]
#[path = "tests/difference.rs"]
mod tests;
