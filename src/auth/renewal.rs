//! [`Renewal`]: the refresh token that came with a token for a password, while it may be used
//! instead of the password. Pure.

use std::time::Duration;

use crate::runtime::{MonoTime, Secret};

/// How long CXone's refresh tokens live (cxone-and-others.md 1.1).
const LIFETIME: Duration = Duration::from_secs(2 * 3600);

/// A refresh token that need not outlive the process: the password replaces it.
#[derive(Debug)]
pub(super) struct Renewal {
    token: Secret<String>,
    until: MonoTime,
    /// The hash of the secrets that it was given for.
    ancestor: u64,
}

impl Renewal {
    /// What an answer to a request of `asked` leaves: its own refresh token, else the one before
    /// as long as that lives.
    pub(super) fn after(
        before: Option<Self>,
        given: Option<Secret<String>>,
        asked: MonoTime,
        ancestor: u64,
    ) -> Option<Self> {
        match given {
            Some(token) if before.as_ref().is_none_or(|before| before.token != token) => {
                Some(Self {
                    token,
                    until: asked + LIFETIME,
                    ancestor,
                })
            }
            // The same again, or none: it grows no younger.
            Some(_) | None => before,
        }
    }

    /// The token, unless it is too old or the secrets are others by now.
    pub(super) fn usable(&self, now: MonoTime, ancestor: u64) -> Option<Secret<String>> {
        (now < self.until && ancestor == self.ancestor).then(|| self.token.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Option<Secret<String>> {
        Some(Secret::new(text.to_owned()))
    }

    #[test]
    fn u22_a_refresh_token_is_used_for_two_hours_and_for_its_own_secrets() {
        let start = MonoTime::now();
        let renewal = Renewal::after(None, secret("r1"), start, 7).unwrap();
        let late = start + LIFETIME - Duration::from_secs(1);
        assert_eq!(renewal.usable(late, 7), secret("r1"));
        assert_eq!(renewal.usable(late, 8), None);
        assert_eq!(renewal.usable(start + LIFETIME, 7), None);
        // None and the same again change nothing; another begins anew.
        let renewal = Renewal::after(Some(renewal), None, late, 7);
        let renewal = Renewal::after(renewal, secret("r1"), late, 7).unwrap();
        assert_eq!(renewal.usable(start + LIFETIME, 7), None);
        let renewal = Renewal::after(Some(renewal), secret("r2"), late, 7).unwrap();
        assert_eq!(renewal.usable(start + LIFETIME, 7), secret("r2"));
        assert!(Renewal::after(None, None, start, 7).is_none());
    }
}
