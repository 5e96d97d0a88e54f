//! The comparisons in a script. Rhai calls values of different types unequal without a word.
//!
//! It compares values of its own types itself, without asking for a function. So each comparison
//! becomes a call of a function of ours, [`OPERATORS`], which compares in the same way and raises an
//! error where only the types make two values unequal.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rhai::{
    Dynamic, Engine, Expr, FnCallExpr, FnCallHashes, INT, RangeCase, Stmt, SwitchCasesCollection,
};

use super::unlike;

/// The operators, each with the name of our function for it.
pub(super) const OPERATORS: [(&str, &str); 6] = [
    ("==", "is_equal_to"),
    ("!=", "differs_from"),
    ("<", "is_less_than"),
    ("<=", "is_at_most"),
    (">", "is_greater_than"),
    (">=", "is_at_least"),
];

/// The calls of our functions, by the names of the operators.
static CALLS: LazyLock<Vec<(&str, FnCallExpr)>> = LazyLock::new(|| {
    let call = |name: &str| {
        let ast = Engine::new_raw().compile(format!("{name}(1, 2)")).ok()?;
        let [Stmt::FnCall(call, _)] = ast.statements() else { return None };
        let mut call = FnCallExpr::clone(call);
        // No function of a script takes the place of ours.
        call.hashes = FnCallHashes::from_native_only(call.hashes.native());
        Some(call)
    };
    OPERATORS.iter().filter_map(|(operator, name)| Some((*operator, call(name)?))).collect()
});

/// Makes a comparison a call of our function for it. Returns whether it is one.
pub(super) fn replace(call: &mut FnCallExpr) -> bool {
    let is_of = |(operator, _): &&(&str, FnCallExpr)| *operator == call.name.as_str();
    let Some((_, own)) = CALLS.iter().find(is_of).filter(|_| call.is_operator_call()) else {
        return false;
    };
    if call.args.iter().all(Expr::is_constant) {
        return false;
    }
    let arguments = std::mem::take(&mut call.args);
    *call = FnCallExpr { args: arguments, ..own.clone() };
    true
}

/// Whether an expression is a property of a variable.
fn is_property(expression: &Expr) -> bool {
    let Expr::Dot(parts, ..) = expression else { return false };
    matches!((&parts.lhs, &parts.rhs), (Expr::Variable(..), Expr::Property(..)))
}

/// Returns the property and the literal, if a call compares these.
pub(super) fn with_literal(call: &mut FnCallExpr) -> Option<(&mut Expr, Dynamic)> {
    let is_comparison = call.is_operator_call()
        && OPERATORS.iter().any(|(operator, _)| *operator == call.name.as_str());
    let [a, b] = call.args.as_mut_slice() else { return None };
    let (property, literal) = if is_property(a) { (a, b) } else { (b, a) };
    let literal = literal.get_literal_value(None)?;
    (is_comparison && is_property(property)).then_some((property, literal))
}

/// The cases of a `switch`.
#[derive(Clone, Debug)]
pub(super) struct Cases {
    /// The hashes under which Rhai keeps the cases for single values.
    hashes: BTreeSet<u64>,
    ranges: Vec<RangeCase>,
}

impl Cases {
    pub(super) fn of(cases: &SwitchCasesCollection) -> Self {
        let hashes = cases.cases.keys().copied().collect();
        Self { hashes, ranges: cases.ranges.to_vec() }
    }

    /// Returns why no case fits a value, if that is because of its type.
    pub(super) fn unlike(&self, value: &Dynamic) -> Option<String> {
        /// The hash of the case for `()`.
        static NOTHING: LazyLock<Option<u64>> = LazyLock::new(|| Some(hashes(["()"])?[0]));
        let is_for_nothing =
            self.ranges.is_empty() && self.hashes.iter().all(|hash| Some(*hash) == *NOTHING);
        if is_for_nothing {
            return None;
        }
        unlike::case(value).or_else(|| self.other_type(value))
    }

    /// Returns why no case fits a number or a text, if one fits the same number as a text, or the
    /// number that the text is.
    fn other_type(&self, value: &Dynamic) -> Option<String> {
        let number = value.as_int().ok().or_else(|| number(value))?;
        let [as_number, as_text] = hashes([&number.to_string(), &format!("\"{number}\"")])?
            .map(|hash| self.hashes.contains(&hash));
        let as_number = as_number || self.ranges.iter().any(|range| range.contains_int(number));
        let other: Dynamic = match (value.is_int(), as_number, as_text) {
            (true, false, true) => number.to_string().into(),
            (false, true, false) => number.into(),
            _ => return None,
        };
        unlike::unlike(value, &other)
    }
}

/// The number that a text is.
fn number(text: &Dynamic) -> Option<INT> {
    let text = text.as_immutable_string_ref().ok()?;
    text.parse().ok().filter(|number: &INT| number.to_string() == text.as_str())
}

/// The hashes under which Rhai keeps the cases for these literals.
fn hashes<const N: usize>(literals: [&str; N]) -> Option<[u64; N]> {
    static RHAI: LazyLock<Engine> = LazyLock::new(Engine::new_raw);
    let cases = literals.map(|literal| format!("{literal} => 0")).join(",");
    let ast = RHAI.compile(format!("switch x {{ {cases} }}")).ok()?;
    let Some(Stmt::Switch(parts, _)) = ast.statements().first() else { return None };
    let mut hashes = [0; N];
    for (hash, case) in &parts.1.cases {
        for place in &case.blocks {
            *hashes.get_mut(*place)? = *hash;
        }
    }
    Some(hashes)
}
