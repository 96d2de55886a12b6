//! Loads the configuration: file, then environment, then flags; every mistake at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::check::Checks;
use super::findings::{Code, Finding, Findings, Place, Severity};
use super::key::KeyPath;
use super::tree::{Node, Value};
use super::{Config, overrides, schema, structure, yaml};

/// A configuration is some kilobytes; what is larger is another file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where a configuration comes from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The file.
    pub file: PathBuf,
    /// The environment of the process: overrides, and the variables that `…_env` keys name.
    pub variables: BTreeMap<String, String>,
    /// `--set` flags, `key=value`.
    pub flags: Vec<String>,
    /// The platforms there are, by registry name.
    pub platforms: Vec<&'static str>,
}

/// A configuration that is used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings alone.
    pub warnings: Findings,
}

/// Loads and checks a configuration.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(sources: &Sources) -> Result<Loaded, Findings> {
    match read(&sources.file) {
        Ok(text) => load_text(&text, sources),
        Err(problem) => {
            let mut findings = Findings::new(sources.file.display().to_string());
            findings.push(*problem);
            Err(findings)
        }
    }
}

/// As [`load`], of a text that was read already.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_text(text: &str, sources: &Sources) -> Result<Loaded, Findings> {
    let mut found = Vec::new();
    let config = text_to_config(text, sources, &mut found);
    let mut findings = Findings::new(sources.file.display().to_string());
    found.into_iter().for_each(|finding| findings.push(finding));
    findings.sort();
    match config {
        Some(config) if !findings.has_errors() => Ok(Loaded {
            config,
            warnings: findings,
        }),
        _ => Err(findings),
    }
}

fn text_to_config(text: &str, sources: &Sources, found: &mut Vec<Finding>) -> Option<Config> {
    let root = yaml::parse(text.strip_prefix('\u{feff}').unwrap_or(text), found);
    if root.is_none() && !found.is_empty() {
        return None;
    }
    let start = Place::File { line: 1, column: 1 };
    let mut root = root.unwrap_or_else(|| Node::new(Value::Null, start.clone()));
    let variables = sources
        .variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    overrides::apply_variables(&mut root, variables, found);
    for flag in &sources.flags {
        overrides::apply_flag(&mut root, flag, found);
    }
    if root.value == Value::Null {
        let hint = "describe at least one session; `tieline check --help` shows the smallest file";
        found.push(general(
            Code::Syntax,
            start,
            "the file is empty",
            Some(hint),
        ));
        return None;
    }
    let checked = structure::check(&root, &schema::schema(), found);
    match serde_json::from_value::<Config>(checked.value) {
        Ok(config) => {
            Checks::new(&config, &root, &checked.doubtful, sources, found).run();
            Some(config)
        }
        // The schema should have foreseen it; a test looks for such a case.
        Err(error) => {
            found.push(general(
                Code::WrongForm,
                Place::Nowhere,
                &error.to_string(),
                None,
            ));
            None
        }
    }
}

fn read(path: &Path) -> Result<String, Box<Finding>> {
    let problem = |message: &str, hint: &str| {
        Box::new(general(
            Code::Unreadable,
            Place::Nowhere,
            message,
            Some(hint),
        ))
    };
    let failed = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path given with --config",
            std::io::ErrorKind::PermissionDenied => "let the user that runs tieline read it",
            _ => "check the file and its volume",
        };
        problem(&format!("cannot be read: {error}"), hint)
    };
    if path.is_dir() {
        return Err(problem(
            "is a directory",
            "name the file in it, such as tieline.yaml",
        ));
    }
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(problem(
            "is larger than 1 MiB",
            "a configuration is not: check the path",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(valid);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        let hint = "save the file as UTF-8";
        let place = Place::File { line, column: 1 };
        Box::new(general(
            Code::Unreadable,
            place,
            "this line is not UTF-8",
            Some(hint),
        ))
    })
}

fn general(code: Code, place: Place, message: &str, hint: Option<&str>) -> Finding {
    Finding {
        severity: Severity::Error,
        code,
        key: KeyPath::root().to_string(),
        place,
        value: None,
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
    }
}
