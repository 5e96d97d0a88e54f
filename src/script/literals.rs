//! Checks the literals that a script passes to words: codes, regexes, URLs, durations and options,
//! and mistakes such as a line end that `send` adds anyway.

use rhai::{Expr, FnCallExpr, Map, Position};

use super::vocabulary;
use crate::error::Error;
use crate::pattern::{Code, Pattern};
use crate::target::Target;
use crate::{duration, suggest};

/// The options that are durations.
const DURATIONS: [&str; 4] = ["timeout", "after", "settle", "grace"];

/// The words that take a line, which may be between backticks by mistake.
const OF_LINES: [&str; 3] = ["send", "send_raw", "pipeline"];
/// The words that take a message. Its text may speak of escapes if it has line ends of its own.
const OF_MESSAGES: [&str; 4] = ["append", "bdat", "data", "send_message"];

/// The words that begin with `expect` but whose first argument is not a code: it is a duration, an
/// exit status, or a number of octets.
const OF_OTHERS: [&str; 4] = ["expect_silence", "expect_none", "expect_exit", "expect_octets"];

/// Returns the problems in the arguments of a call, with their positions. `within` returns the text
/// between the backticks that begin at a position, if some do.
pub(super) fn problems(
    call: &FnCallExpr,
    position: Position,
    within: impl Fn(Position) -> Option<String>,
) -> Vec<(Position, Error)> {
    let word = call.name.as_str();
    let mut found = Vec::new();
    if let Some(first) = call.args.first() {
        found.extend(of_first(word, first).map(|error| (position, error)));
    }
    let is_message = OF_MESSAGES.contains(&word);
    for (text, at) in call.args.iter().flat_map(texts) {
        if (takes_text(word) || (is_message && !text.contains('\n')))
            && let Some(text) = within(at)
        {
            found.extend(in_backticks(&text).map(|error| (at, error)));
        }
    }
    // Most calls have no options, and then the words that take some need not be known.
    if let Some(last) = call.args.last().filter(|last| is_map(last))
        && vocabulary::takes_options(word, call.args.len())
    {
        found.extend(of_options(last));
    }
    found
}

/// The text that an argument is, or the texts of a list.
fn texts(argument: &Expr) -> Vec<(&str, Position)> {
    match argument {
        Expr::StringConstant(text, at) => vec![(text.as_str(), *at)],
        Expr::Array(list, _) => list.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn takes_code(word: &str) -> bool {
    word == "refute" || (word.starts_with("expect") && !OF_OTHERS.contains(&word))
}

fn takes_text(word: &str) -> bool {
    takes_code(word) || OF_LINES.contains(&word)
}

fn of_first(word: &str, first: &Expr) -> Option<Error> {
    match first {
        Expr::IntegerConstant(code, _) if takes_code(word) => Code::new(*code).err(),
        Expr::StringConstant(text, _) => of_text(word, text),
        _ => None,
    }
}

fn of_text(word: &str, text: &str) -> Option<Error> {
    match word {
        "re" => Pattern::regex(text).err(),
        "code" => Code::parse(text).err(),
        "connect" => Target::parse(text).err(),
        "expect_silence" => duration::parse(text).err(),
        "sleep" => Some(
            Error::usage("there is no sleep")
                .hint("wait for what you expect, with a deadline; or say expect_silence(\"2s\")"),
        ),
        "send" if text.ends_with("\r\n") => Some(
            Error::usage("this sends an empty line as well: send adds the line end by itself")
                .hint("leave `\\r\\n` out, or say send_raw(...)"),
        ),
        _ if takes_code(word) => class(text),
        _ => None,
    }
}

/// Reports text that is a class of codes, such as `25x`.
fn class(text: &str) -> Option<Error> {
    let is_class = text.len() == 3 && text.ends_with(['x', 'X']) && Code::parse(text).is_ok();
    is_class.then(|| {
        let digits = text.trim_end_matches(['x', 'X']);
        Error::usage(format!("\"{text}\" is text, which no reply begins with"))
            .hint(format!("a class of codes is {digits}, or code(\"{text}\")"))
    })
}

/// Reports an escape such as `\n` in text between backticks, where it has no effect. Only the
/// source line shows which quotes were used.
fn in_backticks(text: &str) -> Option<Error> {
    let escape = ["\\r\\n", "\\n"].into_iter().find(|escape| text.contains(escape))?;
    Some(
        Error::usage(format!("`{escape}` between backticks is no line end"))
            .hint("write \"...\" for the escapes to hold"),
    )
}

/// Returns the problems in a map of options: keys that look like misspelled options, and durations
/// that cannot be parsed.
fn of_options(last: &Expr) -> Vec<(Position, Error)> {
    match last {
        Expr::Map(map, _) => {
            let entries = map.0.iter().map(|(key, value)| {
                let text = match value {
                    Expr::StringConstant(text, _) => Some(text.as_str()),
                    _ => None,
                };
                let problem = of_option(&key.name, text);
                problem.into_iter().map(|error| (key.pos, error)).chain(of_options(value))
            });
            entries.flat_map(Iterator::collect::<Vec<_>>).collect()
        }
        Expr::DynamicConstant(constant, position) => match constant.as_map_ref() {
            Ok(map) => of_map(&map).into_iter().map(|error| (*position, error)).collect(),
            Err(_) => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn is_map(argument: &Expr) -> bool {
    match argument {
        Expr::Map(..) => true,
        Expr::DynamicConstant(constant, _) => constant.is_map(),
        _ => false,
    }
}

fn of_map(map: &Map) -> Vec<Error> {
    let mut found = Vec::new();
    for (key, value) in map {
        let text = value.as_immutable_string_ref().ok();
        found.extend(of_option(key, text.as_ref().map(|text| text.as_str())));
        if let Ok(map) = value.as_map_ref() {
            found.extend(of_map(&map));
        }
    }
    found
}

fn of_option(key: &str, text: Option<&str>) -> Option<Error> {
    if DURATIONS.contains(&key) {
        return duration::parse(text?).err();
    }
    if vocabulary::is_option(key) {
        return None;
    }
    let near = suggest::nearest(key, vocabulary::options())?;
    let error = Error::usage(format!("there is no option `{key}`"));
    Some(error.hint(format!("did you mean `{near}`?")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_between_backticks_is_found() {
        assert!(in_backticks("NOOP\\r\\n").is_some());
        assert!(in_backticks("250 ok\\n").is_some());
        assert!(in_backticks("NOOP").is_none());
    }

    #[test]
    fn not_every_number_that_is_expected_is_a_code() {
        assert!(takes_code("expect") && takes_code("expect_until"));
        assert!(!takes_code("expect_exit") && !takes_code("expect_octets"));
    }

    #[test]
    fn options_that_are_slips_and_durations_that_are_none_are_found() {
        assert!(of_option("expct", None).is_some());
        assert!(of_option("timeout", Some("3 sec")).is_some());
        assert!(of_option("timeout", Some("3s")).is_none());
        assert!(of_option("expect", Some("3 sec")).is_none());
        assert!(of_option("anything-else-at-all", None).is_none());
    }
}
