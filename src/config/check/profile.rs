//! Checks of `profile`, the dialect of platform `custom`, and of heartbeats.

use super::Checks;
use crate::config::findings::Code;
use crate::config::key::KeyPath;
use crate::connectors::{self, Condition, Keys, ProfileStep};
use crate::runtime::HumanDuration;
use crate::session::SessionConfig;

/// The platform that the configuration describes.
const CUSTOM: &str = "custom";
const SHORTEST: HumanDuration = HumanDuration::from_millis(10);
const LONGEST: HumanDuration = HumanDuration::from_secs(3600);

impl Checks<'_> {
    pub(super) fn profile(&mut self, at: &KeyPath, session: &SessionConfig) {
        let key = at.key("profile");
        if !self.is_sound(&at.key("platform")) {
            return;
        }
        let custom = session.platform == CUSTOM;
        match &session.profile {
            None if custom => {
                let hint =
                    "describe the platform, as the README shows, or name one that is built in";
                let message = "is missing: platform custom is what it describes";
                self.error(Code::MissingKey, &key, message, hint);
            }
            Some(_) if !custom => {
                let message = format!("is not used by platform {}", session.platform);
                let hint = "remove it, or write platform: custom";
                self.error(Code::Conflict, &key, message, hint);
            }
            Some(profile) => {
                for mistake in profile.mistakes() {
                    let at = mistake
                        .path
                        .iter()
                        .fold(key.clone(), |at, step| match step {
                            ProfileStep::Key(name) => at.key(name),
                            ProfileStep::Item(index) => at.index(*index),
                        });
                    self.error(Code::WrongForm, &at, mistake.message, mistake.hint);
                }
            }
            None => {}
        }
    }

    /// The platform's bounds win, and nobody should be surprised by it.
    pub(super) fn heartbeat(&mut self, at: &KeyPath, session: &SessionConfig, keys: Keys) {
        let own = &session.timing.heartbeat;
        let each = [
            ("stable", own.stable, Condition::Stable),
            ("degraded", own.degraded, Condition::Degraded),
            ("reconnecting", own.reconnecting, Condition::Reconnecting),
        ];
        for (name, given, _) in each {
            let Some(given) = given else { continue };
            let key = at.key(name);
            if !keys.heartbeat {
                let message = format!("is not used by platform {}", session.platform);
                let hint = "remove it: the platform wants no heartbeat beside pings";
                self.error(Code::Conflict, &key, message, hint);
            } else if !(SHORTEST..=LONGEST).contains(&given) {
                let message = format!("must be from {SHORTEST} to {LONGEST}");
                let hint = "leave it out for the platform's own";
                self.error(Code::OutOfRange, &key, message, hint);
            }
        }
        let shape = connectors::heartbeat(&session.settings());
        for bounded in shape.iter().flat_map(|shape| shape.bounded()) {
            let of_it = each.into_iter().find(|e| e.2 == bounded.condition);
            let Some((name, given, _)) = of_it else {
                continue;
            };
            // One that no platform could keep was reported.
            if given.is_some_and(|given| !(SHORTEST..=LONGEST).contains(&given)) {
                continue;
            }
            let (wanted, kept) = (bounded.wanted, bounded.kept);
            let what = if kept > wanted { "shortest" } else { "longest" };
            let message = format!(
                "of {wanted} is not what the platform takes: {kept}, its {what} interval, is kept"
            );
            let hint =
                format!("write timing: {{ heartbeat: {{ {name}: {kept} }} }} to say so yourself");
            // Where nothing is written, it is the platform's own interval that cannot stand.
            self.warning(Code::OutOfRange, &at.key(name), message, hint);
        }
    }
}
