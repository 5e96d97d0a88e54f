//! Errors of Rhai itself, as `catch (e)` gives them to a script.
//!
//! Rhai makes a map with the name and the message of the error. A script never sees this map: the
//! variable is changed into an error with the documented parts before it is first read. An error
//! from within a function is only part of the message, in the words of Rhai's `Display`. A test
//! covers each form of message that is read here.

use rhai::{Dynamic, EvalAltResult, EvalContext, Map, Position};

use super::raise::{Caught, Spot};
use super::rhai_error::{no_entry, other, wrong};
use crate::error::Error;
use crate::visible;

/// The text in a message between an error and the call, closure or module that it came through.
const WITHIN: [&str; 3] = ["\nin call to function", "\nin closure call", "\nin module"];

/// The entries that the map of any error of Rhai may have.
const COMMON: [&str; 5] = ["error", "message", "source", "line", "position"];

/// The errors of Rhai that a script can catch, and the other entries of their maps. Any other map is
/// a value of the script, such as the answer of a web service.
const KINDS: [(&[&str], &[&str]); 9] = [
    (&["ErrorUnboundThis", "ErrorFor", "ErrorArithmetic"], &[]),
    (
        &["ErrorFunctionNotFound", "ErrorNonPureMethodCallOnConstant", "ErrorInFunctionCall"],
        &["function"],
    ),
    (&["ErrorMismatchDataType", "ErrorMismatchOutputType"], &["requested", "actual"]),
    (&["ErrorArrayBounds", "ErrorStringBounds", "ErrorBitFieldBounds"], &["length", "index"]),
    (
        &[
            "ErrorVariableExists",
            "ErrorForbiddenVariable",
            "ErrorVariableNotFound",
            "ErrorPropertyNotFound",
            "ErrorDataRace",
            "ErrorAssignmentToConstant",
        ],
        &["variable"],
    ),
    (&["ErrorIndexNotFound"], &["index"]),
    (&["ErrorInModule", "ErrorModuleNotFound"], &["module"]),
    (&["ErrorDotExpr"], &["property"]),
    (&["ErrorIndexingType"], &["type"]),
];

/// Whether a map has the entries with which Rhai makes the map of this error, and no others.
fn is_of_rhai(map: &Map, error: &str) -> bool {
    let kind = KINDS.iter().find(|(errors, _)| errors.contains(&error));
    kind.is_some_and(|(_, own)| {
        let is_known = |entry: &str| COMMON.contains(&entry) || own.contains(&entry);
        own.iter().all(|entry| map.contains_key(*entry)) && map.keys().all(|entry| is_known(entry))
    })
}

/// Changes the variable of this name if it is such a map. If several variables have the name, this
/// is the innermost one, which is also the one that is read.
pub(super) fn change(name: &str, context: &mut EvalContext<'_, '_, '_, '_, '_, '_>) {
    let Some(value) = context.scope_mut().get_mut(name) else { return };
    // A variable that closures share has been read before it was shared. Looking into it would wait
    // for its lock.
    if value.is_shared() {
        return;
    }
    let caught = value.as_map_ref().ok().and_then(|map| of_map(&map));
    if let Some(caught) = caught {
        *value = Dynamic::from(caught);
    }
}

/// Returns the error that a map stands for, if Rhai made the map.
fn of_map(map: &Map) -> Option<Caught> {
    let text = |name: &str| {
        let text = map.get(name).and_then(|value| value.as_immutable_string_ref().ok());
        text.map(|text| visible::shortened(text.as_str()))
    };
    let name = text("error").filter(|name| is_of_rhai(map, name))?;
    let message = text("message")?;
    let number = |name: &str| {
        let number = map.get(name).and_then(|value| value.as_int().ok());
        number.and_then(|number| u16::try_from(number).ok())
    };
    // The message of an error from within a function or a module is plain text, which includes the
    // position.
    if let Some(inner) = WITHIN.iter().filter_map(|within| message.find(within)).min() {
        let (inner, position) = positioned(&message[..inner]);
        let (inner, source) = sourced(inner);
        let source =
            source.map(str::to_owned).or_else(|| text("module")).or_else(|| text("source"));
        return Some(Caught::new(of_message(inner), Spot::at(source.as_deref(), position)));
    }
    let position = match (number("line"), number("position")) {
        (Some(line), Some(column)) if line > 0 => Position::new(line, column),
        _ => Position::NONE,
    };
    let error = match name.as_str() {
        // The message alone does not say which kind of error it is.
        "ErrorDotExpr" => wrong(&EvalAltResult::ErrorDotExpr(message, Position::NONE)),
        _ => of_message(&message),
    };
    Some(Caught::new(error, Spot::at(text("source").as_deref(), position)))
}

/// Splits a message into its text and the position at its end.
fn positioned(message: &str) -> (&str, Position) {
    let read = || {
        let (before, place) = message.strip_suffix(')')?.rsplit_once(" (line ")?;
        let (line, column) = place.split_once(", position ")?;
        let line = line.parse().ok().filter(|line| *line > 0)?;
        Some((before, Position::new(line, column.parse().ok()?)))
    };
    read().unwrap_or((message, Position::NONE))
}

/// Splits a message into its text and the name of the source at its end.
fn sourced(message: &str) -> (&str, Option<&str>) {
    let ended = message.strip_suffix('\'').and_then(|message| message.rsplit_once(" @ '"));
    ended.map_or((message, None), |(message, source)| (message, Some(source)))
}

/// Returns the error for a message in the form that Rhai shows it.
fn of_message(message: &str) -> Error {
    let at = Position::NONE;
    if let Some(signature) = message.strip_prefix("Function not found: ") {
        return wrong(&EvalAltResult::ErrorFunctionNotFound(signature.to_owned(), at));
    }
    if message.starts_with("Unknown property '") || message.starts_with("No writable property '") {
        return wrong(&EvalAltResult::ErrorDotExpr(message.to_owned(), at));
    }
    if let Some(name) = message.strip_prefix("Property not found: ") {
        return no_entry(name);
    }
    if let Some(indexed) = message.strip_prefix("Indexer unavailable: ") {
        return wrong(&EvalAltResult::ErrorIndexingType(indexed.to_owned(), at));
    }
    if message.starts_with("Data race detected") {
        return wrong(&EvalAltResult::ErrorDataRace(String::new(), at));
    }
    match out_of_list(message) {
        Some((length, index)) => wrong(&EvalAltResult::ErrorArrayBounds(length, index, at)),
        None => other(message),
    }
}

/// Reads the length and the index from "Array index 3 out of bounds: only 2 elements in array".
fn out_of_list(message: &str) -> Option<(usize, i64)> {
    let (index, bounds) = message.strip_prefix("Array index ")?.split_once(" out of bounds: ")?;
    let length = match bounds.strip_prefix("only ") {
        Some(bounds) => bounds.split(' ').next()?.parse().ok()?,
        None => 0,
    };
    Some((length, index.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use rhai::Engine;

    use super::*;

    /// Returns what a script catches, as `kind: message @ source:line:column`.
    fn caught(script: &str) -> String {
        let mut engine = Engine::new();
        engine.set_fail_on_invalid_map_property(true);
        crate::script::variables::watch(&mut engine, usize::MAX);
        let mut lib = engine.compile("fn far(list) { list[7] }").unwrap();
        lib.set_source("far.rhai");
        let module = rhai::Module::eval_ast_as_new(rhai::Scope::new(), &lib, &engine).unwrap();
        engine.register_static_module("far", module.into());
        let script = format!("try {{ {script} }} catch (e) {{ return e; }}");
        let value = engine.eval::<Dynamic>(&script).unwrap();
        let type_name = value.type_name();
        let Some(caught) = value.clone().try_cast::<Caught>() else {
            return format!("{value} ({type_name})");
        };
        let (error, at) = (caught.error(), caught.position());
        let (line, column) = (at.line().unwrap_or(0), at.position().unwrap_or(0));
        format!("{}: {} @ {}:{line}:{column}", error.kind().name(), error.message(), caught.file())
    }

    #[test]
    fn errors_of_rhai_have_the_parts_of_ours() {
        let mut shown = String::new();
        for script in [
            "let a = [1]; a[1]",
            "[][0]",
            "let a = [1, 2, 3]; a[-9]",
            "\"text\"[9]",
            "1 / 0",
            "1 % 0",
            "9223372036854775807 + 1",
            "parse_int(\"x\")",
            "nothing(1, \"x\")",
            "1.5.nothing()",
            "let m = #{}; m.missing",
            "let m = #{}; m[\"mis\\nsing\"]",
            "let n = 1; n.kind",
            "let n = 1; n.kind = 2",
            "let n = 1; n[true]",
            "let m = #{}; let n = 1; m[n]",
            "let n = 1; if n { }",
            "let n = 1; for x in n { }",
            "let n = 1; n[0..1] = \"x\"",
            "let x = true; x += 1",
            "let f = |a| a; f.call()",
            "let f = |list| list[1]; f.call([])",
            "let f = |x| x.kind; f.call(1)",
            "let f = |x| nothing(x); let g = |f| f.call(1); g.call(f)",
            "let f = |x| x / 0; f.call(1)",
            "far::far([1])",
            "[1].map(|x| x / 0)",
            "throw \"mine\"",
            "throw #{error: 1}",
            "let f = || throw \"mine\"; f.call()",
        ] {
            let _ = write!(shown, "{script}\n    {}\n", caught(script));
        }
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_map_of_the_script_stays_one() {
        for script in [
            "let m = #{error: \"none\", message: \"x\"}; return m.error;",
            "let m = #{error: \"ErrorArithmetic\"}; return m.error;",
            "let m = #{error: \"ErrorItemNotFound\", message: \"x\"}; return m.error;",
            "let m = #{error: \"ErrorFor\", message: \"x\", status: 404}; return m.status;",
            "let m = #{error: \"ErrorDotExpr\", message: \"x\"}; return m.error;",
            "try { throw #{error: \"ErrorX\", message: \"x\", code: 5}; } catch (e) { return e.code; }",
            "let m = #{}; m[\"new\"] = 1; m.other = 2; return m.other;",
        ] {
            let mut engine = Engine::new();
            crate::script::variables::watch(&mut engine, usize::MAX);
            assert!(engine.eval::<Dynamic>(script).is_ok(), "{script}");
        }
    }
}
