//! Tokens that are signed well, and in every way that is not.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::json;

/// A key of RSA whose private part nobody has, and what it signed once.
const RSA: &str = "2-dB4JzLnLxG33jj_oYYp7vFvVC4DhGm3AdhD9ZvAGNi85oClP3GS3zT33K0HPo0G6os3DyXsVawwIPAzwA894_wvs3wtUeLS80C482LECfTY0qYz7WCeViJdour13YfwrWz5JCIIjECI4pZSnhv1kEfllaW1VRI_csABkuRPgf10mRD2uJ3Zdn2YY_SRT6svuVe7nQsiH-3NBfG6o1kd7N1u64kk04gSoNvKewpeG7vqDcIzo9XOGOtmRtWiHG76TqH1DR5EFeyhqzIdBTgZjayL88jLFKRIzhUvEawVTSiC6JmbU2OJrvQ0cF3k7islgahfFZu3XMnyDsZWgSvDQ";
const SIGNED_BY_RSA: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0IiwiYXVkIjpbInRpZWxpbmUiXSwic3ViIjoicmVwb3J0cyIsImV4cCI6NDEwMjQ0NDgwMH0.IcSq5elOeaKYwBpFPxdyX4aILyTA11cCtpFHxfCup04KaEpTdCW3rFJEOxTmnlVZS6_mmM6WwDDDWdhdh3h90gizq37XYr3cs5DxY697ggrbqB1l8qJlZr5gaYEKbCP6N3OYN17vcxAx8mZkNoNKh10RA3Kb7Wa1JIzG17Air5H4zCmVv0EW3JhJXZIKFCyEUjkzusqZCOoT86VRuEmN6GQ0KZ9bK2twrSdVuzV3PV6QwGYsPLzp8alYkXJ92AEq_z20AvjJVD13T2OPgqW3sWaLfWqBgIS63ozA5g1jtrbzTu63Hm7CTqHLoo1PD26adnlOzZ2dnITRBogxCIbLuQ";

fn now() -> WallTime {
    WallTime::default().plus(Duration::from_secs(1_800_000_000))
}

fn terms() -> Terms {
    Terms {
        issuer: "https://issuer.test".to_owned(),
        audience: "tieline".to_owned(),
        leeway: Duration::from_secs(10),
    }
}

/// An issuer with a key of each kind.
struct Issuer {
    curve: EcdsaKeyPair,
    edwards: Ed25519KeyPair,
    rng: SystemRandom,
}

impl Issuer {
    fn new() -> Self {
        let rng = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let curve = EcdsaKeyPair::generate_pkcs8(kind, &rng).unwrap();
        let edwards = Ed25519KeyPair::generate_pkcs8(&rng).unwrap();
        Self {
            curve: EcdsaKeyPair::from_pkcs8(kind, curve.as_ref(), &rng).unwrap(),
            edwards: Ed25519KeyPair::from_pkcs8(edwards.as_ref()).unwrap(),
            rng,
        }
    }

    fn keys(&self) -> Value {
        let point = self.curve.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let edwards = BASE64.encode(self.edwards.public_key());
        json!({ "keys": [
            { "kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": RSA, "e": "AQAB" },
            { "kty": "EC", "kid": "curve", "crv": "P-256",
              "x": BASE64.encode(x), "y": BASE64.encode(y) },
            { "kty": "OKP", "kid": "edwards", "crv": "Ed25519", "x": edwards },
            { "kty": "oct", "kid": "shared", "k": BASE64.encode("a secret that is shared") },
            { "kty": "EC", "kid": "other", "crv": "P-521", "x": "AA", "y": "AA" },
            { "kty": "OKP", "kid": "encrypts", "use": "enc", "crv": "Ed25519", "x": edwards },
            { "kty": "unheard-of" },
        ] })
    }

    fn keyring(&self) -> Keyring {
        Keyring::parse(self.keys().to_string().as_bytes(), terms()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = match header["alg"].as_str() {
            Some("ES256") => {
                let signed = self.curve.sign(&self.rng, message.as_bytes());
                BASE64.encode(signed.unwrap())
            }
            Some("EdDSA") => BASE64.encode(self.edwards.sign(message.as_bytes())),
            _ => String::new(),
        };
        format!("{message}.{signature}")
    }
}

/// Claims that are good now, with this changed; null takes one out.
fn claims(change: Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.test",
        "aud": "tieline",
        "sub": "kafka",
        "exp": 1_800_000_060,
    });
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

#[test]
fn each_kind_of_key_says_who_calls_and_until_when() {
    let issuer = Issuer::new();
    let keyring = issuer.keyring();
    for (algorithm, id) in [("ES256", "curve"), ("EdDSA", "edwards")] {
        let token = issuer.sign(&json!({ "alg": algorithm, "kid": id }), &claims(json!({})));
        let signed = keyring.verify(&token, now()).unwrap();
        assert_eq!(&*signed.name, "kafka");
        assert_eq!(signed.expires, now().plus(Duration::from_secs(60)));
        assert!(keyring.holds(&signed.key));
        let nameless = issuer.sign(&json!({ "alg": algorithm }), &claims(json!({})));
        assert!(
            keyring.verify(&nameless, now()).is_ok(),
            "the only one of its kind"
        );
    }
    let signed = keyring.verify(SIGNED_BY_RSA, now()).unwrap();
    assert_eq!(&*signed.name, "reports");
    let other = Issuer::new().keyring();
    let token = issuer.sign(
        &json!({ "alg": "ES256", "kid": "curve" }),
        &claims(json!({})),
    );
    assert_eq!(other.verify(&token, now()), Err(Untrusted::Signature));
    assert!(!other.holds(&keyring.verify(&token, now()).unwrap().key));
}

#[test]
fn what_is_signed_otherwise_is_not_believed() {
    let issuer = Issuer::new();
    let keyring = issuer.keyring();
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "HS256", "kid": "shared" }),
        json!({ "alg": "HS256", "kid": "rsa" }),
        json!({ "alg": "RS512", "kid": "rsa" }),
        json!({ "alg": "ES256", "kid": "rsa" }),
        json!({ "alg": "ES256", "kid": "nobody" }),
        json!({ "alg": "EdDSA", "kid": "encrypts" }),
        json!({ "alg": "EdDSA", "kid": "edwards", "crit": ["b64"], "b64": false }),
        json!({}),
    ] {
        let token = issuer.sign(&header, &claims(json!({})));
        let refused = keyring.verify(&token, now()).unwrap_err();
        let known = [Untrusted::NoKey, Untrusted::Malformed];
        assert!(known.contains(&refused), "{header}: {refused}");
    }
    for text in ["", ".", "..", "a.b.c", "a.b", &format!("{SIGNED_BY_RSA}.x")] {
        let refused = keyring.verify(text, now()).unwrap_err();
        assert_eq!(refused, Untrusted::Malformed, "{text}");
    }
}

#[test]
fn what_it_says_must_be_for_us_and_for_now() {
    let issuer = Issuer::new();
    let keyring = issuer.keyring();
    for (change, expected) in [
        (json!({}), None),
        (json!({ "aud": ["other", "tieline"] }), None),
        (json!({ "nbf": 1_800_000_009 }), None),
        (json!({ "exp": 1_799_999_991 }), None),
        (json!({ "exp": 1_800_000_000.5 }), None),
        (
            json!({ "iss": "https://other.test" }),
            Some(Untrusted::Issuer),
        ),
        (json!({ "aud": "other" }), Some(Untrusted::Audience)),
        (json!({ "aud": ["tieline2"] }), Some(Untrusted::Audience)),
        (json!({ "nbf": 1_800_000_011 }), Some(Untrusted::Early)),
        (json!({ "exp": 1_799_999_990 }), Some(Untrusted::Expired)),
        (json!({ "exp": -1 }), Some(Untrusted::Claims)),
        (json!({ "exp": "1800000060" }), Some(Untrusted::Claims)),
        (json!({ "exp": null }), Some(Untrusted::Claims)),
        (json!({ "sub": null }), Some(Untrusted::Claims)),
        (json!({ "aud": null }), Some(Untrusted::Claims)),
        (json!({ "iss": null }), Some(Untrusted::Claims)),
        (json!({ "sub": "uid:0" }), Some(Untrusted::Principal)),
        (json!({ "sub": "" }), Some(Untrusted::Principal)),
    ] {
        let header = json!({ "alg": "ES256", "kid": "curve" });
        let token = issuer.sign(&header, &claims(change.clone()));
        let verified = keyring.verify(&token, now());
        assert_eq!(verified.err(), expected, "{change}");
    }
}

#[test]
fn a_set_without_a_key_of_use_is_refused() {
    for (text, problem) in [
        ("", "is not a JSON Web Key Set"),
        ("[]", "is not a JSON Web Key Set"),
        (r#"{ "keys": [] }"#, "holds no key"),
        (
            r#"{ "keys": [{ "kty": "oct", "k": "AAAA" }] }"#,
            "holds no key",
        ),
    ] {
        let error = Keyring::parse(text.as_bytes(), terms()).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
    let many = json!({ "keys": vec![json!({ "kty": "oct" }); 65] }).to_string();
    let error = Keyring::parse(many.as_bytes(), terms()).unwrap_err();
    assert!(error.contains("more than 64"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256 * crate::testing::scale()))]

    #[test]
    fn a_token_with_any_character_changed_is_not_believed(at in 0..SIGNED_BY_RSA.len(), to in "[A-Za-z0-9_.-]") {
        let keyring = Issuer::new().keyring();
        let mut token = SIGNED_BY_RSA.to_owned();
        let same = token.get(at..=at) == Some(to.as_str());
        token.replace_range(at..=at, &to);
        // The last character holds bits that mean nothing, and those must be zero.
        prop_assert_eq!(keyring.verify(&token, now()).is_ok(), same);
    }
}
