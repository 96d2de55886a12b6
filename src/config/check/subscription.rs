//! Checks of what a session subscribes to: keys that the platform takes, topics that can be meant,
//! and what its connector says of the rest.

use std::collections::BTreeMap;

use super::Checks;
use crate::config::findings::{Code, Severity};
use crate::config::key::KeyPath;
use crate::connectors::{self, Keys, Selector, SettingsError, TopicSetting};
use crate::session::{SessionConfig, TransportChoice};

const PLACEHOLDER: &str = "{id}";

impl Checks<'_> {
    pub(super) fn subscription(&mut self, at: &KeyPath, session: &SessionConfig) {
        self.channels(&at.key("channels"), session);
        self.topics(&at.key("topics"), session);
        self.agent(&at.key("agent"), session);
        self.profile(at, session);
        if !self.is_sound(&at.key("platform")) {
            return;
        }
        // That there is no such platform, or no profile, is said elsewhere.
        let Ok(keys) = connectors::keys(&session.settings()) else {
            return;
        };
        // Of another kind altogether: the rest would be said of the wrong one.
        if !self.is_of_its_kind(at, session, keys) {
            return;
        }
        self.used(at, session, keys);
        self.heartbeat(&at.key("timing").key("heartbeat"), session, keys);
        self.transport(&at.key("transport"), session, keys);
        self.sealing(&at.key("platform"), keys);
        // What is wrong already would only be said twice.
        if !self.has_errors_within(at) && self.is_sound_within(at) {
            self.ask_connector(at, session);
        }
    }

    /// Keys that the platform has no use for, or needs.
    fn used(&mut self, at: &KeyPath, session: &SessionConfig, keys: Keys) {
        let (channels, topics) = (at.key("channels"), at.key("topics"));
        let platform = &session.platform;
        for (key, given, taken, instead) in [
            (
                &channels,
                !session.channels.is_empty(),
                keys.channels,
                keys.topics.then_some("topics"),
            ),
            (
                &topics,
                !session.topics.is_empty(),
                keys.topics,
                keys.channels.then_some("channels"),
            ),
        ] {
            if given && !taken {
                let hint = instead.map_or_else(
                    || "remove it: the platform sends all it has".to_owned(),
                    |key| format!("remove it; what to subscribe to is named by '{key}'"),
                );
                let message = format!("is not used by platform {platform}");
                self.error(Code::Conflict, key, message, hint);
            } else if taken && !given {
                let hint = "name what to subscribe to, in the platform's words";
                let what = if keys.topics { "a topic" } else { "a channel" };
                self.error(Code::OutOfRange, key, format!("must name {what}"), hint);
            }
        }
        if session.agent.is_some() && !keys.agent {
            let message = format!("is not used by platform {platform}");
            let hint = "remove it: its sessions are not an agent's";
            self.error(Code::Conflict, &at.key("agent"), message, hint);
        }
        if !session.alternative_endpoints.is_empty() && !keys.alternative_endpoints {
            let message = format!(
                "cannot be used by platform {platform}: a subscription of it belongs to one address"
            );
            let at = at.key("alternative_endpoints");
            self.error(Code::Conflict, &at, message, "remove it");
        }
        if session.redundancy > 1 && !keys.redundancy {
            let message = format!("must be 1: platform {platform} has no second connection");
            let hint = "remove it";
            self.error(Code::Conflict, &at.key("redundancy"), message, hint);
        }
    }

    fn transport(&mut self, at: &KeyPath, session: &SessionConfig, keys: Keys) {
        let (missing, hint) = match session.transport {
            TransportChoice::Websocket if !keys.websocket => ("WebSocket", "long_poll"),
            TransportChoice::LongPoll if !keys.long_poll => ("long polling", "websocket"),
            _ => return,
        };
        let message = format!(
            "cannot be had: platform {} has no {missing}",
            session.platform
        );
        let hint = format!("remove it, or write {hint}");
        self.error(Code::Conflict, at, message, hint);
    }

    /// What is kept of a session may open it to whoever reads the disk.
    fn sealing(&mut self, at: &KeyPath, keys: Keys) {
        let key = KeyPath::root().key("state_key_file");
        if keys.keeps_credential && self.config.state_key_file.is_none() && self.is_sound(&key) {
            let hint = "give state_key_file, a file with 32 random bytes in base64 or hex, so that \
                        it is sealed on disk";
            let message = "keeps on disk what opens its connections, and nothing seals it: \
                           state_key_file is not given";
            self.warning(Code::Insecure, at, message, hint);
        }
    }

    fn channels(&mut self, at: &KeyPath, session: &SessionConfig) {
        let mut seen = BTreeMap::new();
        for (index, channel) in session.channels.iter().enumerate() {
            let at = at.index(index);
            if channel.trim().is_empty() {
                let hint = "remove it, or write the channel's name";
                self.error(Code::WrongForm, &at, "must not be blank", hint);
            } else if let Some(first) = seen.insert(channel, index) {
                let message = format!("is item {first} too");
                self.warning(Code::NotUnique, &at, message, "name each channel once");
            }
        }
    }

    fn topics(&mut self, at: &KeyPath, session: &SessionConfig) {
        let mut seen = BTreeMap::new();
        for (index, topic) in session.topics.iter().enumerate() {
            let at = at.index(index);
            if let Some(first) = seen.insert(format!("{topic:?}"), index) {
                let message = format!("is item {first} too");
                self.warning(Code::NotUnique, &at, message, "name each topic once");
            }
            for setting in topic.settings() {
                let at = match setting.ids {
                    Some(_) => at.key(&setting.template),
                    None => at.clone(),
                };
                self.topic(&at, &setting);
            }
        }
    }

    fn topic(&mut self, at: &KeyPath, topic: &TopicSetting) {
        let template = &topic.template;
        let placeholders = template.matches(PLACEHOLDER).count();
        let strange = template.replace(PLACEHOLDER, "").contains(['{', '}']);
        if template.trim().is_empty() || template.contains(char::is_whitespace) {
            let hint = "write it as the platform does, without spaces";
            self.error(Code::WrongForm, at, "must be the name of a topic", hint);
        } else if strange || placeholders > 1 {
            let hint = "write {id} where the id stands, once";
            self.error(
                Code::WrongForm,
                at,
                "must hold no braces but one {id}",
                hint,
            );
        } else if placeholders == 1 && topic.ids.is_none() {
            let hint = format!(
                "say what {{id}} stands for: `- {template}: [a name or id, another]`, \
                 `- {template}: all`"
            );
            self.error(Code::MissingKey, at, "must say what {id} stands for", hint);
        } else if placeholders == 0 && topic.ids.is_some() {
            let hint = format!("write `- {template}` alone, or put {{id}} where the id stands");
            self.error(Code::Conflict, at, "must hold {id} for what is given", hint);
        }
        let names = match &topic.ids {
            Some(Selector::Named(names) | Selector::UsersOfQueues(names)) => names.as_slice(),
            Some(Selector::All) | None => &[],
        };
        if names.iter().any(|name| name.trim().is_empty()) {
            let hint = "remove it, or write a name or id";
            self.error(Code::WrongForm, at, "must not hold a blank name", hint);
        }
    }

    fn agent(&mut self, at: &KeyPath, session: &SessionConfig) {
        let Some(agent) = &session.agent else { return };
        let given = [
            ("id", &agent.id),
            ("station_id", &agent.station_id),
            ("phone", &agent.phone),
        ];
        for (name, value) in &given {
            if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
                let hint = "remove it, or give it a value";
                self.error(Code::WrongForm, &at.key(name), "must not be blank", hint);
            }
        }
        if agent.settings().is_none() && self.is_sound_within(at) {
            let message = "must hold one of id, station_id and phone";
            let hint =
                "id joins the session that the agent has open; station_id or phone starts one";
            self.error(Code::Conflict, at, message, hint);
        }
    }

    /// The connector's own objections, each at its key.
    fn ask_connector(&mut self, at: &KeyPath, session: &SessionConfig) {
        let Err(error) = connectors::build(&session.settings()) else {
            return;
        };
        let reason = error.to_string();
        let hint = "see what the platform's page in the README says of it";
        match error {
            SettingsError::Endpoint { .. } => {
                self.error(Code::WrongForm, &at.key("endpoint"), reason, hint);
            }
            SettingsError::NoChannels => {
                self.error(Code::OutOfRange, &at.key("channels"), reason, hint);
            }
            SettingsError::Topic { topic, reason } => {
                let all = at.key("topics");
                let names_it = |t: &crate::session::TopicConfig| {
                    t.settings().iter().any(|t| t.template == topic)
                };
                let at = match session.topics.iter().position(names_it) {
                    Some(index) => all.index(index),
                    None => all,
                };
                self.error(Code::WrongForm, &at, reason, hint);
            }
            SettingsError::Setting { key, reason } => {
                let at = key.split('.').fold(at.clone(), |at, step| at.key(step));
                self.error(Code::WrongForm, &at, reason, hint);
            }
            SettingsError::UnknownPlatform { .. } | SettingsError::Profile { .. } => {
                self.error(Code::NotFound, &at.key("platform"), reason, hint);
            }
        }
    }

    fn has_errors_within(&self, at: &KeyPath) -> bool {
        let within = at.to_string();
        let mut errors = self
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error);
        errors.any(|finding| {
            let below = finding.key.strip_prefix(&within);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Whether nothing in it is a stand-in.
    fn is_sound_within(&self, at: &KeyPath) -> bool {
        !self.doubtful.iter().any(|doubtful| doubtful.is_within(at))
    }
}
