//! What of a value may be shown: nothing that is or may be a secret.

use super::key::KeyPath;

/// Longer values are cut in messages.
const MOST_SHOWN: usize = 80;
/// Words that make a key a secret's.
const SECRET_WORDS: [&str; 7] = [
    "secret",
    "password",
    "passwd",
    "token",
    "credential",
    "private_key",
    "api_key",
];
/// Endings that make it the name of a place where a secret is, or no secret at all.
const NAMING_ENDINGS: [&str; 8] = [
    "_file",
    "_env",
    "_url",
    "_before",
    "_placement",
    "_timeout",
    "_interval",
    "_ttl",
];

/// Whether a key looks as if its value were a secret.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word))
        && !NAMING_ENDINGS.iter().any(|ending| key.ends_with(ending))
}

/// The value as it may stand in a message; `None` where it may not.
pub(super) fn shown(path: &KeyPath, value: &str) -> Option<String> {
    let key = path.last_key().unwrap_or_default();
    let hidden = is_secret_key(key)
        // A secret pasted where the name of its file or variable belongs.
        || (key.ends_with("_file") && !value.contains(['/', '\\']))
        || (key.ends_with("_env") && !is_variable_name(value))
        // Addresses may carry credentials in front of '@' or behind '?'.
        || value.contains(['@', '?']);
    if hidden {
        return None;
    }
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut text: String = value.chars().take(MOST_SHOWN).map(printable).collect();
    if value.chars().nth(MOST_SHOWN).is_some() {
        text.push('…');
    }
    Some(text)
}

/// Whether a text can name an environment variable.
pub(super) fn is_variable_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let at = |key: &str| KeyPath::root().key("auth").key(key);
        for (key, value) in [
            ("client_secret", "hunter2"),
            ("password", "x"),
            ("refresh_token", "abc"),
            ("Api_Key", "abc"),
            ("client_secret_file", "hunter2"),
            ("client_secret_env", "hunter-2!"),
            ("endpoint", "https://me:hunter2@host"),
            ("endpoint", "https://host/?token=hunter2"),
        ] {
            assert_eq!(shown(&at(key), value), None, "{key}");
        }
    }

    #[test]
    fn what_names_a_place_is_shown_and_cut() {
        let at = |key: &str| KeyPath::root().key(key);
        assert_eq!(
            shown(&at("client_secret_file"), "/run/s").as_deref(),
            Some("/run/s")
        );
        assert_eq!(
            shown(&at("client_secret_env"), "SECRET").as_deref(),
            Some("SECRET")
        );
        assert_eq!(
            shown(&at("token_refresh_before"), "60").as_deref(),
            Some("60")
        );
        assert_eq!(
            shown(&at("name"), &"x".repeat(200))
                .unwrap()
                .chars()
                .count(),
            81
        );
        assert_eq!(
            shown(&at("name"), "a\u{1b}[2J").as_deref(),
            Some("a\u{fffd}[2J")
        );
    }
}
