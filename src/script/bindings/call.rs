//! The options that scripts pass to a word as its last argument.

use rhai::{Array, Dynamic, Map};

use super::argument::{boolean, check_known, deadline, duration, pattern, patterns, text_of};
use crate::error::{Error, Result};
use crate::imap::Literals;
use crate::proto::smtp::xtext;
use crate::session::{Call, Session, Untagged};

/// Reads the options of a call, such as `#{timeout: "2m"}`. An option that is not in `allowed` is
/// an error.
pub(super) fn call(options: &Map, allowed: &[&str]) -> Result<Call> {
    let mut call = Call::default();
    for (name, value) in options {
        check_known(name, allowed)?;
        match name.as_str() {
            "timeout" => call.timeout = Some(deadline(value)?),
            "after" => call.after = Some(duration(value)?),
            "keep" => call.keep = Some(boolean(name, value)?),
            "expect" => match value.read_lock::<Array>() {
                Some(all) => call.expect_each = Some(Ok(patterns(all.clone())?)),
                None => call.expect = Some(Ok(pattern(value.clone())?)),
            },
            "size" | "body" | "smtputf8" | "requiretls" | "ret" | "envid" | "notify" | "orcpt" => {
                call.parameters.extend(parameter(name, value)?);
            }
            _ => {}
        }
    }
    read_imap(&mut call, options)?;
    Ok(call)
}

/// Reads the options of an expectation. `more` are the options that it has besides `timeout`.
pub(super) fn expectation(_: &Session, options: &Map, more: &[&str]) -> Result<Call> {
    call(options, &[&["timeout"], more].concat())
}

/// The text of a parameter of MAIL or RCPT as it is sent, such as `SIZE=1000`; `None` if the value
/// is `false`.
fn parameter(name: &str, value: &Dynamic) -> Result<Option<String>> {
    let keyword = name.to_ascii_uppercase();
    if let Ok(is_wanted) = value.as_bool() {
        return Ok(is_wanted.then_some(keyword));
    }
    let text = match value.read_lock::<Array>() {
        Some(all) => all.iter().map(text_of).collect::<Result<Vec<_>>>()?.join(","),
        None if value.is_int() || value.is_string() => text_of(value)?,
        None => {
            let error = Error::usage(format!("the parameter `{name}` cannot be of that type"));
            return Err(error.hint("a parameter is text, an integer, a list of words, or true"));
        }
    };
    let text = match (name, text.split_once(';')) {
        ("envid", _) => xtext(&text),
        ("orcpt", Some((kind, address))) => format!("{kind};{}", xtext(address)),
        ("orcpt", None) => format!("rfc822;{}", xtext(&text)),
        _ => text,
    };
    Ok(Some(format!("{keyword}={text}")))
}

/// The options that the verbs of IMAP take in addition to those of all verbs.
pub(super) const OF_IMAP: [&str; 8] =
    ["require", "ordered", "allow", "forbid", "only", "literal", "uid", "bare"];

/// Adds the options of IMAP to a call.
fn read_imap(call: &mut Call, options: &Map) -> Result<()> {
    let mut untagged = Untagged::new();
    let mut demands = false;
    for (name, value) in options {
        let add = match name.as_str() {
            "require" => Untagged::require,
            "allow" => Untagged::allow,
            "forbid" => Untagged::forbid,
            "only" if boolean(name, value)? => {
                untagged = untagged.only();
                demands = true;
                continue;
            }
            "ordered" if boolean(name, value)? => {
                untagged = untagged.ordered();
                demands = true;
                continue;
            }
            "bare" => {
                call.bare = boolean(name, value)?;
                continue;
            }
            "literal" => {
                call.literals = Some(literals(value)?);
                continue;
            }
            "uid" => {
                call.by_uid = boolean(name, value)?;
                continue;
            }
            _ => continue,
        };
        demands = true;
        let all = value.clone().into_array().unwrap_or_else(|_| vec![value.clone()]);
        for pattern in patterns(all)? {
            untagged = add(untagged, pattern);
        }
    }
    call.untagged = demands.then_some(untagged);
    Ok(())
}

fn literals(value: &Dynamic) -> Result<Literals> {
    match text_of(value)?.as_str() {
        "sync" => Ok(Literals::Synchronizing),
        "plus" => Ok(Literals::Plus),
        "minus" => Ok(Literals::Minus),
        other => Err(Error::usage(format!("`{other}` is no way to send literals"))
            .hint("literal: \"sync\", \"plus\" or \"minus\"")),
    }
}
