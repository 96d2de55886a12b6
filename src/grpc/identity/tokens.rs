//! [`Tokens`]: bearer tokens and whose they are; of each, only a hash is kept. Pure.

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use super::principal::principal;

/// Every call is compared with each of them.
const MOST: usize = 4096;
/// What is shorter can be guessed.
const SHORTEST: usize = 16;
/// No header is longer.
const LONGEST: usize = 4096;

/// Tells one token from others.
pub(super) type TokenHash = [u8; 32];

/// The tokens of a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tokens(Vec<(TokenHash, Arc<str>)>);

/// What is wrong with a line; nothing of the token is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(super) struct InvalidTokens {
    line: usize,
    problem: &'static str,
}

impl Tokens {
    /// Reads lines of a principal and its token, with white space between them. A principal may have
    /// several, so that one can be replaced; lines that are empty or begin with `#` count nothing.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidTokens> {
        let mut tokens = Self::default();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let add = tokens.add(text);
            add.map_err(|problem| InvalidTokens { line, problem })?;
        }
        Ok(tokens)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let mut words = line.split_whitespace();
        let (Some(name), Some(token), None) = (words.next(), words.next(), words.next()) else {
            return Err("must be a principal and its token, with a space between them");
        };
        let name = principal(name).ok_or(
            "the principal must not begin with 'uid:' or 'gid:', and have at most 256 characters",
        )?;
        if !(SHORTEST..=LONGEST).contains(&token.len()) {
            return Err("the token must have from 16 to 4096 characters");
        }
        if !token.bytes().all(is_of_a_token) {
            return Err("the token must be made of letters, digits and -._~+/=");
        }
        let hash = hash(token);
        if self.0.iter().any(|(known, _)| *known == hash) {
            return Err("the token stands on a line above already");
        }
        if self.0.len() == MOST {
            return Err("there are more than 4096 tokens");
        }
        self.0.push((hash, name));
        Ok(())
    }

    /// Whose token it is, and its hash. Takes as long whichever it is.
    pub(super) fn find(&self, token: &str) -> Option<(TokenHash, Arc<str>)> {
        let sought = hash(token);
        let mut found = Choice::from(0);
        let mut at = 0_u32;
        for (index, (known, _)) in (0_u32..).zip(&self.0) {
            let same = known.ct_eq(&sought);
            at.conditional_assign(&index, same);
            found |= same;
        }
        let (_, name) = self.0.get(usize::try_from(at).ok()?)?;
        bool::from(found).then(|| (sought, Arc::clone(name)))
    }

    /// Whether a token that was found is still that principal's.
    pub(super) fn holds(&self, hash: &TokenHash, name: &str) -> bool {
        self.0
            .iter()
            .any(|(known, whose)| known == hash && **whose == *name)
    }
}

/// What RFC 6750 lets a bearer token be made of.
fn is_of_a_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

fn hash(token: &str) -> TokenHash {
    let mut hash = TokenHash::default();
    for (to, from) in hash
        .iter_mut()
        .zip(digest(&SHA256, token.as_bytes()).as_ref())
    {
        *to = *from;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "token-of-dashboards";
    const B: &str = "another.token~of+dash/boards==";

    #[test]
    fn a_token_is_found_by_all_of_it_and_kept_by_none_of_it() {
        let text = format!("# comment\n\n dashboards {A}\ndashboards\t{B}\r\nkafka {A}x\n");
        let tokens = Tokens::parse(&text).unwrap();
        let whose = |token: &str| tokens.find(token).map(|(_, name)| name.to_string());
        assert_eq!(whose(A).as_deref(), Some("dashboards"));
        assert_eq!(whose(B).as_deref(), Some("dashboards"));
        assert_eq!(whose(&format!("{A}x")).as_deref(), Some("kafka"));
        for wrong in ["", "token-of-dashboard", "dashboards", &format!("{A} ")] {
            assert_eq!(whose(wrong), None, "{wrong}");
        }
        assert!(!format!("{tokens:?}").contains(A));
        let (hash, name) = tokens.find(A).unwrap();
        assert!(tokens.holds(&hash, &name) && !tokens.holds(&hash, "kafka"));
        assert!(!Tokens::default().holds(&hash, &name));
        assert_eq!(Tokens::default().find(A), None);
    }

    #[test]
    fn a_wrong_line_is_named_and_its_token_is_not_shown() {
        for (line, problem) in [
            ("dashboards", "must be a principal and its token"),
            ("a dash board token-of-dashboards", "must be a principal"),
            ("a short-token", "from 16 to 4096"),
            ("uid:0 token-of-dashboards", "must not begin with 'uid:'"),
            ("a token-of-dashboards\u{e4}", "made of letters"),
            ("b token-of-the-first", "on a line above already"),
        ] {
            let text = format!("a token-of-the-first\n{line}\n");
            let error = Tokens::parse(&text).unwrap_err().to_string();
            assert!(error.starts_with("line 2: "), "{error}");
            assert!(error.contains(problem), "{error}");
            assert!(!error.contains("token-of"), "{error}");
        }
    }
}
