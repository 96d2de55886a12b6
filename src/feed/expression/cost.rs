//! What an expression may consist of, so that its cost is known before it runs. Pure.

use cel::common::ast::{Expr, IdedExpr, operators};

use super::attributes;

/// Operators, functions, names and values that an expression may have together.
pub const MAX_OPERATIONS: usize = 256;

/// How deeply they may be nested: they are evaluated on stacks of ordinary size.
const MAX_DEPTH: usize = 32;

/// Each takes no longer than its operands are long.
const OPERATORS: &[&str] = &[
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
];

/// The same is true of these.
const FUNCTIONS: &[&str] = &[
    "contains",
    "startsWith",
    "endsWith",
    "size",
    "int",
    "uint",
    "double",
];

/// Sees that an expression has only what is offered, and not too much of it.
///
/// # Errors
/// What is not offered, or too much.
pub(super) fn check(expression: &IdedExpr) -> Result<(), String> {
    let mut operations = 0;
    visit(expression, 1, &mut operations)
}

fn visit(node: &IdedExpr, depth: usize, operations: &mut usize) -> Result<(), String> {
    *operations += 1;
    if *operations > MAX_OPERATIONS {
        return Err(format!(
            "it has more than {MAX_OPERATIONS} operators, names and values"
        ));
    }
    if depth > MAX_DEPTH {
        return Err(format!("it is nested more than {MAX_DEPTH} deep"));
    }
    let mut inside = |node: &IdedExpr| visit(node, depth + 1, operations);
    match &node.expr {
        Expr::Literal(_) => Ok(()),
        Expr::Ident(name) if attributes::is_known(name) => Ok(()),
        Expr::Ident(name) => Err(format!(
            "there is no '{name}'; there are {}",
            attributes::NAMES.join(", ")
        )),
        Expr::List(list) => list.elements.iter().try_for_each(inside),
        Expr::Select(select) => inside(&select.operand),
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            if !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
                return Err(format!(
                    "'{}' is not offered; there are comparisons, in, &&, ||, !, ?:, has and {}",
                    name.trim_matches('_'),
                    FUNCTIONS.join(", ")
                ));
            }
            call.target.iter().try_for_each(|target| inside(target))?;
            call.args.iter().try_for_each(inside)
        }
        Expr::Comprehension(_) => Err(
            "all, exists, map and filter are not offered: they repeat what they hold".to_owned(),
        ),
        Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
            Err("maps and messages are not offered".to_owned())
        }
    }
}
