//! The comparisons in a script in which Rhai calls values of different types unequal without a word.

use std::sync::LazyLock;

use rhai::{Dynamic, Engine, Expr, FnCallExpr, Stmt, SwitchCasesCollection};

/// Whether `()` is the only value for which a `switch` has a case.
pub(super) fn is_for_nothing(cases: &SwitchCasesCollection) -> bool {
    /// The hash under which Rhai keeps the case for `()`.
    static NOTHING: LazyLock<Option<u64>> = LazyLock::new(|| {
        let ast = Engine::new_raw().compile("switch x { () => 1, _ => 2 }").ok()?;
        let Some(Stmt::Switch(parts, _)) = ast.statements().first() else { return None };
        parts.1.cases.keys().next().copied()
    });
    cases.ranges.is_empty() && cases.cases.keys().all(|hash| Some(*hash) == *NOTHING)
}

/// The operators for which values of different types are unequal without a word.
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// Whether an expression is a property of a variable.
fn is_property(expression: &Expr) -> bool {
    let Expr::Dot(parts, ..) = expression else { return false };
    matches!((&parts.lhs, &parts.rhs), (Expr::Variable(..), Expr::Property(..)))
}

/// Returns the property and the literal, if a call compares these.
pub(super) fn with_literal(call: &mut FnCallExpr) -> Option<(&mut Expr, Dynamic)> {
    let is_comparison = call.is_operator_call() && COMPARISONS.contains(&call.name.as_str());
    let [a, b] = call.args.as_mut_slice() else { return None };
    let (property, literal) = if is_property(a) { (a, b) } else { (b, a) };
    let literal = literal.get_literal_value(None)?;
    (is_comparison && is_property(property)).then_some((property, literal))
}
