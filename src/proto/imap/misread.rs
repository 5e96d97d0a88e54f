//! Helpers to read responses, and the error for a response that cannot be read.

use super::response::{Response, SHOWN};
use super::value::Value;
use crate::error::{Error, Kind};

/// The names of values that have parentheses although there is only one of them: modification
/// sequences (RFC 7162 section 7) and the identifiers of RFC 8474.
const SINGLE: [&str; 4] = ["EMAILID", "MAILBOXID", "MODSEQ", "THREADID"];

/// The value of this name, without parentheses that stand around a single value by its grammar.
pub(super) fn single(name: &str, value: Value) -> Value {
    match value {
        Value::List(mut values) if values.len() == 1 && SINGLE.contains(&name) => values.remove(0),
        value => value,
    }
}

/// Pairs names with the values that follow them; `None` if the list does not alternate.
pub(super) fn pairs(values: Vec<Value>) -> Option<Vec<(String, Value)>> {
    let mut pairs = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let Some(name) = values.next() {
        let Value::Atom(name) = name else { return None };
        let name = String::from_utf8(name.to_ascii_uppercase()).ok()?;
        let value = single(&name, values.next()?);
        pairs.push((name, value));
    }
    Some(pairs)
}

/// The error for a response that does not have the required form.
pub(super) fn unlike(response: &Response, wanted: &str) -> Error {
    Error::new(Kind::Malformed, format!("the {} response is malformed", response.name()))
        .with_expected(wanted)
        .with_got(crate::visible::excerpt(response.bytes(), SHOWN))
}
