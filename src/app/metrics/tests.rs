//! The list of figures, which others build on: the README has it, and so have rules and dashboard.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::families;
use crate::telemetry::metrics::{Family, Kind};

const README: &str = include_str!("../../../README.md");

fn row(family: &Family) -> String {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Info => "info",
    };
    let labels: Vec<_> = family.labels.iter().map(|l| format!("`{l}`")).collect();
    let (name, help) = (family.name, family.help);
    format!("| `{name}` | {kind} | {} | {help} |", labels.join(", "))
}

#[test]
fn the_readme_has_every_figure_as_it_is_and_no_other() {
    let (_, table) = README
        .split_once("\n| figure | kind | labels | meaning |\n|---|---|---|---|\n")
        .unwrap();
    let rows: Vec<&str> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .collect();
    let expected: Vec<String> = families().into_iter().map(row).collect();
    let mut text = String::new();
    for row in &expected {
        writeln!(text, "{row}").unwrap();
    }
    assert_eq!(rows, expected, "the table should be:\n{text}");
}

#[test]
fn names_follow_the_conventions_and_are_used_once() {
    let mut names = BTreeSet::new();
    for family in families() {
        let name = family.name;
        assert!(names.insert(name), "{name} twice");
        assert_eq!(
            name.ends_with("_total"),
            family.kind == Kind::Counter,
            "{name}"
        );
        assert_eq!(name.ends_with("_info"), family.kind == Kind::Info, "{name}");
        assert!(
            name.starts_with("tieline_") || name.starts_with("process_"),
            "{name}"
        );
        assert!(
            !family.help.ends_with('.') && !family.help.contains('|'),
            "{name}"
        );
        if family.kind == Kind::Histogram {
            assert!(
                name.ends_with("_seconds") || name.ends_with("_events"),
                "{name}"
            );
        }
        for label in family.labels {
            let known = [
                "cause",
                "class",
                "code",
                "file",
                "journal",
                "method",
                "outcome",
                "platform",
                "reason",
                "session",
                "signal",
                "state",
                "template",
                "transport",
                "version",
                "what",
            ];
            assert!(known.contains(label), "{name} has {label}");
        }
    }
}

/// Where figures are asked for: each query, with the file that it stands in.
fn queries() -> Vec<(&'static str, String)> {
    let rules = include_str!("../../../helm/alerts/tieline.yaml");
    let rules = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "));
    let dashboard = include_str!("../../../helm/dashboards/tieline.json");
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    let mut all: Vec<_> = rules.map(|query| ("alerts", query.to_owned())).collect();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            let legend = target["legendFormat"].as_str().unwrap();
            all.push(("dashboard", query.to_owned()));
            all.push(("legend", legend.to_owned()));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let query = variable["query"]["query"].as_str();
        all.extend(query.map(|query| ("variable", query.to_owned())));
    }
    all
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}

/// The family behind the name of a series.
fn family_of(series: &str) -> Option<&'static Family> {
    let all = families();
    let named = |name: &str| all.iter().copied().find(|family| family.name == name);
    named(series).or_else(|| {
        let endings = ["_bucket", "_sum", "_count"];
        let base = endings
            .iter()
            .find_map(|ending| series.strip_suffix(ending))?;
        named(base).filter(|family| family.kind == Kind::Histogram)
    })
}

#[test]
fn rules_and_dashboard_ask_for_nothing_that_is_not_there() {
    let queries = queries();
    let mut asked = BTreeSet::new();
    for (place, query) in &queries {
        for word in words(query) {
            if !word.starts_with("tieline_") && !word.starts_with("process_") {
                continue;
            }
            let family = family_of(word).unwrap_or_else(|| panic!("{place}: {word} in {query}"));
            asked.insert(family.name);
            // What stands in braces behind the name.
            let behind = query.split(word).nth(1).unwrap_or_default();
            let Some(selector) = behind.strip_prefix('{').and_then(|s| s.split_once('}')) else {
                continue;
            };
            for matcher in selector.0.split(',') {
                let label = words(matcher).next().unwrap();
                let known = label == "instance" || family.labels.contains(&label);
                assert!(known, "{place}: {word} has no label {label}: {query}");
            }
        }
    }
    assert!(
        queries.len() > 60 && asked.len() > 35,
        "{} {}",
        queries.len(),
        asked.len()
    );
}

#[test]
fn rules_and_dashboard_group_by_labels_that_are_there() {
    for (place, query) in queries() {
        for group in query.split("by (").skip(1) {
            let (labels, rest) = group.split_once(')').unwrap();
            let name = words(rest).find(|w| w.starts_with("tieline_"));
            let family = name
                .and_then(family_of)
                .unwrap_or_else(|| panic!("{place}: {query}"));
            for label in words(labels) {
                let own = family.labels.contains(&label);
                let known = own || label == "instance" || label == "le";
                assert!(known, "{place}: {} has no label {label}", family.name);
            }
        }
    }
}

#[test]
fn every_rule_says_what_is_wrong_and_what_to_do() {
    let rules = include_str!("../../../helm/alerts/tieline.yaml");
    let count = |mark: &str| rules.lines().filter(|l| l.trim().starts_with(mark)).count();
    let alerts = count("- alert: Tieline");
    assert!(alerts >= 10, "{alerts}");
    for mark in ["expr: ", "severity: ", "summary: ", "runbook: "] {
        assert_eq!(count(mark), alerts, "{mark}");
    }
}

#[test]
fn every_rule_leads_to_its_part_of_the_runbook() {
    let rules = include_str!("../../../helm/alerts/tieline.yaml");
    let runbook = include_str!("../../../helm/alerts/RUNBOOK.md");
    let of = |mark: &str| -> Vec<&str> {
        let marked = rules.lines().filter_map(|l| l.trim().strip_prefix(mark));
        marked.map(|value| value.trim_matches('"')).collect()
    };
    let alerts = of("- alert: ");
    let urls = alerts.iter().map(|name| {
        let place = name.to_lowercase();
        format!("helm/alerts/RUNBOOK.md#{place}")
    });
    assert_eq!(of("runbook_url: "), urls.collect::<Vec<_>>());
    let parts: Vec<(&str, &str)> = runbook
        .split("\n## ")
        .skip(1)
        .map(|part| part.split_once('\n').unwrap())
        .collect();
    let headings: Vec<_> = parts.iter().map(|(heading, _)| *heading).collect();
    assert_eq!(headings, alerts);
    for (heading, text) in parts {
        for part in ["**Means.** ", "**Look at.**\n", "**Do.** "] {
            assert_eq!(text.matches(part).count(), 1, "{heading}: {part}");
        }
        // Whoever looks finds a figure or a command there, and what is named is there.
        let looks = ["tieline_", "`tieline ", "console"];
        assert!(looks.iter().any(|look| text.contains(look)), "{heading}");
        for word in words(text).filter(|word| word.starts_with("tieline_")) {
            assert!(family_of(word).is_some(), "{heading}: {word}");
        }
    }
}
