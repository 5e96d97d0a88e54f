//! Names and values by turns, as responses have them.

use std::collections::BTreeMap;

use super::value::{Value, single};

/// Pairs names with the values that follow them; `None` if the list does not alternate.
pub(super) fn pairs(values: Vec<Value>) -> Option<Vec<(String, Value)>> {
    let mut pairs = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let Some(name) = values.next() {
        let Value::Atom(name) = name else { return None };
        pairs.push((String::from_utf8(name.to_ascii_uppercase()).ok()?, values.next()?));
    }
    Some(pairs)
}

/// The pairs without the parentheses that stand around a single value by its grammar.
pub(super) fn singles(pairs: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let single = |(name, value): (String, Value)| {
        let value = single(&name, value);
        (name, value)
    };
    pairs.into_iter().map(single).collect()
}

/// The first name that comes more than once, with different values.
pub(super) fn ambiguous(pairs: &[(String, Value)]) -> Option<&str> {
    let mut known = BTreeMap::new();
    pairs.iter().find_map(|(name, value)| {
        let before = known.insert(name, value)?;
        (before != value).then_some(name.as_str())
    })
}
