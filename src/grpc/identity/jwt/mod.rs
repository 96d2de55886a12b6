//! [`Keyring`]: the keys of a JSON Web Key Set, and what is asked of the tokens that they sign. Pure:
//! time is handed in.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::Value;

use super::principal::principal;
use super::signatures;
use super::tokens::TokenHash;
use crate::domain::WallTime;

/// More keys than anybody turns over at once.
const MOST: usize = 64;
/// The last second that times reach to here.
const LATEST_SECOND: f64 = 18e9;

/// What is asked of a token besides its signature.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) leeway: Duration,
}

/// The keys by which tokens may be signed.
#[derive(Debug, Clone)]
pub(super) struct Keyring {
    keys: Vec<Key>,
    terms: Terms,
}

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
    /// Tells it from others, whatever it is called.
    print: TokenHash,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) name: Arc<str>,
    pub(super) key: TokenHash,
    pub(super) expires: WallTime,
}

/// Why a token does not say who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::grpc) enum Untrusted {
    #[error("it is not a JSON Web Token that can be read")]
    Malformed,
    #[error("no key of the set has its 'kid' and 'alg'")]
    NoKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("its 'iss' is another issuer")]
    Issuer,
    #[error("its 'aud' is for somebody else")]
    Audience,
    #[error("it has not all of 'iss', 'aud', 'sub' and 'exp'")]
    Claims,
    #[error("its 'sub' cannot be a principal")]
    Principal,
    #[error("its 'nbf' lies in the future")]
    Early,
    #[error("it has expired")]
    Expired,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// Seconds may have fractions.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
}

impl Keyring {
    /// Reads a set. Keys that are for something else, or of a kind that is not taken, are passed over.
    pub(super) fn parse(json: &[u8], terms: Terms) -> Result<Self, String> {
        signatures::install();
        let set: KeySet = serde_json::from_slice(json)
            .map_err(|error| format!("is not a JSON Web Key Set: {error}"))?;
        if set.keys.len() > MOST {
            return Err(format!("holds more than {MOST} keys"));
        }
        let keys: Vec<_> = set.keys.iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err("holds no key for RS256, ES256 or EdDSA".to_owned());
        }
        Ok(Self { keys, terms })
    }

    /// Whose token it is.
    pub(super) fn verify(&self, token: &str, now: WallTime) -> Result<Signed, Untrusted> {
        let header = decode_header(token).map_err(|_| Untrusted::Malformed)?;
        // What must be understood and is not.
        if header.crit.is_some() {
            return Err(Untrusted::Malformed);
        }
        let key = self.key(header.kid.as_deref(), header.alg);
        let key = key.ok_or(Untrusted::NoKey)?;
        let mut asked = Validation::new(key.algorithm);
        asked.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        asked.set_issuer(&[&self.terms.issuer]);
        asked.set_audience(&[&self.terms.audience]);
        // The library would look at the machine's clock.
        (asked.validate_exp, asked.validate_nbf) = (false, false);
        let claims = decode::<Claims>(token, &key.key, &asked).map_err(|error| why(&error))?;
        self.accept(&claims.claims, key, now)
    }

    fn accept(&self, claims: &Claims, key: &Key, now: WallTime) -> Result<Signed, Untrusted> {
        let leeway = self.terms.leeway;
        let name = principal(&claims.sub).ok_or(Untrusted::Principal)?;
        let expires = moment(claims.exp).ok_or(Untrusted::Claims)?;
        if let Some(from) = claims.nbf
            && moment(from).ok_or(Untrusted::Claims)? > now.plus(leeway)
        {
            return Err(Untrusted::Early);
        }
        // The leeway is for who comes late, not for who is here when the time is over.
        let expires = match expires > now {
            true => expires,
            false => expires.plus(leeway),
        };
        if expires <= now {
            return Err(Untrusted::Expired);
        }
        let key = key.print;
        Ok(Signed { name, key, expires })
    }

    /// The key that a token names. It need not name the only one of its kind.
    fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut kind = self.keys.iter().filter(|key| key.algorithm == algorithm);
        if id.is_some() {
            return kind.find(|key| key.id.as_deref() == id);
        }
        let only = kind.next();
        only.filter(|_| kind.next().is_none())
    }

    /// Whether a key is still among them.
    pub(super) fn holds(&self, print: &TokenHash) -> bool {
        self.keys.iter().any(|key| key.print == *print)
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            _ => return None,
        };
        let named = match algorithm {
            Algorithm::RS256 => KeyAlgorithm::RS256,
            Algorithm::ES256 => KeyAlgorithm::ES256,
            _ => KeyAlgorithm::EdDSA,
        };
        let signs = matches!(
            jwk.common.public_key_use,
            None | Some(PublicKeyUse::Signature)
        );
        if !signs
            || jwk
                .common
                .key_algorithm
                .as_ref()
                .is_some_and(|given| *given != named)
        {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let mut print = TokenHash::default();
        let canonical = value.to_string();
        let hash = digest(&SHA256, canonical.as_bytes());
        for (to, from) in print.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
        Some(Self {
            id: jwk.common.key_id,
            algorithm,
            key,
            print,
        })
    }
}

fn why(error: &errors::Error) -> Untrusted {
    use errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => Untrusted::Signature,
        ErrorKind::InvalidAlgorithm => Untrusted::NoKey,
        ErrorKind::InvalidIssuer => Untrusted::Issuer,
        ErrorKind::InvalidAudience => Untrusted::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => Untrusted::Claims,
        _ => Untrusted::Malformed,
    }
}

/// A time in seconds; `None` for what is none.
fn moment(seconds: f64) -> Option<WallTime> {
    let known = seconds.is_finite() && (0.0..=LATEST_SECOND).contains(&seconds);
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    known.then(|| WallTime::default().plus(since))
}

#[cfg(test)]
mod tests;
