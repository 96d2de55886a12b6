//! Holds the source to the rules of the house: layers, sizes, purity, and what no file may contain.

mod layers;
mod planted;
mod rules;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// Places that hold text of this repository; the rest is built or fetched.
const PLACES: [&str; 13] = [
    "src",
    "tests",
    "proto",
    "helm",
    ".ci",
    ".github",
    ".config",
    ".cargo",
    "build.rs",
    "Cargo.toml",
    "README.md",
    "CONTRIBUTING.md",
    ".deny.toml",
];

#[test]
fn the_source_keeps_the_rules_of_the_house() {
    let sources = repository();
    let rust = sources
        .iter()
        .filter(|s| s.path.starts_with("src/"))
        .count();
    assert!(
        rust > 30,
        "only {rust} files found below src: the walk is broken"
    );
    for source in &sources {
        if let Some(lines) = rules::is_long(source) {
            println!("long: {} has {lines} lines without tests", source.path);
        }
    }
    let paths: Vec<&str> = sources.iter().map(|s| s.path.as_str()).collect();
    let violations: Vec<String> = rules::RULES
        .iter()
        .flat_map(|rule| sources.iter().flat_map(rule))
        .chain(rules::connectors_are_alike(&paths))
        .chain(rules::behaviours_are_tested(&sources))
        .chain(rules::figures_are_described(&sources))
        .map(|violation| violation.0)
        .collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn repository() -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in PLACES {
        walk(&top.join(place), &mut files);
    }
    files.sort();
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).ok()?;
        let below = file.strip_prefix(top).ok()?.to_str()?.replace('\\', "/");
        Some(Source::new(&below, &text))
    };
    let mut sources: Vec<Source> = files.into_iter().filter_map(read).collect();
    source::mark_test_files(&mut sources);
    sources
}

fn walk(place: &Path, files: &mut Vec<PathBuf>) {
    const FETCHED: [&str; 3] = ["tools", "node_modules", "__pycache__"];
    if place.is_file() {
        files.push(place.to_owned());
    }
    let Ok(entries) = fs::read_dir(place) else {
        return;
    };
    for entry in entries.flatten() {
        if !FETCHED.iter().any(|name| entry.file_name() == *name) {
            walk(&entry.path(), files);
        }
    }
}
