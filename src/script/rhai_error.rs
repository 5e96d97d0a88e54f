//! Describes Rhai's own errors in the words of this crate.

use rhai::EvalAltResult;

use super::memory;
use super::raise::{kind, with_article};
use super::run::Run;
use super::vocabulary;
use crate::error::{Error, Kind};
use crate::{room, visible};

pub(super) fn out_of_bounds(why: &str) -> Error {
    Error::usage(format!("the script is out of bounds: {why}"))
        .hint("scripts have limits so that none can take the machine down; see the reference")
}

/// The number of sessions from which on the error for too much memory names them.
const MANY_SESSIONS: usize = 500;

/// Makes the error for a script that holds more memory than its caller allows.
pub(super) fn holds_too_much() -> Error {
    let run = Run::current().ok();
    let run = run.as_deref();
    let memory = run.map_or(memory::ALLOWANCE, |run| run.settings().memory);
    let (allowed, doubled) = (memory >> 20, room::twice(memory));
    let transcript = run.map_or(0, |run| run.transcript.most_bytes());
    let sessions = run.map_or(0, |run| run.peers.kept());
    let what = if transcript > memory / 4 {
        format!(
            "; its transcript took {} MiB of them: let it do less in one run, or",
            transcript >> 20
        )
    } else if sessions >= MANY_SESSIONS {
        format!(
            " and holds {sessions} sessions: close() those that are done, keep none of them in a variable, or"
        )
    } else {
        return holds(format!("it may hold {allowed} MiB; --memory {doubled} lets it hold more"));
    };
    holds(format!("it may hold {allowed} MiB{what} let it hold more with --memory {doubled}"))
}

fn holds(hint: String) -> Error {
    Error::usage("the script is out of bounds: it holds too much memory").hint(hint)
}

/// Makes the error for a mistake in the script, with a hint for correcting it.
pub(super) fn wrong(error: &EvalAltResult) -> Error {
    match error {
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_word(signature),
        EvalAltResult::ErrorStackOverflow(_) => out_of_bounds("it calls too deep"),
        EvalAltResult::ErrorDataTooLarge(what, _) => {
            out_of_bounds(&format!("{} is over the limit", uncapitalised(what)))
        }
        EvalAltResult::ErrorArrayBounds(length, index, _) => absent(*length, *index),
        EvalAltResult::ErrorIndexingType(message, _) => not_indexed(message),
        EvalAltResult::ErrorTooManyModules(_) => out_of_bounds("it imports too many modules"),
        EvalAltResult::ErrorDataRace(..) => in_use(),
        EvalAltResult::ErrorDotExpr(message, _) => unknown_property(message),
        EvalAltResult::ErrorPropertyNotFound(name, _) => no_entry(name),
        // A number that cannot be read, for example. It may be in what a server has sent.
        EvalAltResult::ErrorArithmetic(..) => other(&visible::shortened(error)).of_moment(),
        error => other(&visible::shortened(error)),
    }
}

/// Makes an error that needs no hint, from Rhai's message.
pub(super) fn other(message: &str) -> Error {
    // Rhai ends its messages with the position, which the report shows separately.
    let message = message.rfind(" (line ").map_or(message, |at| &message[..at]);
    Error::usage(uncapitalised(&in_words(message)))
}

/// Replaces the types in a message of Rhai by the names that scripts use for them.
fn in_words(message: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut text = String::new();
    let mut rest = message;
    while let Some(start) = rest.find(is_part) {
        let (before, word) = rest.split_at(start);
        let (word, after) = word.split_at(word.find(|c| !is_part(c)).unwrap_or(word.len()));
        text.push_str(before);
        // A colon after a name is not part of the name.
        let name = word.trim_end_matches(':');
        text.push_str(kind(name));
        text.push_str(&word[name.len()..]);
        rest = after;
    }
    // A variable that closures share.
    (text + rest).replace("Arc<RwLock<value>>", "value")
}

/// Makes the error for an element that a list does not have. Most lists come from a server, so this
/// is a failed check and not a mistake in the script.
fn absent(length: usize, index: i64) -> Error {
    let error = Error::new(Kind::Assert, format!("the list has no element {index}"));
    let error = error.with_got(format!("a list of {length}"));
    let error = error.hint("a server may send nothing: look at len() first");
    match last_session() {
        Some(session) => error.with_session(session),
        None => error,
    }
}

/// Makes the error for an entry that a map does not have.
pub(super) fn no_entry(name: &str) -> Error {
    let name = visible::quoted(name);
    Error::usage(format!("the map has no entry `{name}`"))
        .hint(format!("`\"{name}\" in` the map asks whether it has one"))
        .of_moment()
}

/// Makes the error for a variable in use: a variable that closures share is locked while a method
/// of its value runs.
fn in_use() -> Error {
    let error = "the variable is in use: a call on it has not ended yet, in another branch or around this closure";
    Error::new(Kind::Busy, error).hint(
        "open a session in the branch that uses it, let barrier() order the branches, or hand the value over as an argument",
    )
}

/// Returns the session that was opened last, with its peer.
fn last_session() -> Option<String> {
    let run = Run::current().ok()?;
    let handle = run.peers.sessions(&run.whole).pop()?;
    let mut name = None;
    handle.look(|session| name = Some(format!("{}, {}", session.id(), session.peer())));
    name
}

/// Makes the error for an unknown word, or for a word with other arguments than it takes. The
/// signature has the form `expct (Session, i64)`.
fn unknown_word(signature: &str) -> Error {
    let signature = &*visible::shortened(signature);
    let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ""));
    let kinds: Vec<_> = arguments
        .strip_suffix(')')
        .unwrap_or(arguments)
        .split(", ")
        .filter(|kind| !kind.is_empty())
        .map(kind)
        .collect();
    let arguments = kinds.join(", ");
    if name.starts_with("anon$") {
        let error = Error::usage(format!("the closure does not take ({arguments})"));
        return error
            .hint("a closure takes as many arguments as it has names between its bars: |a, b|");
    }
    if name.starts_with(|c: char| c.is_ascii_punctuation() && c != '_') {
        return no_operator(name, &kinds);
    }
    let error = Error::usage(format!("there is no `{name}({arguments})`"));
    match vocabulary::advice(name) {
        Some(advice) => error.hint(advice),
        None => error,
    }
}

/// The hint for `()` where a value is expected.
const NOT_FOUND: &str =
    "what was looked for was not found: ask first, as in if found != () { ... }";

/// The kinds of values that have no properties.
const PLAIN: [&str; 9] =
    ["integer", "float", "boolean", "character", "text", "list", "map", "blob", "function"];

/// Makes the error for an operator between values that do not have it.
fn no_operator(operator: &str, kinds: &[&str]) -> Error {
    let named: Vec<_> = kinds.iter().map(|kind| with_article(kind)).collect();
    let error = Error::usage(format!("`{operator}` does not take {}", named.join(" and ")));
    if kinds.contains(&"nothing") {
        return error.hint(NOT_FOUND);
    }
    if kinds.iter().all(|kind| PLAIN.contains(kind)) {
        return error;
    }
    error.hint("use properties of the values, such as their text or their code")
}

/// Makes the error for a value that is no list, from Rhai's form of it: `session [integer]`.
fn not_indexed(message: &str) -> Error {
    let (owner, index) = message.split_once(" [").unwrap_or((message, ""));
    let [owner, index] = [owner, index.trim_end_matches(']')].map(|name| with_article(kind(name)));
    Error::usage(format!("{owner} has no elements that {index} could name"))
}

/// Makes the error for a message of the form "Unknown property 'x' - a getter is not registered for
/// type 'T'" or "No writable property 'x' - a setter is not registered for type 'T' to handle 'V'".
fn unknown_property(message: &str) -> Error {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    let (Some(property), Some(owner)) = (quoted.next(), quoted.next()) else {
        return other(message);
    };
    let value = quoted.next().map(kind);
    let owner = kind(owner);
    if owner == kind("()") {
        let error = Error::usage(format!("there is nothing, `()`, that could have `{property}`"));
        return error.hint(NOT_FOUND).of_moment();
    }
    let owner = with_article(owner);
    match value {
        Some(value) if vocabulary::is_settable(property) => Error::usage(format!(
            "`{property}` of {owner} cannot be set to {}",
            with_article(value)
        )),
        Some(_) if vocabulary::is_property(property) => {
            let error = Error::usage(format!("`{property}` of {owner} cannot be set"));
            error.hint(format!(
                "`{property}` can only be read; keep another value in a variable: let {property} = ...;"
            ))
        }
        _ => {
            let error = Error::usage(format!("{owner} has no property `{property}`"));
            match vocabulary::nearest_property(property) {
                Some(near) if near == property => {
                    error.hint(format!("`{property}` is a property of other values"))
                }
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            }
        }
    }
}

pub(super) fn uncapitalised(message: &str) -> String {
    let mut characters = message.chars();
    match (characters.next(), characters.clone().next()) {
        // Abbreviations such as BLOB keep their capital letters.
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_that_is_missing_read_only_or_of_nothing_is_told_apart() {
        let got = |name: &str, owner: &str| {
            format!("Unknown property '{name}' - a getter is not registered for type '{owner}'")
        };
        let set = |name: &str, owner: &str, value: &str| {
            format!(
                "No writable property '{name}' - a setter is not registered for type '{owner}' to handle '{value}'"
            )
        };
        for (message, said, hint) in [
            (got("cod", "i64"), "an integer has no property `cod`", "did you mean `code`?"),
            (got("code", "i64"), "an integer has no property `code`", "of other values"),
            (got("text", "()"), "there is nothing, `()`, that could have `text`", "not found"),
            (set("code", "i64", "i64"), "`code` of an integer cannot be set", "let code = ...;"),
        ] {
            let error = unknown_property(&message);
            assert_eq!(error.message(), said);
            assert!(error.next_step().is_some_and(|step| step.contains(hint)), "{error}");
        }
        let error = unknown_property(&set("timeout", "i64", "bool"));
        assert!(
            error.message().starts_with("`timeout` of an integer cannot be set to a"),
            "{error}"
        );
    }

    #[test]
    fn types_are_named_as_scripts_know_them() {
        for (message, words) in [
            (
                "Data type incorrect: i64 (expecting alloc::string::String)",
                "Data type incorrect: integer (expecting text)",
            ),
            ("cannot index rhai::types::dynamic::Dynamic: &str", "cannot index value: &str"),
            ("mailexpect::script::handle::Handle", "session"),
            ("Array index 3 out of bounds", "list index 3 out of bounds"),
        ] {
            assert_eq!(in_words(message), words);
        }
    }
}
