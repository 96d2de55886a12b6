//! [`Findings`]: everything that is wrong with a configuration, at once, for people and for tools.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It runs, and somebody should look.
    Warning,
}

/// What kind of mistake it is; stable, for tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The file cannot be read.
    Unreadable,
    /// It is not YAML, or uses a part of YAML that is refused.
    Syntax,
    /// No such key.
    UnknownKey,
    /// A required key is not given.
    MissingKey,
    /// A key is given twice.
    DuplicateKey,
    /// Text where a number is wanted, and the like.
    WrongType,
    /// The text has the wrong form.
    WrongForm,
    /// Not one of the values there are.
    NotAllowed,
    /// Too small, too large, too many, too few.
    OutOfRange,
    /// Two things that must differ are the same.
    NotUnique,
    /// It names something that does not exist.
    NotFound,
    /// Two keys contradict each other.
    Conflict,
    /// A secret is written into the configuration.
    InlineSecret,
    /// It would expose data or credentials.
    Insecure,
    /// An environment variable or flag cannot be applied.
    Override,
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file; both from 1.
    File {
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// In an environment variable.
    Variable(String),
    /// In a `--set` flag.
    Flag(String),
    /// Nowhere: it is missing altogether.
    Nowhere,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub code: Code,
    /// The key it is about; empty for the file as a whole.
    pub key: String,
    /// Where that is written.
    pub place: Place,
    /// The value as it was given, unless it may be a secret.
    pub value: Option<String>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// Everything that is wrong with one configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    file: String,
    all: Vec<Finding>,
}

impl Findings {
    /// No findings yet about `file`.
    #[must_use]
    pub fn new(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            all: Vec::new(),
        }
    }

    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        self.all.push(finding);
    }

    /// Every finding, in the order of the file.
    #[must_use]
    pub fn all(&self) -> &[Finding] {
        &self.all
    }

    /// Whether there is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Says each of them in the log.
    pub fn log(&self) {
        for finding in &self.all {
            let hint = finding.hint.as_deref().unwrap_or_default();
            let place = self.place_text(&finding.place);
            let (key, problem) = (&finding.key, &finding.message);
            match finding.severity {
                Severity::Error => tracing::error!(key, place, problem, hint, "Configuration"),
                Severity::Warning => tracing::warn!(key, place, problem, hint, "Configuration"),
            }
        }
    }

    /// How many findings there are of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.all
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }

    /// Puts findings in the order of the file; those of variables and flags follow.
    pub(super) fn sort(&mut self) {
        self.all
            .sort_by(|a, b| (&a.place, &a.key, a.severity).cmp(&(&b.place, &b.key, b.severity)));
    }

    /// The machine-readable form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "file": self.file,
            "valid": !self.has_errors(),
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "findings": self.all.iter().map(|finding| self.finding_json(finding)).collect::<Vec<_>>(),
        })
    }

    fn finding_json(&self, finding: &Finding) -> Value {
        let mut object = json!({
            "severity": finding.severity,
            "code": finding.code,
            "key": finding.key,
            "message": finding.message,
        });
        let mut set = |name: &str, value: Value| {
            if let Some(fields) = object.as_object_mut() {
                fields.insert(name.to_owned(), value);
            }
        };
        match &finding.place {
            Place::File { line, column } => {
                set("file", json!(self.file));
                set("line", json!(line));
                set("column", json!(column));
            }
            Place::Variable(name) => set("variable", json!(name)),
            Place::Flag(flag) => set("flag", json!(flag)),
            Place::Nowhere => set("file", json!(self.file)),
        }
        if let Some(value) = &finding.value {
            set("value", json!(value));
        }
        if let Some(hint) = &finding.hint {
            set("hint", json!(hint));
        }
        object
    }

    fn place_text(&self, place: &Place) -> String {
        match place {
            Place::File { line, column } => format!("{}:{line}:{column}", self.file),
            Place::Variable(name) => format!("environment variable {name}"),
            Place::Flag(flag) => format!("flag --set {flag}"),
            Place::Nowhere => self.file.clone(),
        }
    }
}

/// One paragraph per finding, then a summary.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.all {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            write!(f, "{}: {severity}: ", self.place_text(&finding.place))?;
            if !finding.key.is_empty() {
                write!(f, "{}: ", finding.key)?;
            }
            f.write_str(&finding.message)?;
            if let Some(value) = &finding.value {
                write!(f, " (given: {value})")?;
            }
            writeln!(f)?;
            if let Some(hint) = &finding.hint {
                writeln!(f, "    mend: {hint}")?;
            }
        }
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        match (errors, warnings) {
            (0, 0) => write!(f, "{}: no mistakes found", self.file),
            _ => write!(
                f,
                "{}: {errors} error{}, {warnings} warning{}",
                self.file,
                plural(errors),
                plural(warnings)
            ),
        }
    }
}
