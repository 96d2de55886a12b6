//! [`Expression`]: a condition on an event's attributes in CEL, compiled once for each subscription
//! and bounded in what it may cost. Pure.
//!
//! The cost has its limit before any event is seen: only operations that take time in proportion to
//! their operands are offered, none repeats another, and there are at most [`MAX_OPERATIONS`]. So an
//! evaluation looks at each attribute that often at the most.

mod attributes;
mod cost;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::types::CelBool;
use cel::{Context, Env, Program, Value};

use self::attributes::Attributes;
use crate::journal::Entry;

pub use self::cost::MAX_OPERATIONS;

/// Bytes that an expression may have.
pub const MAX_EXPRESSION_LEN: usize = 1024;

/// The parser calls itself for what is nested, far deeper than the stack of an ordinary thread may
/// be: by text of the longest expression it is known to need less than this.
const PARSER_STACK: usize = 64 << 20;

/// The functions of CEL without its macros, of which [`cost`] leaves none but `has`.
static FUNCTIONS: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::default().with_stdlib()));

/// A condition that is ready to be asked.
pub(super) struct Expression {
    text: Box<str>,
    program: Program,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, for its author.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        if text.len() > MAX_EXPRESSION_LEN {
            return Err(format!(
                "an expression has at most {MAX_EXPRESSION_LEN} bytes, and this one {}",
                text.len()
            ));
        }
        let program = std::thread::scope(|scope| {
            std::thread::Builder::new()
                .name("expression".to_owned())
                .stack_size(PARSER_STACK)
                .spawn_scoped(scope, || parse(text))
                .map_err(|error| format!("no thread can be had to read it: {error}"))?
                .join()
                .unwrap_or_else(|_panic| Err("it cannot be read".to_owned()))
        })?;
        let expression = Self {
            text: text.into(),
            program,
        };
        // What gives no truth value even of an event without attributes never will.
        match expression.evaluate(&Attributes::default()) {
            Err(Some(found)) => Err(format!(
                "it gives a value of type {found}, not true or false"
            )),
            _ => Ok(expression),
        }
    }

    /// Whether it is true of an event; what fails, because an attribute is missing or of another
    /// type, is not.
    pub(super) fn holds(&self, entry: &Entry) -> bool {
        self.evaluate(&Attributes::of(entry)).unwrap_or(false)
    }

    /// `Err` with the type of what it gives instead of a truth value, or without where it fails.
    fn evaluate(&self, attributes: &Attributes<'_>) -> Result<bool, Option<String>> {
        let mut context = Context::with_env(Arc::clone(&FUNCTIONS));
        context.set_variable_resolver(attributes);
        let value = Value::resolve_val(self.program.expression(), &context).map_err(|_| None)?;
        match value.downcast_ref::<CelBool>() {
            Some(truth) => Ok(*truth.inner()),
            None => Err(Some(value.get_type().name().to_owned())),
        }
    }
}

/// Reads an expression and sees what it may cost. Recurses by its depth.
fn parse(text: &str) -> Result<Program, String> {
    let program = Program::compile(text).map_err(|errors| {
        let Some(first) = errors.errors.first() else {
            return "it cannot be read".to_owned();
        };
        let (line, column) = first.pos;
        format!("line {line}, column {column}: {}", first.msg)
    })?;
    cost::check(program.expression())?;
    Ok(program)
}
