//! Each rule finds what it is for: violations planted in strings, and their innocent look-alikes.

#![cfg(test)]

use crate::rules::{self, Violation};
use crate::source::Source;

fn found(rule: fn(&Source) -> Vec<Violation>, path: &str, text: &str) -> Vec<String> {
    let violations = rule(&Source::new(path, text));
    violations
        .into_iter()
        .map(|violation| violation.0)
        .collect()
}

fn lines(rule: fn(&Source) -> Vec<Violation>, path: &str, text: &str) -> Vec<usize> {
    let parse = |text: String| text.split(':').nth(1)?.parse().ok();
    found(rule, path, text)
        .into_iter()
        .filter_map(parse)
        .collect()
}

#[test]
fn a_layer_that_points_up_or_sideways_is_found() {
    let rule = rules::layers_point_down;
    let text = "use crate::domain::Sequence;\nuse crate::{journal::Page, session::Post};\n\
                fn f(x: crate::net::Frame) {}\n#[cfg(test)]\nuse crate::testing::MemoryJournal;";
    assert_eq!(
        found(rule, "src/feed/ring.rs", text),
        [
            "src/feed/ring.rs:2: `feed` may not use `session`; \
             it may use domain, runtime, proto, journal",
            "src/feed/ring.rs:3: `feed` may not use `net`; \
             it may use domain, runtime, proto, journal",
        ]
    );
    assert_eq!(
        lines(rule, "src/session/mod.rs", "use crate::grpc::Edge;"),
        [1]
    );
    assert_eq!(
        lines(rule, "src/domain/mod.rs", "use crate::runtime::Clock;"),
        [1]
    );
    assert_eq!(
        lines(rule, "src/sandbox/a.rs", "use crate::session::Post;"),
        [1]
    );
    assert_eq!(
        lines(rule, "src/grpc/a.rs", "use crate::connectors::All;"),
        [1]
    );
    assert_eq!(
        lines(rule, "src/feed/a.rs", "use crate::testing::MemoryJournal;"),
        [1]
    );
    assert_eq!(
        lines(rule, "src/app.rs", "use crate::{feed::X, session::Y};"),
        []
    );
}

#[test]
fn only_the_allowed_part_of_a_module_passes() {
    let rule = rules::layers_point_down;
    assert_eq!(
        lines(
            rule,
            "src/grpc/a.rs",
            "use crate::session::{SessionBoard, Post};"
        ),
        []
    );
    assert_eq!(
        lines(
            rule,
            "src/grpc/a.rs",
            "use crate::session::{Post,\n Driver};"
        ),
        [2]
    );
    assert_eq!(
        lines(rule, "src/connectors/a.rs", "use crate::runtime::MonoTime;"),
        []
    );
    assert_eq!(
        lines(rule, "src/connectors/a.rs", "use crate::runtime::TaskSet;"),
        [1]
    );
}

#[test]
fn tests_may_bring_fakes_and_neighbours_but_nothing_above() {
    let rule = rules::layers_point_down;
    let text = |used: &str| format!("#[cfg(test)]\nmod tests {{\n  use crate::{used};\n}}");
    let session = "src/session/a.rs";
    assert_eq!(lines(rule, session, &text("testing::MemoryJournal")), []);
    assert_eq!(lines(rule, session, &text("sandbox::Sandbox")), []);
    assert_eq!(lines(rule, session, &text("grpc::Edge")), [3]);
}

#[test]
fn a_way_around_the_layers_is_found() {
    let rule = rules::layers_point_down;
    let text = "use super::super::session::Post;\nuse super::ring::Ring;";
    assert_eq!(lines(rule, "src/feed/ring.rs", text), [1]);
    assert_eq!(
        lines(rule, "src/feed/mod.rs", "use super::session::Post;"),
        [1]
    );
    assert_eq!(lines(rule, "src/feed/deep/ring.rs", text), []);
    assert_eq!(lines(rule, "src/wizard/mod.rs", ""), [1]);
    assert_eq!(
        lines(rule, "src/feed/a.rs", "use crate::wizard::Wand;"),
        [1]
    );
}

#[test]
fn a_long_file_is_found_and_its_tests_do_not_count() {
    let rule = rules::files_are_short;
    let tests = format!(
        "#[cfg(test)]\nmod tests {{\n{}}}",
        "let a = 1;\n".repeat(900)
    );
    let lines_of = |count: usize| "let a = 1;\n".repeat(count) + &tests;
    assert_eq!(lines(rule, "src/feed/a.rs", &lines_of(500)), []);
    assert_eq!(lines(rule, "src/feed/a.rs", &lines_of(501)), [500]);
    let long = Source::new("src/feed/a.rs", &lines_of(351));
    assert_eq!(rules::is_long(&long), Some(351));
}

#[test]
fn a_file_without_a_purpose_is_found() {
    let rule = rules::files_state_their_job;
    assert_eq!(lines(rule, "src/a.rs", "use std::fmt;\n//! late"), [1]);
    assert_eq!(lines(rule, "tests/a/main.rs", ""), [1]);
    assert_eq!(lines(rule, "src/a.rs", "//! The one job."), []);
    assert_eq!(lines(rule, "README.md", "# Tieline"), []);
}

#[test]
fn an_impure_decision_is_found() {
    let rule = rules::decisions_are_pure;
    let text = "use crate::runtime::MonoTime; // not tokio\nuse std::time::SystemTime;\n\
                let rand = 1;\ntokio_tungstenite::connect();\n#[cfg(test)]\nuse tokio::time;";
    for path in [
        "src/session/machine/mod.rs",
        "src/session/ordering_window.rs",
        "src/connectors/profile/wire.rs",
        "src/net/url_policy.rs",
    ] {
        assert_eq!(lines(rule, path, text), [2, 3, 4], "{path}");
    }
    assert_eq!(lines(rule, "src/session/driver.rs", text), []);
}

#[test]
fn an_unwrap_that_ships_is_found() {
    let rule = rules::nothing_unwraps;
    let text = "a.unwrap();\n// b.unwrap()\nc(\"d.unwrap()\").unwrap_or(1);\n\
                #[cfg(test)]\nmod tests { fn e() { f.unwrap() } }\ng\n  .unwrap();";
    assert_eq!(lines(rule, "src/a.rs", text), [1, 7]);
    assert_eq!(lines(rule, "tests/a/main.rs", text), []);
}

#[test]
fn a_lint_that_is_switched_off_for_good_is_found() {
    let rule = rules::lints_are_expected;
    let text = "#[allow(dead_code)]\n#![allow(clippy::all)]\n#[expect(dead_code, reason = \"x\")]\nallow(y);";
    assert_eq!(lines(rule, "src/a.rs", text), [1, 2]);
}

#[test]
fn a_task_without_an_owner_is_found() {
    let rule = rules::tasks_have_owners;
    let text = "tokio::spawn(a);\nuse tokio::{task::{spawn, spawn_blocking}, sync::mpsc};\n\
                tokio::task::spawn_blocking(b);\nset.spawn(c);";
    assert_eq!(lines(rule, "src/a.rs", text), [1, 2]);
    assert_eq!(lines(rule, "src/runtime/tasks.rs", text), []);
}

#[test]
fn a_home_directory_is_found_in_any_file() {
    let rule = rules::no_home_is_named;
    for name in ["home", "root", "Users"] {
        let text = format!("a\n// see /{name}/somebody/x");
        assert_eq!(lines(rule, "README.md", &text), [2], "{name}");
    }
    assert_eq!(
        lines(rule, "README.md", "https://example.test/homeless"),
        []
    );
}

#[test]
fn a_skipped_test_is_found() {
    let rule = rules::no_test_is_skipped;
    let text =
        "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n#[cfg_attr(x, ignore)]\nfn b() {}\n// #[ignore]";
    assert_eq!(lines(rule, "src/a.rs", text), [2, 4]);
    assert_eq!(lines(rule, "tests/a/main.rs", text), [2, 4]);
}

#[test]
fn a_test_that_sleeps_is_found() {
    let rule = rules::no_test_sleeps;
    let text = "std::thread::sleep(x);\ntokio::time::sleep(y).await;\nuse tokio::time::{sleep, timeout};\n\
                tokio::time::timeout(z);\n// sleep(1)";
    assert_eq!(lines(rule, "tests/a/main.rs", text), [1, 2, 3]);
    assert_eq!(lines(rule, "src/a.rs", text), []);
}

#[test]
fn a_connector_that_is_laid_out_otherwise_is_found() {
    let whole = [
        "src/connectors/mod.rs",
        "src/connectors/profile/mod.rs",
        "src/connectors/acme/mod.rs",
        "src/connectors/acme/protocol.rs",
        "src/connectors/acme/wire.rs",
        "src/connectors/acme/normalize/mod.rs",
        "src/connectors/acme/tests.rs",
        "src/connectors/acme/fixtures/a.json",
    ];
    assert_eq!(rules::connectors_are_alike(&whole), []);
    for (left_out, part) in [(4, "wire"), (5, "normalize"), (7, "fixtures")] {
        let mut paths = whole.to_vec();
        paths.remove(left_out);
        let found = rules::connectors_are_alike(&paths);
        let expected = format!("src/connectors/acme: there is no `{part}`");
        assert_eq!(found, [Violation(expected)]);
    }
}

#[test]
fn a_behaviour_without_a_test_is_found() {
    let numbers = (1..=35_u8).chain(40..=42);
    let text: String = numbers
        .filter(|number| ![4, 16, 41].contains(number))
        .map(|number| format!("fn u{number}_a_test() {{}}\n"))
        .collect();
    let both = format!("{text}async fn u3_u4_two() {{}}\nfn u16_at(bytes: &[u8]) {{}}\n");
    let source = Source::new("tests/a/main.rs", &both);
    let found = rules::behaviours_are_tested(&[source]);
    let missing = |number: u8| Violation(format!("U{number} is named by no test"));
    assert_eq!(found, [missing(16), missing(41)]);
}

#[test]
fn a_figure_that_the_readme_does_not_have_is_found() {
    let readme = Source::new(
        "README.md",
        "| `tieline_a_total` | counter | | A |\n`tieline_b`",
    );
    let code =
        "X: Gauge \"tieline_b\" [] \"B\";\nY: Counter \"tieline_a_total\" [\"session\"] \"A\";";
    let code = Source::new("src/app/metrics/feeds.rs", code);
    let found = rules::figures_are_described(&[readme, code]);
    let found: Vec<String> = found.into_iter().map(|violation| violation.0).collect();
    assert_eq!(
        found,
        ["src/app/metrics/feeds.rs:1: `tieline_b` has no row in the README's table of metrics"]
    );
}
