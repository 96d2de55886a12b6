//! JSON Web Tokens: signed by an issuer whose keys stand in a file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tieline::client::Credentials;
use tieline::runtime::Clock;
use tokio::time::Instant;
use tonic::Code;

use super::house::{House, end, goes_on, is, soon};
use crate::kit::write_private;

const EXPIRED: &str = "CREDENTIALS_EXPIRED";

/// Whoever signs.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    fn key(&self, id: &str) -> Value {
        let x = BASE64.encode(self.0.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": id, "x": x })
    }

    fn sign(&self, header: Value, claims: Value) -> String {
        let part = |value: Value| BASE64.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = BASE64.encode(self.0.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

fn seconds() -> u64 {
    Clock::system().wall().as_millis() / 1000
}

fn claims(exp: u64, audience: &str) -> Value {
    json!({ "iss": "https://issuer.test", "aud": audience, "sub": "reader", "exp": exp })
}

fn header(id: &str) -> Value {
    json!({ "alg": "EdDSA", "kid": id })
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

async fn house(issuer: &Issuer) -> House {
    let keys = set(&[issuer.key("one")]);
    House::with(|config, files, _| {
        let file = write_private(files, "keys.json", &keys);
        let auth = config.listen.auth.as_mut().unwrap();
        auth.jwks_file = Some(file);
        auth.issuer = Some("https://issuer.test".to_owned());
        auth.audience = Some("tieline".to_owned());
    })
    .await
}

#[tokio::test]
async fn a_token_of_the_issuer_is_believed_and_no_other() {
    let issuer = Issuer::new();
    let house = house(&issuer).await;
    let later = seconds() + 600;
    let good = issuer.sign(header("one"), claims(later, "tieline"));
    assert!(
        house
            .stream(house.token(&good), "journals/default")
            .await
            .is_ok()
    );
    let forbidden = house.stream(house.token(&good), "journals/other").await;
    is(
        &forbidden.unwrap_err(),
        Code::PermissionDenied,
        "JOURNAL_FORBIDDEN",
    );
    let mut changed = good.clone();
    changed.truncate(good.len() - 2);
    for wrong in [
        issuer.sign(header("one"), claims(later, "another")),
        issuer.sign(header("two"), claims(later, "tieline")),
        issuer.sign(header("one"), claims(seconds() - 60, "tieline")),
        issuer.sign(
            json!({ "alg": "none", "kid": "one" }),
            claims(later, "tieline"),
        ),
        issuer.sign(
            json!({ "alg": "HS256", "kid": "one" }),
            claims(later, "tieline"),
        ),
        Issuer::new().sign(header("one"), claims(later, "tieline")),
        changed,
    ] {
        let refused = house.stream(house.token(&wrong), "journals/default").await;
        is(&refused.unwrap_err(), Code::Unauthenticated, EXPIRED);
    }
    let none = house
        .stream(Credentials::default(), "journals/default")
        .await;
    is(
        &none.unwrap_err(),
        Code::Unauthenticated,
        "CREDENTIALS_MISSING",
    );
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_with_the_key_that_signed_it() {
    let (issuer, next) = (Issuer::new(), Issuer::new());
    let house = house(&issuer).await;
    let until = seconds() + 4;
    let short = issuer.sign(header("one"), claims(until, "tieline"));
    let long = issuer.sign(header("one"), claims(until + 600, "tieline"));
    let short = house
        .stream(house.token(&short), "journals/default")
        .await
        .unwrap();
    let mut long = house
        .stream(house.token(&long), "journals/default")
        .await
        .unwrap();
    let left = (until * 1000).saturating_sub(Clock::system().wall().as_millis());
    let due = Instant::now() + std::time::Duration::from_millis(left);
    let (status, ended) = end(short).await;
    is(&status, Code::Unauthenticated, EXPIRED);
    soon(due, ended);
    goes_on(&mut long).await;
    // Keys overlap while they are turned over.
    let both = set(&[next.key("two"), issuer.key("one")]);
    write_private(house.files(), "keys.json", &both);
    house
        .figure(r#"tieline_listen_files_read_total{file="keys",outcome="applied"} 1"#)
        .await;
    let of_next = next.sign(header("two"), claims(until + 600, "tieline"));
    let mut newer = house
        .stream(house.token(&of_next), "journals/default")
        .await
        .unwrap();
    goes_on(&mut long).await;
    let began = Instant::now();
    write_private(house.files(), "keys.json", &set(&[next.key("two")]));
    let (status, ended) = end(long).await;
    is(&status, Code::Unauthenticated, EXPIRED);
    soon(began, ended);
    goes_on(&mut newer).await;
}
