//! [`Kept`]: what a connection leaves to those after it. It holds no credential.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::connectors::Opaque;
use crate::runtime::Secret;

/// That the session has begun, and how far the guest was introduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kept {
    /// The platform confirmed the session: another beginning would be another conversation (U39).
    pub(super) begun: bool,
    /// A message that carried the guest's attributes was acknowledged.
    pub(super) introduced: bool,
}

#[derive(Serialize, Deserialize)]
struct Form<'a> {
    of: std::borrow::Cow<'a, str>,
    introduced: bool,
}

impl Kept {
    /// Whose it is: tells guests apart and does not show the token.
    pub(super) fn purpose(deployment: &str, token: &Secret<String>) -> String {
        let text = zeroize::Zeroizing::new(format!("{deployment} {}", token.expose()));
        let hash = digest(&SHA256, text.as_bytes());
        let half = hash.as_ref().iter().take(16);
        half.map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads it back; nothing has begun where it is not of this guest.
    pub(super) fn read(text: Option<&Opaque>, purpose: &str) -> Self {
        let form = text.and_then(|text| serde_json::from_str::<Form<'_>>(text.expose()).ok());
        form.filter(|form| form.of == purpose)
            .map_or_else(Self::default, |form| Self {
                begun: true,
                introduced: form.introduced,
            })
    }

    /// The text to keep, once the session has begun.
    pub(super) fn write(self, purpose: &str) -> Opaque {
        let form = Form {
            of: purpose.into(),
            introduced: self.introduced,
        };
        // Writing text to memory cannot fail.
        Opaque::new(serde_json::to_string(&form).unwrap_or_default())
    }
}
