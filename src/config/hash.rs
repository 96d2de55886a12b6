//! [`Config::hash`]: by which operators see whether two processes run the same configuration.

use std::fmt::Write as _;

use super::Config;

/// Bytes of the digest that are shown.
const SHOWN: usize = 8;

impl Config {
    /// Tells this configuration from others, in 16 hexadecimal digits: whatever its file looks like, and
    /// whatever overrode it. It holds names of files and variables, never secrets.
    #[must_use]
    pub fn hash(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let digest = ring::digest::digest(&ring::digest::SHA256, &text);
        let mut shown = String::with_capacity(2 * SHOWN);
        for byte in digest.as_ref().iter().take(SHOWN) {
            // Writing to a string cannot fail.
            let _always = write!(shown, "{byte:02x}").is_ok();
        }
        shown
    }
}
