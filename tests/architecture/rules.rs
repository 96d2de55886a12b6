//! The rules of the house that a machine can check, each a function from one file to violations.

use std::collections::BTreeSet;

use crate::layers;
use crate::source::{Source, has_word};

/// A file has at most this many lines that are not tests.
const MAX_LINES: usize = 500;
/// Beyond this many it is named, without failing.
const MANY_LINES: usize = 350;

/// Decisions: no input or output, no clock, no chance. A trailing `/` is a folder, `*` any ending.
const PURE: [&str; 28] = [
    "src/app/reload/settling.rs",
    "src/config/difference.rs",
    "src/session/outbound/queue/",
    "src/session/machine/",
    "src/session/machine.rs",
    "src/session/ordering*",
    "src/connectors/",
    "src/auth/schedule.rs",
    "src/journal/record.rs",
    "src/journal/element.rs",
    "src/feed/subscription.rs",
    "src/feed/filter.rs",
    "src/feed/cursors/cursor.rs",
    "src/feed/cursors/drafts.rs",
    "src/grpc/forwarded.rs",
    "src/grpc/limits/bucket.rs",
    "src/grpc/limits/meter.rs",
    "src/grpc/limits/places.rs",
    "src/runtime/backoff.rs",
    "src/net/url_policy.rs",
    "src/net/budget.rs",
    "src/session/planner/machine.rs",
    "src/session/health/schedule.rs",
    "src/grpc/identity/jwt/mod.rs",
    "src/grpc/identity/permissions.rs",
    "src/grpc/identity/principal.rs",
    "src/grpc/identity/table.rs",
    "src/grpc/identity/tokens.rs",
];

/// What would make a decision depend on more than its input. `runtime::Rng` is not in it: its seed
/// is an input, and the same seed gives the same numbers.
const IMPURE: [&str; 8] = [
    "tokio",
    "tokio_tungstenite",
    "tungstenite",
    "reqwest",
    "rand",
    "SystemTime",
    "Instant",
    "Clock",
];

/// Tests that may sleep: path, and why nothing else will do.
const SLEEPERS: [(&str, &str); 5] = [
    (
        "tests/benches/rows/memory.rs",
        "what is resident settles with time alone",
    ),
    (
        "tests/middleboxes/meddler.rs",
        "to be slow and to notice silence is what it does",
    ),
    (
        "tests/middleboxes/process.rs",
        "other people's programs do not tell when they listen",
    ),
    (
        "tests/soak/run.rs",
        "what an oracle says is asked for again and again",
    ),
    (
        "tests/soak/trouble.rs",
        "to be paused for a while is a fault",
    ),
];

/// What the folder of a platform holds: a file of this name, or a folder. The generic connector is
/// laid out by itself, for it runs profiles.
const CONNECTOR: [&str; 6] = ["mod", "protocol", "wire", "normalize", "tests", "fixtures"];
const GENERIC: &str = "profile";

/// One breach, as it is printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) String);

type Rule = fn(&Source) -> Vec<Violation>;

/// Every rule.
pub(crate) const RULES: [Rule; 10] = [
    layers_point_down,
    files_are_short,
    files_state_their_job,
    decisions_are_pure,
    nothing_unwraps,
    lints_are_expected,
    tasks_have_owners,
    no_home_is_named,
    no_test_is_skipped,
    no_test_sleeps,
];

fn at(source: &Source, line: usize, rule: &str) -> Violation {
    Violation(format!("{}:{line}: {rule}", source.path))
}

fn is_rust(source: &Source) -> bool {
    source.path.ends_with(".rs")
}

fn in_src(source: &Source) -> bool {
    source.path.starts_with("src/") && is_rust(source)
}

fn matches(path: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None if pattern.ends_with('/') => path.starts_with(pattern),
        None => path == pattern,
    }
}

/// `use crate::x` goes to a lower layer, and never climbs there by `super`.
pub(crate) fn layers_point_down(source: &Source) -> Vec<Violation> {
    let Some(name) = source.module().filter(|_| in_src(source)) else {
        return Vec::new();
    };
    let Some(user) = layers::find(name) else {
        let rule = format!("`{name}` has no layer: name it in tests/architecture/layers.rs");
        return vec![at(source, 1, &rule)];
    };
    let mut found = Vec::new();
    for (line, path) in source.paths_from("crate") {
        let objection = layers::objection(user, &path, source.is_test(line));
        found.extend(objection.map(|rule| at(source, line, &rule)));
    }
    for (line, path) in source.paths_from("super") {
        let climbs = 1 + path.iter().take_while(|part| *part == "super").count();
        if climbs >= source.depth() && !source.is_test(line) {
            found.push(at(
                source,
                line,
                "another module is named by `crate::`, not by `super`",
            ));
        }
    }
    found
}

/// At most [`MAX_LINES`] lines that are not tests.
pub(crate) fn files_are_short(source: &Source) -> Vec<Violation> {
    let lines = shipped_lines(source);
    if !in_src(source) || lines <= MAX_LINES {
        return Vec::new();
    }
    let rule = format!("{lines} lines without tests; at most {MAX_LINES}");
    vec![at(source, MAX_LINES, &rule)]
}

fn shipped_lines(source: &Source) -> usize {
    source.shipped().count()
}

/// Whether a file is long enough to be named.
pub(crate) fn is_long(source: &Source) -> Option<usize> {
    let lines = shipped_lines(source);
    (in_src(source) && lines > MANY_LINES).then_some(lines)
}

/// The first line of a file says what its one job is.
pub(crate) fn files_state_their_job(source: &Source) -> Vec<Violation> {
    let first = source.raw.first().map_or("", String::as_str);
    if !is_rust(source) || first.starts_with("//! ") {
        return Vec::new();
    }
    vec![at(
        source,
        1,
        "the first line is `//!` and what the file is for",
    )]
}

/// Files that decide touch nothing that is not handed in.
pub(crate) fn decisions_are_pure(source: &Source) -> Vec<Violation> {
    if !PURE.iter().any(|pattern| matches(&source.path, pattern)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (line, code) in source.shipped() {
        for word in IMPURE.into_iter().filter(|word| has_word(code, word)) {
            found.push(at(
                source,
                line,
                &format!("`{word}` in a file that only decides"),
            ));
        }
    }
    found
}

/// A panic in shipped code is stated by `expect` with its reason, or is a bug.
pub(crate) fn nothing_unwraps(source: &Source) -> Vec<Violation> {
    let lines = source.shipped().filter(|_| in_src(source));
    lines
        .filter(|(_, code)| code.contains(".unwrap()"))
        .map(|(line, _)| at(source, line, "`unwrap()` outside tests"))
        .collect()
}

/// A lint is expected, with a reason, so that it is noticed once it is gone.
pub(crate) fn lints_are_expected(source: &Source) -> Vec<Violation> {
    let lines = source.code.iter().enumerate().filter(|_| is_rust(source));
    lines
        .filter(|(_, code)| code.contains("#[allow(") || code.contains("#![allow("))
        .map(|(line, _)| at(source, line + 1, "`allow`; write `expect` with a reason"))
        .collect()
}

/// Only `runtime::TaskSet` spawns.
pub(crate) fn tasks_have_owners(source: &Source) -> Vec<Violation> {
    if !in_src(source) || source.path == "src/runtime/tasks.rs" {
        return Vec::new();
    }
    let paths = source.paths_from("tokio").into_iter();
    let spawns = paths.filter(|(line, path)| {
        let last = path.last().map_or("", String::as_str);
        matches!(last, "spawn" | "spawn_local") && !source.is_test(*line)
    });
    spawns
        .map(|(line, _)| at(source, line, "`tokio::spawn` outside runtime/tasks.rs"))
        .collect()
}

/// No file names a directory of somebody's machine.
pub(crate) fn no_home_is_named(source: &Source) -> Vec<Violation> {
    let homes = ["home", "root", "Users"].map(|name| format!("/{name}/"));
    let lines = source.raw.iter().enumerate();
    lines
        .filter(|(_, text)| homes.iter().any(|home| text.contains(home)))
        .map(|(line, _)| at(source, line + 1, "a path of somebody's home directory"))
        .collect()
}

/// Every test runs.
pub(crate) fn no_test_is_skipped(source: &Source) -> Vec<Violation> {
    let lines = source.code.iter().enumerate().filter(|_| is_rust(source));
    lines
        .filter(|(_, code)| code.contains("#[ignore") || code.contains(", ignore"))
        .map(|(line, _)| at(source, line + 1, "an ignored test proves nothing"))
        .collect()
}

/// Tests wait for events, not for time to pass; but where time is simulated, nobody waits.
pub(crate) fn no_test_sleeps(source: &Source) -> Vec<Violation> {
    let excused = SLEEPERS.iter().any(|(path, _)| *path == source.path)
        || source.path.starts_with("tests/simulation/");
    if !source.path.starts_with("tests/") || excused {
        return Vec::new();
    }
    let calls = ["thread::sleep", "time::sleep", "time::{sleep", "sleep("];
    let lines = source.code.iter().enumerate().filter(|_| is_rust(source));
    lines
        .filter(|(_, code)| calls.iter().any(|call| code.contains(call)))
        .map(|(line, _)| {
            at(
                source,
                line + 1,
                "a test sleeps; wait for an event, with a bound",
            )
        })
        .collect()
}

/// The behaviours that every session owes, by number.
const BEHAVIOURS: [u8; 38] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
    27, 28, 29, 30, 31, 32, 33, 34, 35, 40, 41, 42,
];

/// Each behaviour is named by a test: `u16_…`, or `u3_u4_…` for several.
pub(crate) fn behaviours_are_tested(sources: &[Source]) -> Vec<Violation> {
    // A test takes nothing; a function that reads a number of 16 bits does.
    let lines = sources.iter().filter(|s| is_rust(s)).flat_map(|s| &s.code);
    let lines = lines.filter(|line| line.contains("()"));
    let tests: Vec<&str> = lines
        .filter_map(|line| {
            line.trim_start()
                .trim_start_matches("async ")
                .strip_prefix("fn u")
        })
        .collect();
    let names = |number: u8| {
        let own = move |part: &str| part.trim_start_matches('u').parse() == Ok(number);
        tests.iter().any(|test| {
            let mut parts = test.split('_');
            parts
                .by_ref()
                .take_while(|part| part.trim_start_matches('u').parse::<u8>().is_ok())
                .any(own)
        })
    };
    let missing = BEHAVIOURS.into_iter().filter(|number| !names(*number));
    missing
        .map(|number| Violation(format!("U{number} is named by no test")))
        .collect()
}

/// What the process counts is in the README: a name that is written where figures are declared, and
/// not there, is one that nobody can look up.
pub(crate) fn figures_are_described(sources: &[Source]) -> Vec<Violation> {
    const FIGURES: &str = "src/app/metrics/";
    let readme = sources.iter().find(|source| source.path == "README.md");
    let described = |name: &str| {
        let cell = format!("| `{name}` |");
        readme.is_some_and(|readme| readme.raw.iter().any(|line| line.starts_with(&cell)))
    };
    let mut found = Vec::new();
    for source in sources.iter().filter(|s| s.path.starts_with(FIGURES)) {
        for (line, text) in (1..).zip(&source.raw) {
            let literals = text.split('"').skip(1).step_by(2);
            for name in literals.filter(|literal| is_figure(literal)) {
                if !source.is_test(line) && !described(name) {
                    let rule = format!("`{name}` has no row in the README's table of metrics");
                    found.push(at(source, line, &rule));
                }
            }
        }
    }
    found
}

fn is_figure(literal: &str) -> bool {
    ["tieline_", "process_"].iter().any(|start| {
        let rest = literal.strip_prefix(start).unwrap_or_default();
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    })
}

/// Every platform's folder is laid out like the others, so that the way around one is the way
/// around all.
pub(crate) fn connectors_are_alike(paths: &[&str]) -> Vec<Violation> {
    const FOLDER: &str = "src/connectors/";
    let inside = |path: &&str| {
        let (name, rest) = path.strip_prefix(FOLDER)?.split_once('/')?;
        let part = rest.split('/').next().unwrap_or(rest);
        Some((name.to_owned(), part.trim_end_matches(".rs").to_owned()))
    };
    let parts: BTreeSet<(String, String)> = paths.iter().filter_map(inside).collect();
    let names: BTreeSet<&String> = parts.iter().map(|(name, _)| name).collect();
    let mut found = Vec::new();
    for name in names.into_iter().filter(|name| *name != GENERIC) {
        let has = |part: &str| parts.contains(&(name.clone(), part.to_owned()));
        for part in CONNECTOR.into_iter().filter(|part| !has(part)) {
            found.push(Violation(format!("{FOLDER}{name}: there is no `{part}`")));
        }
    }
    found
}
