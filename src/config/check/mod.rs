//! Checks of meaning, after those of structure: names that must exist or differ, doors that must stay
//! shut, numbers that must make sense together.

mod auth;
mod callers;
mod journals;
mod listen;
mod profile;
mod proxy;
mod reach;
mod sessions;
mod subscription;
mod templates;

pub use self::reach::proxy;
use super::Config;
use super::findings::{Code, Finding, Severity};
use super::key::KeyPath;
use super::load::Sources;
use super::redact;
use super::tree::Node;
use crate::runtime::HumanDuration;

/// The longest an orderly end may be asked to take.
const LONGEST_DRAIN: HumanDuration = HumanDuration::from_secs(3600);

/// Runs every check over one configuration.
pub(super) struct Checks<'a> {
    config: &'a Config,
    tree: &'a Node,
    doubtful: &'a [KeyPath],
    sources: &'a Sources,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Checks<'a> {
    pub(super) fn new(
        config: &'a Config,
        tree: &'a Node,
        doubtful: &'a [KeyPath],
        sources: &'a Sources,
        findings: &'a mut Vec<Finding>,
    ) -> Self {
        Self {
            config,
            tree,
            doubtful,
            sources,
            findings,
        }
    }

    pub(super) fn run(&mut self) {
        self.listen();
        self.journals();
        self.sessions();
        self.templates();
        let drain = KeyPath::root().key("drain_timeout");
        if self.config.drain_timeout > LONGEST_DRAIN {
            let message = format!("must be at most {LONGEST_DRAIN}");
            self.error(
                Code::OutOfRange,
                &drain,
                message,
                "keep it below the pod's grace period",
            );
        }
    }

    fn error(
        &mut self,
        code: Code,
        at: &KeyPath,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.report(Severity::Error, code, at, message.into(), hint.into());
    }

    fn warning(
        &mut self,
        code: Code,
        at: &KeyPath,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.report(Severity::Warning, code, at, message.into(), hint.into());
    }

    /// Says nothing about what is doubtful: that was reported, and the value is a stand-in.
    fn report(
        &mut self,
        severity: Severity,
        code: Code,
        at: &KeyPath,
        message: String,
        hint: String,
    ) {
        if !self.is_sound(at) {
            return;
        }
        let given = self.tree.find(at).and_then(Node::text);
        self.findings.push(Finding {
            severity,
            code,
            key: at.to_string(),
            place: self.tree.place_of(at),
            value: given.and_then(|text| redact::shown(at, text)),
            message,
            hint: Some(hint),
        });
    }

    /// Whether what stands at a path is what was written, or nothing was.
    fn is_sound(&self, at: &KeyPath) -> bool {
        !self.doubtful.iter().any(|doubtful| at.is_within(doubtful))
    }

    /// Warns of a file that is not there. Not an error: the check may run elsewhere.
    fn expect_file(&mut self, at: &KeyPath, path: &std::path::Path) {
        if !path.exists() {
            let hint = "mount it before the sidecar starts, or correct the path";
            self.warning(
                Code::NotFound,
                at,
                "names a file that does not exist here",
                hint,
            );
        }
    }
}
