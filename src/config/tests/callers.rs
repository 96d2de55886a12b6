//! `listen.tls`, `listen.auth` and `listen.insecure`: which doors are shut, and what is wrong with keys.

use super::{brief, findings_of, sources};

/// A file with this `listen` gives exactly these findings, other than of files and sessions that are not
/// here.
#[track_caller]
fn listen(text: &str, expected: &[&str]) {
    let file = format!("listen:\n{text}\nsessions: []\n");
    let findings = findings_of(&file, &sources());
    let brief = brief(&findings);
    let found: Vec<&str> = brief
        .lines()
        .filter(|line| !line.contains("not_found listen.tls") && !line.contains("_file"))
        .filter(|line| !line.ends_with("out_of_range sessions"))
        .collect();
    assert_eq!(found, expected, "{text}\n{findings}");
}

const TLS: &str = "  tls: { cert_file: /c, key_file: /k }";
const AUTH: &str = "  auth: { tokens_file: /t, permissions: [{ principal: a, journals: [default], allow: [read] }] }";

#[test]
fn a_door_beyond_loopback_is_shut_unless_the_words_say_otherwise() {
    let open = "  grpc: [\"0.0.0.0:7443\"]";
    let shut = ["2 error insecure listen.grpc[0]"];
    listen(open, &shut);
    listen(&format!("{open}\n{TLS}"), &shut);
    listen(&format!("{open}\n{AUTH}"), &shut);
    listen(&format!("{open}\n{TLS}\n{AUTH}"), &[]);
    let insecure = |word: &str| format!("{open}\n  insecure: {word}");
    let warned = "3 warning insecure listen.insecure";
    listen(&insecure("insecure-plaintext"), &[shut[0], warned]);
    listen(&insecure("insecure-anyone"), &[shut[0], warned]);
    listen(&insecure("insecure-plaintext-and-anyone"), &[warned]);
    listen(
        &format!("{}\n{AUTH}", insecure("insecure-plaintext")),
        &[warned],
    );
    listen(
        &format!("{}\n{TLS}", insecure("insecure-anyone")),
        &[warned],
    );
    listen(&insecure("yes"), &["3 error not_allowed listen.insecure"]);
    let admin = "  admin: [\"10.1.2.3:7445\"]";
    listen(admin, &["2 error insecure listen.admin[0]"]);
    listen(&format!("{admin}\n{TLS}\n{AUTH}"), &[]);
}

#[test]
fn the_mend_of_an_open_door_names_the_keys() {
    let findings = findings_of(
        "listen: { grpc: [\"0.0.0.0:1\"] }\nsessions: []\n",
        &sources(),
    );
    let text = findings.to_string();
    for word in [
        "listen.tls",
        "listen.auth",
        "tokens_file",
        "listen.insecure: insecure-",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn permissions_name_journals_and_rights_that_there_are() {
    let with = |entry: &str| format!("  auth: {{ tokens_file: /t, permissions: [{entry}] }}");
    for (entry, expected) in [
        (
            "{ principal: a, journals: [other], allow: [read] }",
            "not_found listen.auth.permissions[0].journals[0]",
        ),
        (
            "{ principal: a, journals: [], allow: [read] }",
            "out_of_range listen.auth.permissions[0].journals",
        ),
        (
            "{ principal: a, journals: [default], allow: [] }",
            "out_of_range listen.auth.permissions[0].allow",
        ),
        (
            "{ principal: a, journals: [default], allow: [write] }",
            "not_allowed listen.auth.permissions[0].allow[0]",
        ),
        (
            "{ principal: \"a b\", journals: [default], allow: [read] }",
            "wrong_form listen.auth.permissions[0].principal",
        ),
        (
            "{ principal: \"uid:me\", journals: [default], allow: [read] }",
            "wrong_form listen.auth.permissions[0].principal",
        ),
        (
            "{ journals: [default], allow: [read] }",
            "missing_key listen.auth.permissions[0].principal",
        ),
    ] {
        listen(&with(entry), &[&format!("2 error {expected}")]);
    }
    listen(&with(""), &["2 warning insecure listen.auth.permissions"]);
    listen(
        &with("{ principal: \"gid:7\", journals: [default], allow: [read, admin] }"),
        &[],
    );
}

#[test]
fn tokens_of_an_issuer_need_its_name_and_ours() {
    let of = |keys: &str| {
        let entry = "{ principal: a, journals: [default], allow: [read] }";
        format!("  auth: {{ {keys} permissions: [{entry}] }}")
    };
    listen(&of("jwks_file: /j, issuer: i, audience: a,"), &[]);
    listen(
        &of("jwks_file: /j,"),
        &[
            "2 error missing_key listen.auth.audience",
            "2 error missing_key listen.auth.issuer",
        ],
    );
    listen(&of("issuer: i,"), &["2 error conflict listen.auth.issuer"]);
    listen(
        &of("jwks_file: /j, issuer: i, audience: a, leeway: 6m,"),
        &["2 error out_of_range listen.auth.leeway"],
    );
}
