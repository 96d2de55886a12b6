//! [`Tokens`]: the token endpoint's decisions, and which tokens are good. Several of one client are
//! valid side by side. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use url::form_urlencoded;

use super::config::OauthClient;
use crate::runtime::{MonoTime, Rng};
use crate::sandbox::fault::TokenRefusal;
use crate::sandbox::platform::{Throttle, basic};

/// Tokens remembered at most, good or not: the oldest go first.
const MOST_TOKENS: usize = 10_000;

/// An OAuth client with its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesysCredentials {
    /// The client id.
    pub id: String,
    /// The client secret. The sandbox makes it up, so that it is none.
    pub secret: String,
}

#[derive(Debug)]
pub(crate) struct Tokens {
    clients: Vec<Client>,
    lifetime: Duration,
    /// By serial.
    tokens: BTreeMap<u64, Token>,
    /// Serial by text.
    texts: BTreeMap<String, u64>,
    throttle: Throttle,
    requests_per_minute: Option<u32>,
    issued: u64,
    rng: Rng,
}

#[derive(Debug)]
struct Client {
    id: Arc<str>,
    secret: String,
    /// What it may do; everything where there is no list.
    permissions: Option<Vec<String>>,
}

#[derive(Debug)]
struct Token {
    client: usize,
    text: String,
    until: MonoTime,
    revoked: bool,
    throttle: Throttle,
}

/// What a good token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    /// Index of the client.
    pub(crate) client: usize,
    /// Counts tokens from 1.
    pub(crate) token: u64,
}

/// Whether a token is still what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Until then.
    Good(MonoTime),
    Expired,
    Revoked,
}

/// Why a request is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unauthorized {
    /// There was no token.
    Missing,
    /// It is none of ours.
    Unknown,
    Expired,
    /// Too many requests with it; one more may come then.
    Throttled(Duration),
}

/// A refusal of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) description: String,
}

impl Refusal {
    fn new(status: u16, error: &'static str, description: &str) -> Self {
        Self {
            status,
            error,
            description: description.to_owned(),
        }
    }

    /// Too many token requests: a 400, and no `Retry-After`.
    fn throttled(per_minute: Option<u32>) -> Self {
        let count = per_minute.unwrap_or_default();
        let text = format!("rate limit exceeded; no more than {count} requests per minute");
        Self::new(400, "invalid_request", &text)
    }

    /// What a fault answers.
    pub(crate) fn injected(kind: TokenRefusal) -> Self {
        match kind {
            TokenRefusal::InvalidClient => unknown_client(),
            TokenRefusal::InvalidGrant => Self::new(400, "invalid_grant", "grant not valid"),
            TokenRefusal::RateLimit => Self::new(429, "too_many_requests", "rate limit exceeded"),
            TokenRefusal::RateLimit400 => Self::throttled(None),
        }
    }
}

fn unknown_client() -> Refusal {
    Refusal::new(400, "invalid_client", "client not found or invalid secret")
}

impl Tokens {
    pub(crate) fn new(
        clients: &[OauthClient],
        lifetime: Duration,
        token_requests_per_minute: Option<u32>,
        requests_per_minute: Option<u32>,
        rng: Rng,
    ) -> Self {
        let clients = clients
            .iter()
            .map(|client| Client {
                id: client.id.as_str().into(),
                secret: format!("sandbox-secret-{:016x}", rng.bits()),
                permissions: client.permissions.clone(),
            })
            .collect();
        Self {
            clients,
            lifetime,
            tokens: BTreeMap::new(),
            texts: BTreeMap::new(),
            throttle: Throttle::new(token_requests_per_minute),
            requests_per_minute,
            issued: 0,
            rng,
        }
    }

    pub(crate) fn credentials(&self) -> Vec<GenesysCredentials> {
        let credentials = |client: &Client| GenesysCredentials {
            id: client.id.to_string(),
            secret: client.secret.clone(),
        };
        self.clients.iter().map(credentials).collect()
    }

    pub(crate) fn client_id(&self, client: usize) -> Arc<str> {
        let client = self.clients.get(client);
        client.map_or_else(|| "".into(), |client| Arc::clone(&client.id))
    }

    /// Whether a client has a permission.
    pub(crate) fn may(&self, client: usize, permission: &str) -> bool {
        let client = self.clients.get(client);
        client.is_some_and(|client| match &client.permissions {
            None => true,
            Some(granted) => granted.iter().any(|has| has == permission),
        })
    }

    pub(crate) fn issued(&self) -> u64 {
        self.issued
    }

    pub(crate) fn valid(&self, now: MonoTime) -> usize {
        let good = |token: &&Token| !token.revoked && token.until > now;
        self.tokens.values().filter(good).count()
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// What a token is by now.
    pub(crate) fn standing(&self, token: u64, now: MonoTime) -> Standing {
        match self.tokens.get(&token) {
            Some(token) if token.revoked => Standing::Revoked,
            Some(token) if token.until > now => Standing::Good(token.until),
            _ => Standing::Expired,
        }
    }

    /// Lets a request with this token through, or not.
    pub(crate) fn admit(
        &mut self,
        bearer: Option<&str>,
        now: MonoTime,
    ) -> Result<Access, Unauthorized> {
        let text = bearer.ok_or(Unauthorized::Missing)?;
        let serial = *self.texts.get(text).ok_or(Unauthorized::Unknown)?;
        let token = self.tokens.get_mut(&serial).ok_or(Unauthorized::Unknown)?;
        if token.revoked {
            return Err(Unauthorized::Unknown);
        }
        if token.until <= now {
            return Err(Unauthorized::Expired);
        }
        token.throttle.take(now).map_err(Unauthorized::Throttled)?;
        Ok(Access {
            client: token.client,
            token: serial,
        })
    }

    /// Decides a token request: the access token, or why there is none.
    pub(crate) fn grant(
        &mut self,
        authorization: Option<&str>,
        form: &[u8],
        now: MonoTime,
    ) -> Result<String, Refusal> {
        if self.throttle.take(now).is_err() {
            return Err(Refusal::throttled(self.throttle.per_minute()));
        }
        let form: BTreeMap<_, _> = form_urlencoded::parse(form).into_owned().collect();
        let given = match authorization {
            Some(header) => basic(header),
            None => form
                .get("client_id")
                .cloned()
                .zip(form.get("client_secret").cloned()),
        };
        let known = given.and_then(|(id, secret)| {
            let mut clients = self.clients.iter();
            clients.position(|client| *client.id == id && client.secret == secret)
        });
        let client = known.ok_or_else(unknown_client)?;
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") => Ok(self.issue(client, now)),
            Some(_) => Err(Refusal::new(
                400,
                "unsupported_grant_type",
                "this client has the grant client_credentials",
            )),
            None => Err(Refusal::new(
                400,
                "invalid_request",
                "grant_type is missing",
            )),
        }
    }

    fn issue(&mut self, client: usize, now: MonoTime) -> String {
        if self.tokens.len() >= MOST_TOKENS
            && let Some((_, oldest)) = self.tokens.pop_first()
        {
            self.texts.remove(&oldest.text);
        }
        self.issued += 1;
        let text = format!("{:016x}{:016x}", self.rng.bits(), self.rng.bits());
        let token = Token {
            client,
            text: text.clone(),
            until: now + self.lifetime,
            revoked: false,
            throttle: Throttle::new(self.requests_per_minute),
        };
        self.tokens.insert(self.issued, token);
        self.texts.insert(text.clone(), self.issued);
        text
    }

    /// A token is given back.
    pub(crate) fn revoke(&mut self, token: u64) {
        if let Some(token) = self.tokens.get_mut(&token) {
            token.revoked = true;
        }
    }

    pub(crate) fn revoke_all(&mut self) {
        self.tokens
            .values_mut()
            .for_each(|token| token.revoked = true);
    }

    /// Every token issued so far expires.
    pub(crate) fn expire_all(&mut self, now: MonoTime) {
        for token in self.tokens.values_mut() {
            token.until = token.until.min(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(per_minute: Option<u32>) -> Tokens {
        let clients = [
            OauthClient::all("me"),
            OauthClient::only("some", ["routing:queue:view"]),
        ];
        let lifetime = Duration::from_secs(300);
        Tokens::new(&clients, lifetime, per_minute, Some(2), Rng::from_seed(1))
    }

    const GRANT: &[u8] = b"grant_type=client_credentials";

    fn header(tokens: &Tokens, place: usize) -> String {
        use base64::Engine as _;
        let client = &tokens.credentials()[place];
        let pair = format!("{}:{}", client.id, client.secret);
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        )
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_of_one_client_are_good_side_by_side_and_each_has_its_own_rate() {
        let mut tokens = tokens(None);
        let now = MonoTime::now();
        let basic = header(&tokens, 0);
        let first = tokens.grant(Some(&basic), GRANT, now).unwrap();
        let second = tokens.grant(Some(&basic), GRANT, now).unwrap();
        assert_ne!(first, second);
        assert!(tokens.admit(Some(&first), now).is_ok());
        assert!(tokens.admit(Some(&first), now).is_ok());
        let throttled = tokens.admit(Some(&first), now);
        assert_eq!(
            throttled,
            Err(Unauthorized::Throttled(Duration::from_secs(30)))
        );
        let access = tokens.admit(Some(&second), now).unwrap();
        assert_eq!((access.client, access.token), (0, 2));
        assert_eq!(tokens.valid(now), 2);
        assert_eq!(tokens.valid(now + Duration::from_secs(300)), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_token_is_an_expiry_or_a_revocation() {
        let mut tokens = tokens(None);
        let now = MonoTime::now();
        let basic = header(&tokens, 0);
        let token = tokens.grant(Some(&basic), GRANT, now).unwrap();
        assert_eq!(
            tokens.standing(1, now),
            Standing::Good(now + Duration::from_secs(300))
        );
        tokens.expire_all(now);
        assert_eq!(tokens.standing(1, now), Standing::Expired);
        assert_eq!(tokens.admit(Some(&token), now), Err(Unauthorized::Expired));
        tokens.revoke(1);
        assert_eq!(tokens.standing(1, now), Standing::Revoked);
        assert_eq!(tokens.admit(Some(&token), now), Err(Unauthorized::Unknown));
        assert_eq!(tokens.admit(None, now), Err(Unauthorized::Missing));
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_token_requests_are_a_bad_request_with_its_own_description() {
        let mut tokens = tokens(Some(1));
        let now = MonoTime::now();
        let basic = header(&tokens, 0);
        assert!(tokens.grant(Some(&basic), GRANT, now).is_ok());
        let refusal = tokens.grant(Some(&basic), GRANT, now).unwrap_err();
        assert_eq!((refusal.status, refusal.error), (400, "invalid_request"));
        assert!(refusal.description.starts_with("rate limit exceeded;"));
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_secrets_and_other_grants_are_refused() {
        let mut tokens = tokens(None);
        let now = MonoTime::now();
        let basic = header(&tokens, 0);
        let cases = [
            (Some("Basic bWU6eA=="), GRANT, "invalid_client"),
            (None, GRANT, "invalid_client"),
            (Some(&*basic), &b""[..], "invalid_request"),
            (
                Some(&*basic),
                b"grant_type=refresh_token",
                "unsupported_grant_type",
            ),
        ];
        for (authorization, form, expected) in cases {
            let refusal = tokens.grant(authorization, form, now).unwrap_err();
            assert_eq!((refusal.status, refusal.error), (400, expected));
        }
        assert!(tokens.may(0, "anything") && !tokens.may(1, "anything"));
        assert!(tokens.may(1, "routing:queue:view"));
    }
}
