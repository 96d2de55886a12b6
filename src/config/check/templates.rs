//! Checks of `session_templates`: what guests' sessions are made of.

use std::collections::BTreeMap;

use super::Checks;
use crate::auth::Grant;
use crate::config::findings::Code;
use crate::config::key::KeyPath;
use crate::connectors::{GuestSettings, Keys};
use crate::session::{SessionConfig, SessionTemplateConfig};

impl Checks<'_> {
    pub(super) fn templates(&mut self) {
        let config = self.config;
        let all = KeyPath::root().key("session_templates");
        let mut names = BTreeMap::new();
        for (index, template) in config.session_templates.iter().enumerate() {
            let at = all.index(index);
            let name = at.key("name");
            if let Some(first) = names.insert(&template.name, at.clone())
                && self.is_sound(&name)
            {
                let message = format!("is the name of {first} too");
                let hint = "give each template its own name";
                self.error(Code::NotUnique, &name, message, hint);
            }
            if let Some(rest) = &template.rest_endpoint {
                self.url(&at.key("rest_endpoint"), rest, template.allow_plaintext);
            }
            self.session(&at, &some_guest(template));
        }
        if !config.session_templates.is_empty() && config.max_dynamic_sessions == 0 {
            let at = KeyPath::root().key("max_dynamic_sessions");
            let hint = "raise it, or remove session_templates";
            self.warning(Code::Conflict, &at, "lets no guest in", hint);
        }
    }

    /// Guests come by `CreateSession`, everything else by the configuration.
    pub(super) fn is_of_its_kind(
        &mut self,
        at: &KeyPath,
        session: &SessionConfig,
        keys: Keys,
    ) -> bool {
        let key = at.key("platform");
        let platform = &session.platform;
        match (&session.guest, keys.guest) {
            (None, true) => {
                let message = format!("cannot be a session of its own: {platform} is for guests");
                let hint =
                    "move it to session_templates; CreateSession opens a session for each guest";
                self.error(Code::Conflict, &key, message, hint);
            }
            (Some(_), false) => {
                let message = format!("cannot be a template: {platform} has no guests");
                let hint = "move it to sessions, or name genesys-web-messaging or genesys-webchat";
                self.error(Code::Conflict, &key, message, hint);
            }
            (Some(guest), true) => {
                let deployment = at.key("deployment_id");
                match (&guest.deployment_id, keys.deployment) {
                    (None, true) => {
                        let hint = "give the id of the web deployment, as its snippet has it";
                        self.error(Code::MissingKey, &deployment, "is missing", hint);
                    }
                    (Some(_), false) => {
                        let message = format!("is not used by platform {platform}");
                        self.error(Code::Conflict, &deployment, message, "remove it");
                    }
                    _ => {}
                }
            }
            (None, false) => {}
        }
        let fits = session.guest.is_some() == keys.guest;
        if fits {
            self.grant_of_a_guest(&at.key("auth").key("grant"), session, keys);
        }
        fits
    }

    /// Who needs no credential has none, and nobody else goes without.
    fn grant_of_a_guest(&mut self, at: &KeyPath, session: &SessionConfig, keys: Keys) {
        let platform = &session.platform;
        let none = session.auth.grant == Grant::GuestSession;
        if keys.guest_token == none {
            return;
        }
        let (message, hint) = match none {
            true => (
                format!("cannot be guest_session: {platform} asks for a token"),
                "give auth with grant client_credentials, and the client's id and secret",
            ),
            false => (
                format!("must be guest_session: {platform} knows guests by their own token"),
                "remove auth",
            ),
        };
        self.error(Code::Conflict, at, message, hint);
    }
}

/// The session of a guest that nobody is, to be checked as one.
fn some_guest(template: &SessionTemplateConfig) -> SessionConfig {
    template.session(template.name.as_session(), GuestSettings::nobody())
}
