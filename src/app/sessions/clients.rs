//! [`Clients`]: what platforms count by client, shared by all sessions of one.

use std::collections::HashMap;
use std::sync::Arc;

use url::Url;

use crate::auth::CredentialSettings;
use crate::net::RateGate;
use crate::runtime::{Clock, SecretSource};
use crate::session::HealthDesk;

/// Clients, by token endpoint and place of their id.
#[derive(Debug, Default)]
pub(super) struct Clients(HashMap<(Url, SecretSource), Shared>);

/// What the sessions of one client share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// U40.
    pub(super) gate: Arc<RateGate>,
    /// U27.
    pub(super) health: HealthDesk,
}

impl Clients {
    /// These are all there are now, each session with its rate: of the rates that sessions of one
    /// client name, the lowest counts, also for those that run.
    pub(super) fn renew<'a>(
        &mut self,
        sessions: impl Iterator<Item = (&'a CredentialSettings, u32)>,
        clock: &Clock,
    ) {
        let mut rates = HashMap::new();
        for (settings, per_minute) in sessions {
            let rate = rates.entry(key(settings)).or_insert(per_minute);
            *rate = (*rate).min(per_minute);
        }
        self.0.retain(|client, _| rates.contains_key(client));
        for (client, per_minute) in rates {
            match self.0.get(&client) {
                Some(shared) => shared.gate.limit(per_minute),
                None => {
                    let shared = Shared {
                        gate: Arc::new(RateGate::new(per_minute, clock.clone())),
                        health: HealthDesk::default(),
                    };
                    self.0.insert(client, shared);
                }
            }
        }
    }

    /// What those of this client share.
    pub(super) fn of(&self, settings: &CredentialSettings) -> Option<Shared> {
        self.0.get(&key(settings)).cloned()
    }
}

fn key(settings: &CredentialSettings) -> (Url, SecretSource) {
    let (url, id) = settings.client();
    (url.clone(), id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::sessions::credential;
    use crate::session::SessionConfig;
    use serde_json::json;

    fn settings(name: &str, id: &str, token_url: Option<&str>) -> CredentialSettings {
        let config = json!({
            "name": name, "platform": "genesys-events", "endpoint": "https://api.example.test",
            "channels": ["x"],
            "auth": {
                "grant": "client_credentials", "token_url": token_url,
                "client_id_file": id, "client_secret_file": "/secret",
            },
        });
        let config: SessionConfig = serde_json::from_value(config).unwrap();
        credential(&config, name).unwrap()
    }

    #[test]
    fn u40_sessions_of_one_client_share_a_gate_for_as_long_as_one_of_them_is_there() {
        let own = "https://api.example.test/oauth/token";
        let all = [
            settings("a", "/id", None),
            settings("b", "/id", Some(own)),
            settings("c", "/other", None),
            settings("d", "/id", Some("https://login.example.test/oauth/token")),
        ];
        let clock = Clock::system();
        let mut clients = Clients::default();
        clients.renew(all.iter().map(|one| (one, 300)), &clock);
        let gate = |clients: &Clients, one: usize| clients.of(&all[one]).map(|s| s.gate);
        let first = gate(&clients, 0).unwrap();
        let shares = |other| Arc::ptr_eq(&first, &gate(&clients, other).unwrap());
        assert!(shares(1), "the platform's own endpoint, named or not");
        assert!(!shares(2) && !shares(3));
        clients.renew(all[1..3].iter().map(|one| (one, 60)), &clock);
        assert!(Arc::ptr_eq(&first, &gate(&clients, 1).unwrap()));
        assert!(gate(&clients, 3).is_none());
    }
}
