//! What tokens claim, in the platform's words. Pure.

use std::time::Duration;

use serde_json::{Value, json};

use super::agent::identifier;
use super::tokens::Tokens;
use crate::domain::WallTime;

impl Tokens {
    pub(super) fn access_claims(&self, key: usize, now: WallTime) -> Value {
        let (Some(credentials), Some(person)) = (self.keys.get(key), self.people.get(key)) else {
            return Value::Null;
        };
        let mut claims = self.times(now, self.lifetime);
        merge(
            &mut claims,
            json!({
                "role": {
                    "legacyId": "Agent", "id": person.role, "lastUpdateTime": 0,
                    "secondaryRoles": [],
                },
                "jti": identifier(&self.rng),
                "sub": format!("user:{}", person.user),
                "aud": format!("{}@sandbox", credentials.client_id),
                "given_name": person.first,
                "family_name": person.last,
                "name": format!("{}.{}@sandbox.invalid", person.first, person.last).to_lowercase(),
                "icAgentId": credentials.agent,
                "icBUId": self.tenant.unit,
                "icClusterId": self.tenant.cluster.to_uppercase(),
                "tenantId": self.tenant.id,
                "tenant": self.tenant.name,
                "teamId": person.team,
            }),
        );
        claims
    }

    pub(super) fn id_claims(&self, key: usize, now: WallTime) -> Value {
        let mut claims = self.access_claims(key, now);
        let user = self.people.get(key).map(|person| person.user.clone());
        merge(
            &mut claims,
            json!({ "icDomain": "localhost", "userId": user }),
        );
        claims
    }

    pub(super) fn refresh_claims(&self, now: WallTime) -> Value {
        let mut claims = self.times(now, self.refresh_lifetime);
        merge(
            &mut claims,
            json!({
                "aud": "sandbox-client@sandbox",
                "id": identifier(&self.rng),
                "sessionId": identifier(&self.rng),
            }),
        );
        claims
    }

    fn times(&self, now: WallTime, lifetime: Duration) -> Value {
        let issued = now.as_millis() / 1_000;
        json!({ "iss": self.issuer, "iat": issued, "exp": issued + lifetime.as_secs().max(1) })
    }
}

fn merge(claims: &mut Value, more: Value) {
    if let (Some(claims), Value::Object(more)) = (claims.as_object_mut(), more) {
        claims.extend(more);
    }
}
