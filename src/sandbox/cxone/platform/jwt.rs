//! [`Signer`]: tokens as the platform makes them: JWT, RS256, with a key that can be looked up.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

/// Signs for sandboxes and nobody else; the same everywhere, so that a seed repeats its tokens.
const KEY: &[u8] = include_bytes!("signing_key.der");
const KEY_ID: &str = "sandbox-1";

/// Signs tokens, and says how to check them.
#[derive(Debug)]
pub(super) struct Signer {
    key: RsaKeyPair,
}

impl Signer {
    #[expect(clippy::expect_used, reason = "the key is a part of the program")]
    pub(super) fn new() -> Self {
        Self {
            key: RsaKeyPair::from_der(KEY).expect("a private key of RSA"),
        }
    }

    /// A token that claims `claims`.
    #[expect(
        clippy::expect_used,
        reason = "the buffer has the length of the modulus"
    )]
    pub(super) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "kid": KEY_ID, "typ": "JWT" });
        let text = format!("{}.{}", encoded(&header), encoded(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        // The generator only blinds the computation: the signature is the same every time.
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .expect("signature fits");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The document at `jwks_uri`.
    pub(super) fn key_set(&self) -> Value {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.key.public_key());
        json!({ "keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID,
            "n": URL_SAFE_NO_PAD.encode(public.n),
            "e": URL_SAFE_NO_PAD.encode(public.e),
        }] })
    }
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

    #[test]
    fn a_token_is_good_under_the_key_that_is_published() {
        let signer = Signer::new();
        let token = signer.sign(&json!({ "sub": "user:1" }));
        assert_eq!(token, signer.sign(&json!({ "sub": "user:1" })));
        let (text, signature) = token.rsplit_once('.').unwrap();
        let keys = signer.key_set();
        let part = |name: &str| {
            let text = keys["keys"][0][name].as_str().unwrap();
            URL_SAFE_NO_PAD.decode(text).unwrap()
        };
        let key = RsaPublicKeyComponents {
            n: part("n"),
            e: part("e"),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        key.verify(&RSA_PKCS1_2048_8192_SHA256, text.as_bytes(), &signature)
            .unwrap();
        let claims = text.split('.').nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        assert_eq!(claims, br#"{"sub":"user:1"}"#);
    }
}
