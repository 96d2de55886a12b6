//! Fault scripts: what happens when, as a list in YAML or JSON. Pure.
//!
//! ```yaml
//! - at: 5s
//!   fault: strip_upgrade
//!   status: 426
//!   for: 10s
//! - at: 20s
//!   emit: 500
//! - { at: 30s, rate: 1000 }
//! - { at: 40s, clear: latency }
//! ```
//!
//! Each entry has `at`, counted from the start, and one of `fault` (with its parameters and the
//! limits `count`, `for`, `probability`), `clear` (a fault's name, or `all`), `emit` (so many events
//! at once) and `rate` (events a second from now on).

mod yaml;

use std::time::Duration;

use serde_json::{Map, Value};

use super::fault::{Fault, FaultKind, FaultRule};
use crate::runtime::HumanDuration;

/// Entries at most.
const MOST_STEPS: usize = 10_000;
/// Events at once, at most.
pub(crate) const LARGEST_BURST: u64 = 1_000_000;

/// Something that happens at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<F: FaultKind = Fault> {
    /// Counted from the start of the sandbox.
    pub at: Duration,
    /// What happens.
    pub action: Action<F>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action<F: FaultKind = Fault> {
    /// Puts a fault in force.
    Set(FaultRule<F>),
    /// Takes a fault out of force.
    Clear(F::Name),
    /// Takes every fault out of force.
    ClearAll,
    /// Issues so many events at once.
    Emit(u64),
    /// Issues so many events a second from now on.
    Rate(f64),
}

/// Everything that is wrong with a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read fault script: {}", problems.join("; "))]
pub struct InvalidScript {
    /// One for each mistake, with its line.
    pub problems: Vec<String>,
}

/// Reads a script; the steps come in the order of their times.
///
/// # Errors
/// [`InvalidScript`] with every mistake.
pub fn parse<F: FaultKind>(text: &str) -> Result<Vec<Step<F>>, InvalidScript> {
    let entries = yaml::entries(text).map_err(|problem| InvalidScript {
        problems: vec![problem],
    })?;
    let mut steps = Vec::new();
    let mut problems = Vec::new();
    if entries.len() > MOST_STEPS {
        problems.push(format!("{} entries; at most {MOST_STEPS}", entries.len()));
    }
    for (line, entry) in entries {
        match step(entry) {
            Ok(step) => steps.push(step),
            Err(problem) => problems.push(format!("line {line}: {problem}")),
        }
    }
    if !problems.is_empty() {
        return Err(InvalidScript { problems });
    }
    steps.sort_by_key(|step| step.at);
    Ok(steps)
}

fn step<F: FaultKind>(entry: Value) -> Result<Step<F>, String> {
    let Value::Object(mut entry) = entry else {
        return Err("an entry is a mapping with `at` and what happens then".to_owned());
    };
    let at = match entry.remove("at") {
        Some(Value::String(text)) => text.parse::<HumanDuration>().map_err(|e| e.to_string())?,
        Some(other) => return Err(format!("`at` is {other}; write it as 500ms, 30s")),
        None => return Err("`at` is missing".to_owned()),
    };
    let action = action(entry)?;
    Ok(Step { at: at.0, action })
}

fn action<F: FaultKind>(mut entry: Map<String, Value>) -> Result<Action<F>, String> {
    if entry.contains_key("fault") {
        let rule = FaultRule::from_json(entry).map_err(|invalid| invalid.to_string())?;
        return Ok(Action::Set(rule));
    }
    let mut keys = ["clear", "emit", "rate"].into_iter();
    let Some(key) = keys.find(|key| entry.contains_key(*key)) else {
        return Err("needs one of `fault`, `clear`, `emit`, `rate`".to_owned());
    };
    let value = entry.remove(key).unwrap_or_default();
    if let Some(other) = entry.keys().next() {
        return Err(format!("`{other}` has no meaning beside `{key}`"));
    }
    match (key, &value) {
        ("clear", Value::String(name)) if name == "all" => Ok(Action::ClearAll),
        ("clear", Value::String(name)) => name
            .parse()
            .map(Action::Clear)
            .map_err(|unknown: super::fault::UnknownFault| unknown.to_string()),
        ("emit", value) => value
            .as_u64()
            .filter(|count| *count <= LARGEST_BURST)
            .map(Action::Emit)
            .ok_or_else(|| format!("`emit` is {value}; a number up to {LARGEST_BURST}")),
        ("rate", value) => value
            .as_f64()
            .filter(|rate| (0.0..=1_000_000.0).contains(rate))
            .map(Action::Rate)
            .ok_or_else(|| format!("`rate` is {value}; events a second, 0 to 1000000")),
        _ => Err(format!("`{key}` is {value}; a fault's name, or all")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, InvalidScript, Step};
    use crate::sandbox::fault::{Fault, FaultName};
    use std::time::Duration;

    fn parse(text: &str) -> Result<Vec<Step>, InvalidScript> {
        super::parse(text)
    }

    #[test]
    fn yaml_and_json_are_the_same_script() {
        let yaml = "
            # the network begins to strip Upgrade
            - at: 5s
              fault: strip_upgrade
              status: 426
              for: 10s
            - {at: 1s, emit: 500}
            - at: 30s
              rate: 0.5
            - {at: 40s, clear: latency}
            - {at: 41s, clear: all}
        ";
        let json = r#"[
            {"at": "5s", "fault": "strip_upgrade", "status": 426, "for": "10s"},
            {"at": "1s", "emit": 500}, {"at": "30s", "rate": 0.5},
            {"at": "40s", "clear": "latency"}, {"at": "41s", "clear": "all"}
        ]"#;
        let steps = parse(yaml).unwrap();
        assert_eq!(steps, parse(json).unwrap());
        let ten = Duration::from_secs(10);
        let actions: Vec<_> = steps.into_iter().map(|step| step.action).collect();
        assert_eq!(
            actions,
            [
                Action::Emit(500),
                Action::Set(Fault::StripUpgrade { status: 426 }.during(ten)),
                Action::Rate(0.5),
                Action::Clear(FaultName::Latency),
                Action::ClearAll,
            ]
        );
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn every_mistake_is_reported_with_its_line() {
        let text = "- at: 5\n  emit: 1\n- emit: 1\n- at: 1s\n- at: 1s\n  fault: gremlins\n\
                    - at: 1s\n  emit: many\n- 7\n- {at: 1s, emit: 1, status: 2}\n";
        let problems = parse(text).unwrap_err().problems;
        let expected = [
            ("line 1", "write it as"),
            ("line 3", "`at` is missing"),
            ("line 4", "needs one of"),
            ("line 5", "is not a fault"),
            ("line 7", "a number up to"),
            ("line 9", "a mapping"),
            ("line 10", "no meaning"),
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, (line, reason)) in problems.iter().zip(expected) {
            assert!(
                problem.starts_with(line) && problem.contains(reason),
                "{problem}"
            );
        }
    }

    #[test]
    fn what_is_not_yaml_is_refused() {
        for text in [
            "- [",
            "a: 1",
            "- &x 1\n- *x",
            "- at: 1s\n  at: 2s\n  emit: 1",
            "- !t 1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
