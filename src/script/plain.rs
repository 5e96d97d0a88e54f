//! Plain data: values that a script passes to other scripts, in the form of JSON.

use rhai::{Array, Dynamic, Map};
use serde_json::Value;

use super::raise;
use crate::error::{Error, Result};

/// How deeply lists and maps may be nested.
const DEEPEST: usize = 32;

/// Converts a value of a script to plain data.
///
/// # Errors
/// Usage for a value that is not plain data: a session, a function, a blob.
pub(super) fn of(value: &Dynamic) -> Result<Value> {
    nested(value, 0)
}

fn nested(value: &Dynamic, depth: usize) -> Result<Value> {
    if depth > DEEPEST {
        return Err(Error::usage("the data is nested too deep")
            .hint(format!("lists and maps may lie in each other {DEEPEST} times")));
    }
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().map(|value| nested(value, depth + 1)).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map.iter();
        let entries =
            entries.map(|(name, value)| Ok((name.to_string(), nested(value, depth + 1)?)));
        return entries.collect::<Result<serde_json::Map<_, _>>>().map(Value::Object);
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    let number = value.as_int().map(Value::from).or_else(|_| value.as_float().map(Value::from));
    if let Ok(plain) = number.or_else(|_| value.as_bool().map(Value::from)) {
        return Ok(plain);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.as_str().into());
    }
    Err(not_plain(value.type_name()))
}

/// Makes the error for a value of this type, which is not plain data.
pub(super) fn not_plain(type_name: &str) -> Error {
    let kind = raise::with_article(raise::kind(type_name));
    Error::usage(format!("{kind} is no plain data"))
        .hint("text, numbers, true, false, (), and lists and maps of these are")
}

/// Converts plain data to a value of a script.
pub(super) fn to(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.clone().into(),
        Value::Array(list) => list.iter().map(to).collect::<Array>().into(),
        Value::Object(map) => {
            let entries = map.iter().map(|(name, value)| (name.as_str().into(), to(value)));
            entries.collect::<Map>().into()
        }
    }
}
