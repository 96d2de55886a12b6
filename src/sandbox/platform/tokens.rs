//! [`Tokens`]: the token endpoint's decisions after RFC 6749, and which tokens are good. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use super::throttle::Throttle;
use crate::runtime::{MonoTime, Rng};
use crate::sandbox::fault::TokenRefusal;

/// An OAuth client of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    /// The client id.
    pub id: String,
    /// The client secret. The sandbox makes it up, so that it is none.
    pub secret: String,
    /// The first refresh token, for the grant `refresh_token`.
    pub refresh_token: String,
}

/// Tokens kept at most, of either kind: the oldest to expire go first.
const MOST_TOKENS: usize = 10_000;
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Tokens {
    clients: Vec<ClientCredentials>,
    lifetime: Duration,
    rotate: bool,
    access: BTreeMap<String, Access>,
    refresh: BTreeMap<String, usize>,
    throttle: Throttle,
    rng: Rng,
    issued: u64,
}

/// What a good token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    /// Index of the client.
    pub(crate) client: usize,
    pub(crate) until: MonoTime,
}

/// A token request as it arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRequest<'a> {
    pub(crate) authorization: Option<&'a str>,
    pub(crate) form: &'a [u8],
}

/// A good answer of the token endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) lifetime: Duration,
}

/// A refusal of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) const fn new(status: u16, error: &'static str, description: &'static str) -> Self {
        Self {
            status,
            error,
            description,
            retry_after: None,
        }
    }

    pub(crate) fn throttled(wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..Self::new(429, "too_many_requests", "rate limit exceeded")
        }
    }

    /// What a fault answers.
    pub(crate) fn injected(kind: TokenRefusal) -> Self {
        match kind {
            TokenRefusal::InvalidClient => Self::new(401, "invalid_client", "client not found"),
            TokenRefusal::InvalidGrant => Self::new(400, "invalid_grant", "grant not valid"),
            TokenRefusal::RateLimit => Self::throttled(RETRY_AFTER),
            TokenRefusal::RateLimit400 => Self::new(400, "invalid_request", "rate limit exceeded"),
        }
    }
}

impl Tokens {
    pub(crate) fn new(
        clients: Vec<ClientCredentials>,
        lifetime: Duration,
        rotate: bool,
        throttle: Throttle,
        rng: Rng,
    ) -> Self {
        let refresh = clients
            .iter()
            .enumerate()
            .map(|(client, credentials)| (credentials.refresh_token.clone(), client))
            .collect();
        Self {
            clients,
            lifetime,
            rotate,
            access: BTreeMap::new(),
            refresh,
            throttle,
            rng,
            issued: 0,
        }
    }

    pub(crate) fn issued(&self) -> u64 {
        self.issued
    }

    pub(crate) fn valid(&self, now: MonoTime) -> usize {
        self.access
            .values()
            .filter(|access| access.until > now)
            .count()
    }

    /// What the bearer of `token` may do, if it is good.
    pub(crate) fn check(&self, token: &str, now: MonoTime) -> Option<Access> {
        let access = self.access.get(token).copied();
        access.filter(|access| access.until > now)
    }

    /// Every access token issued so far stops being valid.
    pub(crate) fn expire_all(&mut self) {
        self.access.clear();
    }

    /// Decides a token request.
    pub(crate) fn grant(
        &mut self,
        request: TokenRequest<'_>,
        now: MonoTime,
    ) -> Result<Granted, Refusal> {
        self.throttle.take(now).map_err(Refusal::throttled)?;
        let form: Form = form_urlencoded::parse(request.form).into_owned().collect();
        let client = self.client(request.authorization, &form)?;
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") => Ok(self.issue(client, None, now)),
            Some("refresh_token") => self.refresh(client, &form, now),
            Some(_) => Err(Refusal::new(
                400,
                "unsupported_grant_type",
                "client_credentials and refresh_token are supported",
            )),
            None => Err(Refusal::new(
                400,
                "invalid_request",
                "grant_type is missing",
            )),
        }
    }

    fn client(&self, authorization: Option<&str>, form: &Form) -> Result<usize, Refusal> {
        let refused = Refusal::new(401, "invalid_client", "client authentication failed");
        let given = match authorization {
            Some(header) => basic(header),
            None => form
                .get("client_id")
                .cloned()
                .zip(form.get("client_secret").cloned()),
        };
        let (id, secret) = given.ok_or_else(|| refused.clone())?;
        self.clients
            .iter()
            .position(|client| client.id == id && client.secret == secret)
            .ok_or(refused)
    }

    fn refresh(&mut self, client: usize, form: &Form, now: MonoTime) -> Result<Granted, Refusal> {
        let Some(token) = form.get("refresh_token") else {
            return Err(Refusal::new(
                400,
                "invalid_request",
                "refresh_token is missing",
            ));
        };
        if self.refresh.get(token) != Some(&client) {
            return Err(Refusal::new(
                400,
                "invalid_grant",
                "refresh token is not valid",
            ));
        }
        let next = if self.rotate {
            self.refresh.remove(token);
            let next = self.fresh("r");
            self.refresh.insert(next.clone(), client);
            next
        } else {
            token.clone()
        };
        Ok(self.issue(client, Some(next), now))
    }

    fn issue(&mut self, client: usize, refresh: Option<String>, now: MonoTime) -> Granted {
        if self.access.len() >= MOST_TOKENS {
            self.access.retain(|_, access| access.until > now);
        }
        if self.access.len() >= MOST_TOKENS {
            let first = self.access.iter().min_by_key(|(_, access)| access.until);
            if let Some(token) = first.map(|(token, _)| token.clone()) {
                self.access.remove(&token);
            }
        }
        self.issued += 1;
        let token = self.fresh("a");
        let until = now + self.lifetime;
        self.access.insert(token.clone(), Access { client, until });
        Granted {
            access_token: token,
            refresh_token: refresh,
            lifetime: self.lifetime,
        }
    }

    fn fresh(&self, kind: &str) -> String {
        format!(
            "sandbox-{kind}-{:016x}{:016x}",
            self.rng.bits(),
            self.rng.bits()
        )
    }
}

type Form = BTreeMap<String, String>;

/// Id and secret of a `Basic` header, each form-encoded as RFC 6749 section 2.3.1 wants it.
pub(crate) fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(text: &str) -> String {
    let pair = form_urlencoded::parse(text.as_bytes()).next();
    pair.map(|(key, _)| key.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(rotate: bool) -> Tokens {
        let client = ClientCredentials {
            id: "me".to_owned(),
            secret: "s".to_owned(),
            refresh_token: "first".to_owned(),
        };
        let lifetime = Duration::from_secs(300);
        let rng = Rng::from_seed(1);
        Tokens::new(vec![client], lifetime, rotate, Throttle::new(None), rng)
    }

    fn ask(
        tokens: &mut Tokens,
        authorization: Option<&str>,
        form: &str,
    ) -> Result<Granted, (u16, &'static str)> {
        let request = TokenRequest {
            authorization,
            form: form.as_bytes(),
        };
        tokens
            .grant(request, MonoTime::now())
            .map_err(|refusal| (refusal.status, refusal.error))
    }

    #[tokio::test(start_paused = true)]
    async fn client_credentials_are_taken_from_the_form_and_from_basic() {
        let mut tokens = tokens(false);
        let form = "grant_type=client_credentials&client_id=me&client_secret=s";
        let granted = ask(&mut tokens, None, form).unwrap();
        assert_eq!(granted.refresh_token, None);
        let access = tokens
            .check(&granted.access_token, MonoTime::now())
            .unwrap();
        assert_eq!(access.client, 0);
        assert_eq!(tokens.check(&granted.access_token, access.until), None);
        let again = ask(
            &mut tokens,
            Some("Basic bWU6cw=="),
            "grant_type=client_credentials",
        )
        .unwrap();
        assert_ne!(again.access_token, granted.access_token);
        tokens.expire_all();
        assert_eq!(tokens.check(&again.access_token, MonoTime::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rotated_refresh_token_is_good_once() {
        let mut tokens = tokens(true);
        let form = |token: &str| {
            format!("grant_type=refresh_token&client_id=me&client_secret=s&refresh_token={token}")
        };
        let second = ask(&mut tokens, None, &form("first"))
            .unwrap()
            .refresh_token
            .unwrap();
        assert_eq!(
            ask(&mut tokens, None, &form("first")),
            Err((400, "invalid_grant"))
        );
        assert!(ask(&mut tokens, None, &form(&second)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn without_rotation_a_refresh_token_stays_good() {
        let mut tokens = tokens(false);
        let form = "grant_type=refresh_token&client_id=me&client_secret=s&refresh_token=first";
        assert_eq!(
            ask(&mut tokens, None, form).unwrap().refresh_token.unwrap(),
            "first"
        );
        assert!(ask(&mut tokens, None, form).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_those_of_rfc_6749() {
        let mut tokens = tokens(false);
        let cases = [
            (
                None,
                "grant_type=client_credentials",
                (401, "invalid_client"),
            ),
            (
                None,
                "grant_type=client_credentials&client_id=me&client_secret=x",
                (401, "invalid_client"),
            ),
            (
                Some("Basic !"),
                "grant_type=client_credentials",
                (401, "invalid_client"),
            ),
            (Some("Basic bWU6cw=="), "", (400, "invalid_request")),
            (
                Some("Basic bWU6cw=="),
                "grant_type=password",
                (400, "unsupported_grant_type"),
            ),
            (
                Some("Basic bWU6cw=="),
                "grant_type=refresh_token",
                (400, "invalid_request"),
            ),
            (
                Some("Basic bWU6cw=="),
                "grant_type=refresh_token&refresh_token=x",
                (400, "invalid_grant"),
            ),
        ];
        for (header, form, expected) in cases {
            assert_eq!(ask(&mut tokens, header, form), Err(expected), "{form}");
        }
    }
}
