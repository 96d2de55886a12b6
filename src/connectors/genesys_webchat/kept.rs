//! [`Instance`]: the guest's instance and its token, which every connection of a session uses.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::connectors::Opaque;
use crate::domain::WallTime;
use crate::runtime::Secret;

/// Longer ids and tokens are none.
const LONGEST_ID: usize = 200;
const LONGEST_TOKEN: usize = 8_192;

/// An instance that the platform made for this guest.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    /// One segment of a path.
    pub(super) id: String,
    pub(super) token: Secret<String>,
    /// By our clock, where the platform said how long it lives.
    pub(super) expires: Option<WallTime>,
}

#[derive(Serialize, Deserialize)]
struct Form {
    /// Whose it is: an instance of another guest is of no use.
    of: String,
    id: String,
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_millis: Option<u64>,
}

/// What tells a session from every other, also from one of the same name before it.
pub(super) fn purpose(endpoint: &Url, guest: &Secret<String>) -> Secret<String> {
    Secret::new(format!("{endpoint} {}", guest.expose()))
}

impl Instance {
    /// One that can be used in an address and a header; nothing else is one.
    pub(super) fn new(id: String, token: String, expires: Option<WallTime>) -> Option<Self> {
        let token = Secret::new(token);
        let of_id = (1..=LONGEST_ID).contains(&id.len())
            && !matches!(id.as_str(), "." | "..")
            && !id.contains(char::is_control);
        let text = token.expose();
        let of_token = (1..=LONGEST_TOKEN).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        (of_id && of_token).then_some(Self { id, token, expires })
    }

    /// Reads it back; `None` where it is not of this guest.
    pub(super) fn read(text: &Opaque, purpose: &Secret<String>) -> Option<Self> {
        let form: Form = serde_json::from_str(text.expose()).ok()?;
        let (of, token) = (Secret::new(form.of), form.token);
        let expires = form.expires_millis.map(WallTime::from_millis);
        let own = of == *purpose;
        Self::new(form.id, token, expires).filter(|_| own)
    }

    /// The text to keep.
    pub(super) fn write(&self, purpose: &Secret<String>) -> Opaque {
        let form = Form {
            of: purpose.expose().clone(),
            id: self.id.clone(),
            token: self.token.expose().clone(),
            expires_millis: self.expires.map(WallTime::as_millis),
        };
        // Writing texts to memory cannot fail.
        let text = serde_json::to_string(&form).unwrap_or_default();
        drop((Secret::new(form.of), Secret::new(form.token)));
        Opaque::new(text)
    }
}
