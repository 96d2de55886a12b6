//! [`Tokens`]: the token endpoint's decisions, and which tokens are good. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use url::form_urlencoded;

use super::agent::{Agent, Tenant, identifier};
use super::jwt::Signer;
use crate::domain::WallTime;
use crate::runtime::{MonoTime, Rng};
use crate::sandbox::cxone::CxoneConfig;
use crate::sandbox::platform::{Refusal, Throttle, TokenRequest, basic};

/// Tokens kept at most, of either kind: the oldest to expire go first.
const MOST_TOKENS: usize = 10_000;
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What a back-end client needs: a registered application and a user's access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CxoneCredentials {
    /// The application's id.
    pub client_id: String,
    /// The application's secret. The sandbox makes it up, so that it is none.
    pub client_secret: String,
    /// The access key's id; it is to be URL-encoded.
    pub access_key_id: String,
    /// The access key's secret; it is to be URL-encoded.
    pub access_key_secret: String,
    /// The agent that the key's user is.
    pub agent: String,
}

#[derive(Debug)]
pub(crate) struct Tokens {
    pub(super) keys: Vec<CxoneCredentials>,
    pub(super) people: Vec<Person>,
    pub(super) tenant: Arc<Tenant>,
    pub(super) issuer: String,
    signer: Signer,
    pub(super) lifetime: Duration,
    pub(super) refresh_lifetime: Duration,
    rotate: bool,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, Access>,
    throttle: Throttle,
    pub(super) rng: Rng,
    issued: u64,
}

/// What a good token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    /// Index of the access key.
    pub(super) key: usize,
    pub(super) until: MonoTime,
}

/// Whose key it is.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) user: String,
    pub(super) role: String,
    pub(super) first: &'static str,
    pub(super) last: &'static str,
    pub(super) team: u64,
}

type Form = BTreeMap<String, String>;

impl Tokens {
    pub(super) fn new(
        config: &CxoneConfig,
        tenant: Arc<Tenant>,
        issuer: &str,
        agents: &[Agent],
        rng: &Rng,
    ) -> Self {
        let secrets = rng.fork("credentials");
        let client_secret = format!("sandbox-secret-{:016x}", secrets.bits());
        // Like those of the platform, keys hold what a form has to encode.
        let key = |agent: &Agent| CxoneCredentials {
            client_id: "sandbox-client".to_owned(),
            client_secret: client_secret.clone(),
            access_key_id: format!("{:016X}{:016X}====", secrets.bits(), secrets.bits()),
            access_key_secret: format!("{:016X}+/&{:016X}==", secrets.bits(), secrets.bits()),
            agent: agent.id.clone(),
        };
        let person = |agent: &Agent| Person {
            user: agent.user.clone(),
            role: identifier(&secrets),
            first: agent.first,
            last: agent.last,
            team: agent.team,
        };
        Self {
            keys: agents.iter().map(key).collect(),
            people: agents.iter().map(person).collect(),
            tenant,
            issuer: issuer.to_owned(),
            signer: Signer::new(),
            lifetime: config.token_lifetime,
            refresh_lifetime: config.refresh_lifetime,
            rotate: config.rotate_refresh_tokens,
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            throttle: Throttle::new(config.token_requests_per_minute),
            rng: rng.fork("tokens"),
            issued: 0,
        }
    }

    pub(super) fn credentials(&self) -> &[CxoneCredentials] {
        &self.keys
    }

    pub(crate) fn issued(&self) -> u64 {
        self.issued
    }

    pub(crate) fn valid(&self, now: MonoTime) -> usize {
        let mut all = self.access.values();
        all.by_ref().filter(|access| access.until > now).count()
    }

    pub(super) fn check(&self, token: &str, now: MonoTime) -> Option<Access> {
        let access = self.access.get(token).copied();
        access.filter(|access| access.until > now)
    }

    /// Every access token issued so far stops being valid.
    pub(crate) fn expire_all(&mut self) {
        self.access.clear();
    }

    pub(super) fn key_set(&self) -> Value {
        self.signer.key_set()
    }

    /// Decides a token request; the body of a good answer.
    pub(super) fn grant(
        &mut self,
        request: TokenRequest<'_>,
        now: (MonoTime, WallTime),
    ) -> Result<Value, Refusal> {
        self.throttle.take(now.0).map_err(Refusal::throttled)?;
        let form: Form = form_urlencoded::parse(request.form).into_owned().collect();
        let grant = form.get("grant_type").map(String::as_str);
        self.authenticate(request.authorization, &form, grant == Some(EXCHANGE))?;
        match grant {
            Some("password") => self.password(&form, now),
            Some("refresh_token") => self.refresh(&form, now),
            Some(EXCHANGE) => self.exchange(&form, now),
            Some(_) => Err(Refusal::new(
                400,
                "unsupported_grant_type",
                "The grant type is not supported",
            )),
            None => Err(missing("grant_type is missing")),
        }
    }

    /// Whether the application is registered; one that runs in a browser has no secret.
    fn authenticate(
        &self,
        authorization: Option<&str>,
        form: &Form,
        public: bool,
    ) -> Result<(), Refusal> {
        let id = form.get("client_id").cloned();
        let given = match authorization {
            Some(header) => basic(header),
            None => id.clone().zip(form.get("client_secret").cloned()),
        };
        let good = match (given, public) {
            (Some((id, secret)), _) => {
                let mut keys = self.keys.iter();
                keys.any(|key| key.client_id == id && key.client_secret == secret)
            }
            (None, true) => self
                .keys
                .iter()
                .any(|key| Some(&key.client_id) == id.as_ref()),
            (None, false) => false,
        };
        match good {
            true => Ok(()),
            false => Err(Refusal::new(
                401,
                "invalid_client",
                "Client authentication failed",
            )),
        }
    }

    fn password(&mut self, form: &Form, now: (MonoTime, WallTime)) -> Result<Value, Refusal> {
        let (Some(id), Some(secret)) = (form.get("username"), form.get("password")) else {
            return Err(missing("username and password are required"));
        };
        let is_it =
            |key: &CxoneCredentials| key.access_key_id == *id && key.access_key_secret == *secret;
        let key = self.keys.iter().position(is_it);
        let key = key.ok_or_else(|| invalid("The access key is not valid"))?;
        Ok(self.issue(key, None, now))
    }

    fn refresh(&mut self, form: &Form, now: (MonoTime, WallTime)) -> Result<Value, Refusal> {
        let Some(token) = form.get("refresh_token") else {
            return Err(missing("refresh_token is missing"));
        };
        if form.get("scope").is_some_and(|scope| scope != "openid") {
            return Err(Refusal::new(
                400,
                "invalid_scope",
                "The only scope is openid",
            ));
        }
        let known = self.refresh.get(token).copied();
        let good = known.filter(|refresh| refresh.until > now.0);
        let key = good
            .ok_or_else(|| invalid("The refresh token is not valid"))?
            .key;
        if self.rotate {
            self.refresh.remove(token);
            return Ok(self.issue(key, None, now));
        }
        let token = token.clone();
        Ok(self.issue(key, Some(token), now))
    }

    fn exchange(&mut self, form: &Form, now: (MonoTime, WallTime)) -> Result<Value, Refusal> {
        let Some(subject) = form.get("subject_token") else {
            return Err(missing("subject_token is missing"));
        };
        let access = self.check(subject, now.0);
        let key = access
            .ok_or_else(|| invalid("The subject token is not valid"))?
            .key;
        Ok(self.issue(key, None, now))
    }

    /// `kept` is the refresh token that stays good.
    fn issue(&mut self, key: usize, kept: Option<String>, now: (MonoTime, WallTime)) -> Value {
        self.issued += 1;
        let access_token = self.signer.sign(&self.access_claims(key, now.1));
        let id_token = self.signer.sign(&self.id_claims(key, now.1));
        let until = now.0 + self.lifetime;
        keep(
            &mut self.access,
            access_token.clone(),
            Access { key, until },
            now.0,
        );
        let refresh_token = kept.unwrap_or_else(|| {
            let token = self.signer.sign(&self.refresh_claims(now.1));
            let until = now.0 + self.refresh_lifetime;
            keep(
                &mut self.refresh,
                token.clone(),
                Access { key, until },
                now.0,
            );
            token
        });
        json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.lifetime.as_secs().max(1),
            "refresh_token": refresh_token,
            "id_token": id_token,
            "issued_token_type": ACCESS_TOKEN,
        })
    }

    /// Whose token it is, in the words of `whoami`.
    pub(super) fn who_am_i(&self, token: &str, now: MonoTime) -> Option<Value> {
        let access = self.check(token, now)?;
        let (key, person) = (self.keys.get(access.key)?, self.people.get(access.key)?);
        Some(json!({
            "agent_id": key.agent,
            "bus_no": self.tenant.unit.to_string(),
            "expires_in": access.until.saturating_duration_since(now).as_secs().to_string(),
            "iss": self.issuer,
            "refresh_token_server_uri": format!("{}/auth/token", self.issuer),
            "resource_server_base_uri": format!("{}/inContactAPI/", self.issuer),
            "sub": format!("user:{}", person.user),
            "team_id": person.team.to_string(),
        }))
    }
}

fn missing(description: &'static str) -> Refusal {
    Refusal::new(400, "invalid_request", description)
}

fn invalid(description: &'static str) -> Refusal {
    Refusal::new(400, "invalid_grant", description)
}

fn keep(tokens: &mut BTreeMap<String, Access>, token: String, access: Access, now: MonoTime) {
    if tokens.len() >= MOST_TOKENS {
        tokens.retain(|_, access| access.until > now);
    }
    if tokens.len() >= MOST_TOKENS {
        let first = tokens.iter().min_by_key(|(_, access)| access.until);
        if let Some(token) = first.map(|(token, _)| token.clone()) {
            tokens.remove(&token);
        }
    }
    tokens.insert(token, access);
}
