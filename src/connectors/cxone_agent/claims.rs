//! [`Claims`]: what an access token says of itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::auth::AccessToken;

/// The claims that matter here. Nothing is trusted that was not ours: the token came from the token
/// endpoint, so its signature is not checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claims {
    /// Which tenant's configuration to ask for.
    pub(super) tenant: Option<String>,
    /// The agent that the token's user is.
    pub(super) agent: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "tenantId")]
    tenant: Option<Claim>,
    #[serde(rename = "icAgentId")]
    agent: Option<Claim>,
}

/// Ids are text or numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Claim {
    Text(String),
    Number(u64),
    Other(IgnoredAny),
}

impl Claim {
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text).filter(|text| !text.is_empty()),
            Self::Number(number) => Some(number.to_string()),
            Self::Other(_) => None,
        }
    }
}

impl Claims {
    /// Reads them; none where the token is not a JWT.
    pub(super) fn of(token: &AccessToken) -> Self {
        Self::read(token.value.expose()).unwrap_or_default()
    }

    fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let payload: Payload = serde_json::from_slice(&payload).ok()?;
        Some(Self {
            tenant: payload.tenant.and_then(Claim::text),
            agent: payload.agent.and_then(Claim::text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn ids_are_read_as_text_or_number() {
        let claims = Claims::read(&token(
            r#"{"tenantId":"11ee-7a","icAgentId":4711,"role":{"id":"r"}}"#,
        ));
        let expected = Claims {
            tenant: Some("11ee-7a".to_owned()),
            agent: Some("4711".to_owned()),
        };
        assert_eq!(claims, Some(expected));
        let other = Claims::read(&token(r#"{"tenantId":{"a":1},"icAgentId":""}"#));
        assert_eq!(other, Some(Claims::default()));
    }

    #[test]
    fn a_token_that_is_no_jwt_has_no_claims() {
        for text in ["", "opaque", "a.b", "a.%.c", "a.e30.c.d", "a.bm8.c"] {
            assert_eq!(Claims::read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_token_can_break_it(text in "[ -~]{0,80}") {
            let _claims = Claims::read(&text);
        }
    }
}
