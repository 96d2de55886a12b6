//! [`Filter`]: which events a reader wants, by their attributes. Pure.

use std::sync::Arc;

use super::expression::Expression;
use super::keys::{Key, Keys};
use crate::journal::Entry;
use crate::runtime::Mistake;

/// Values that a filter may hold in all its fields together.
pub const MAX_VALUES: usize = 1024;
/// Bytes that one value may have.
pub const MAX_VALUE_LEN: usize = 512;

/// A filter as a caller writes it. Empty lists match all; a trailing `*` makes a value a prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterSpec {
    /// CloudEvents types.
    pub types: Vec<String>,
    /// CloudEvents subjects.
    pub subjects: Vec<String>,
    /// Ordering keys.
    pub ordering_keys: Vec<String>,
    /// Resource names of sessions.
    pub sessions: Vec<String>,
    /// Types that are left out.
    pub excluded_types: Vec<String>,
    /// The provider's own names.
    pub provider_types: Vec<String>,
    /// A condition in CEL; empty has none.
    pub expression: String,
    /// Whether session facts are filtered like any event.
    pub filter_sidecar_events: bool,
}

/// A value that a filter cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter.{field}: {problem}")]
pub struct InvalidFilter {
    /// The field of `EventFilter`.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// A filter that is ready to match.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    required: Vec<(Key, Patterns)>,
    excluded: Patterns,
    sessions: Patterns,
    expression: Option<Arc<Expression>>,
    filter_sidecar_events: bool,
}

/// Values and prefixes, each sorted; no prefix begins with another.
#[derive(Debug, Clone, Default)]
struct Patterns {
    exact: Vec<Box<[u8]>>,
    prefixes: Vec<Box<[u8]>>,
}

impl Filter {
    /// Checks a filter and makes it ready.
    ///
    /// # Errors
    /// When there are too many values, or one is empty, too long or holds a `*` that is not its last
    /// character; when the expression is none, or may cost too much.
    pub fn compile(spec: &FilterSpec) -> Result<Self, InvalidFilter> {
        let fields = [
            ("types", Key::Type, &spec.types),
            ("subjects", Key::Subject, &spec.subjects),
            ("ordering_keys", Key::Ordering, &spec.ordering_keys),
            ("sessions", Key::Session, &spec.sessions),
            ("provider_types", Key::ProviderType, &spec.provider_types),
        ];
        let count: usize = fields.iter().map(|(_, _, values)| values.len()).sum();
        if count + spec.excluded_types.len() > MAX_VALUES {
            return Err(InvalidFilter {
                field: "types",
                problem: format!("a filter holds at most {MAX_VALUES} values in all its fields"),
            });
        }
        let mut filter = Self {
            excluded: Patterns::compile("excluded_types", &spec.excluded_types)?,
            filter_sidecar_events: spec.filter_sidecar_events,
            ..Self::default()
        };
        if !spec.expression.is_empty() {
            let expression = Expression::compile(&spec.expression).map_err(|problem| {
                let field = "expression";
                InvalidFilter { field, problem }
            })?;
            filter.expression = Some(Arc::new(expression));
        }
        for (field, key, values) in fields {
            let patterns = Patterns::compile(field, values)?;
            match key {
                Key::Session => filter.sessions = patterns,
                _ if patterns.is_empty() => {}
                _ => filter.required.push((key, patterns)),
            }
        }
        Ok(filter)
    }

    /// Whether it matches whatever there is.
    pub(super) fn is_everything(&self) -> bool {
        self.required.is_empty()
            && self.excluded.is_empty()
            && self.sessions.is_empty()
            && self.expression.is_none()
    }

    /// Whether it matches whatever there is, to a caller.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_everything()
    }

    /// Whether a stored event matches, for those who have nothing but it.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn admits(&self, entry: &Entry) -> bool {
        self.matches(&Keys::scan(entry), entry)
    }

    /// Whether facts about sessions are filtered like any event.
    pub(super) fn names_facts(&self) -> bool {
        self.filter_sidecar_events
    }

    /// Whether an event matches.
    pub(super) fn matches(&self, keys: &Keys, entry: &Entry) -> bool {
        if !self.sessions.is_empty() && !self.sessions.hold(keys.get(Key::Session, entry)) {
            return false;
        }
        let exempt = !self.filter_sidecar_events && !Mistake::FilterDropsGaps.is_made();
        if keys.session_fact && exempt {
            return true;
        }
        self.required
            .iter()
            .all(|(key, patterns)| patterns.hold(keys.get(*key, entry)))
            && !self.excluded.hold(keys.get(Key::Type, entry))
            && (self.expression.as_ref()).is_none_or(|expression| expression.holds(entry))
    }
}

impl Patterns {
    fn compile(field: &'static str, values: &[String]) -> Result<Self, InvalidFilter> {
        let mut patterns = Self::default();
        for value in values {
            let prefix = value.strip_suffix('*');
            let literal = prefix.unwrap_or(value);
            let problem = if value.is_empty() {
                Some("a value is empty".to_owned())
            } else if value.len() > MAX_VALUE_LEN {
                Some(format!("a value is longer than {MAX_VALUE_LEN} bytes"))
            } else if literal.contains('*') {
                Some(format!(
                    "'{value}' has a '*' that is not its last character"
                ))
            } else {
                None
            };
            if let Some(problem) = problem {
                return Err(InvalidFilter { field, problem });
            }
            match prefix {
                Some(prefix) => patterns.prefixes.push(prefix.as_bytes().into()),
                None => patterns.exact.push(value.as_bytes().into()),
            }
        }
        patterns.exact.sort_unstable();
        patterns.exact.dedup();
        patterns.prefixes.sort_unstable();
        // A prefix sorts before whatever begins with it, so one pass leaves only the shortest.
        patterns
            .prefixes
            .dedup_by(|longer, shorter| longer.starts_with(shorter));
        Ok(patterns)
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty()
    }

    fn hold(&self, value: &[u8]) -> bool {
        if self
            .exact
            .binary_search_by(|known| known.as_ref().cmp(value))
            .is_ok()
        {
            return true;
        }
        // Only the last prefix that does not sort after the value can begin it.
        let after = self.prefixes.partition_point(|p| p.as_ref() <= value);
        after
            .checked_sub(1)
            .and_then(|at| self.prefixes.get(at))
            .is_some_and(|prefix| value.starts_with(prefix))
    }
}
