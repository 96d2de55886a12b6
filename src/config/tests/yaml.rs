//! What is not YAML, or more of it than is wanted.

use super::{GOOD, brief, findings_of, sources};

#[track_caller]
fn found(text: &str, expected: &str, message: &str) {
    let findings = findings_of(text, &sources());
    assert_eq!(brief(&findings), expected, "{findings}");
    assert!(findings.to_string().contains(message), "{findings}");
}

#[test]
fn a_key_given_twice_is_found_each_time() {
    let text = GOOD
        .replace(
            "drain_timeout: 10s\n",
            "drain_timeout: 10s\ndrain_timeout: 20s\n",
        )
        .replace(
            "    journal: default\n",
            "    journal: default\n    journal: other\n",
        );
    found(
        &text,
        "15 error duplicate_key drain_timeout\n19 error duplicate_key journal\n",
        "keep one; the other is in line 14",
    );
}

#[test]
fn anchors_aliases_and_tags_are_refused() {
    let text = GOOD
        .replace("max_age: 72h", "max_age: &age 72h")
        .replace("10s\nsess", "*age\nsess");
    found(
        &text,
        "11 error syntax \n14 error syntax \n",
        "aliases are not supported",
    );
    let text = GOOD.replace("drain_timeout: 10s", "drain_timeout: !!str 10s");
    found(&text, "14 error syntax \n", "tags are not supported");
}

#[test]
fn tabs_are_named() {
    let text = GOOD.replace("  health:", "\thealth:");
    let findings = findings_of(&text, &sources());
    assert!(
        findings
            .to_string()
            .starts_with("tieline.yaml:3:1: error: a tab is used to indent"),
        "{findings}"
    );
}

#[test]
fn what_is_not_yaml_says_where() {
    let text = GOOD.replace("drain_timeout: 10s", "drain_timeout: \"10s");
    let findings = findings_of(&text, &sources());
    assert!(
        findings.to_string().contains("this is not YAML"),
        "{findings}"
    );
    found("a: b: c\n", "1 error syntax \n", "this is not YAML");
    found(
        "just text\n",
        "1 error wrong_type \n",
        "must be a mapping, and is text",
    );
    found(
        "- a\n",
        "1 error wrong_type \n",
        "must be a mapping, and is a list",
    );
}

#[test]
fn one_document_of_bounded_depth() {
    found(
        &format!("{GOOD}---\nx: 1\n"),
        "32 error syntax \n",
        "only one document is read",
    );
    let deep = format!("listen: {}{}\n", "[".repeat(200), "]".repeat(200));
    let findings = findings_of(&deep, &sources());
    assert!(findings.has_errors());
    let many = "[".repeat(1 << 19);
    assert!(findings_of(&many, &sources()).has_errors());
}

#[test]
fn a_key_that_is_no_text_is_refused() {
    found(
        &format!("{GOOD}? [a, b]\n: 1\n"),
        "32 error syntax \n",
        "a key is not text",
    );
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "[ \t\na-z:\\-\\[\\]{}&*!|>'\"#?,%0-9]{0,80}") {
        let findings = findings_of(&text, &sources());
        proptest::prop_assert!(findings.has_errors());
    }

    #[test]
    fn no_damage_to_a_good_file_breaks_the_reader(at in 0..GOOD.len(), with in "[\\PC\n\t]{0,3}") {
        let at = (0..=at).rev().find(|at| GOOD.is_char_boundary(*at)).unwrap();
        let (before, after) = GOOD.split_at(at);
        let text = format!("{before}{with}{after}");
        let _any = findings_of(&text, &sources());
    }
}
