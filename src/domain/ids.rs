//! Names: of journals, sessions and platforms.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a valid name: 1 to 63 of a-z, 0-9 and '-', beginning with a letter or digit"
)]
pub struct InvalidName {
    text: String,
}

fn check(text: &str) -> Result<Arc<str>, InvalidName> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let valid = (1..=63).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if valid {
        Ok(text.into())
    } else {
        Err(InvalidName {
            text: text.to_owned(),
        })
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $collection:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps a bare name.
            ///
            /// # Errors
            /// When the text is not a valid name.
            pub fn new(text: &str) -> Result<Self, InvalidName> {
                check(text).map(Self)
            }

            /// The bare name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The resource name of the API: the collection, a slash, the bare name.
            #[must_use]
            pub fn resource(&self) -> String {
                format!(concat!($collection, "/{}"), self.0)
            }

            /// Reads a resource name; `None` when it is not one of this collection.
            #[must_use]
            pub fn from_resource(text: &str) -> Option<Self> {
                Self::new(text.strip_prefix(concat!($collection, "/"))?).ok()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name!(
    /// The name of a journal; `journals/{journal}` in the API.
    JournalName,
    "journals"
);
name!(
    /// The name of an upstream session; `sessions/{session}` in the API.
    SessionName,
    "sessions"
);
name!(
    /// The name of a managed cursor; `subscriptions/{subscription}` in the API.
    SubscriptionName,
    "subscriptions"
);
name!(
    /// The name of a template that sessions are made of; `sessionTemplates/{template}` in the API.
    TemplateName,
    "sessionTemplates"
);

impl TemplateName {
    /// The same name as a session's: both have one form.
    #[must_use]
    pub fn as_session(&self) -> SessionName {
        SessionName(Arc::clone(&self.0))
    }
}

/// Random bits in the form of a random UUID (RFC 9562 section 5.4), in lower case.
#[must_use]
pub fn uuid(bits: u128) -> String {
    let bits = bits & !(0xf000_u128 << 64) & !(0xc000_u128 << 48);
    let bits = bits | 0x4000_u128 << 64 | 0x8000_u128 << 48;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        bits >> 80 & 0xffff,
        bits >> 64 & 0xffff,
        bits >> 48 & 0xffff,
        bits & 0xffff_ffff_ffff
    )
}

/// A UUID of any version as it is written, in lower case; `None` where the text is not one.
#[must_use]
pub fn uuid_from_text(text: &str) -> Option<String> {
    let dashes = [8, 13, 18, 23];
    let fits = |(at, byte): (usize, u8)| match dashes.contains(&at) {
        true => byte == b'-',
        false => byte.is_ascii_hexdigit(),
    };
    let is = text.len() == 36 && text.bytes().enumerate().all(fits);
    is.then(|| text.to_ascii_lowercase())
}

/// The registry name of a platform, as in `sessions[].platform`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform(&'static str);

impl Platform {
    /// Wraps a registry name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The registry name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_become_a_random_uuid_and_only_uuids_are_read_as_such() {
        let made = uuid(u128::MAX);
        assert_eq!(made, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid_from_text(&made.to_uppercase()), Some(made.clone()));
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        for wrong in [
            "",
            "x",
            made.get(1..).unwrap(),
            &made.replace('-', "0"),
            &made.replace('f', "g"),
        ] {
            assert_eq!(uuid_from_text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_are_checked() {
        for good in ["default", "a", "queue-1", "0a", &"x".repeat(63)] {
            assert_eq!(SessionName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a/b", "a b", "ä", &"x".repeat(64)] {
            assert!(SessionName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn resource_names_belong_to_their_collection() {
        let journal = JournalName::new("default").unwrap();
        assert_eq!(journal.resource(), "journals/default");
        assert_eq!(
            JournalName::from_resource("journals/default"),
            Some(journal)
        );
        assert_eq!(JournalName::from_resource("sessions/default"), None);
        assert_eq!(JournalName::from_resource("journals/"), None);
    }
}
