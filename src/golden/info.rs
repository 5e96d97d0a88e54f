//! The strictness and the redactions that a golden was made with, in the field `info` of insta's
//! header. Settings that are not given there have their defaults.

use std::fmt::Write as _;

use insta::internals::Content;

use crate::redaction::{Redaction, Strictness};

/// Presets and groups that are on, or off if a minus precedes them.
const REDACT: &str = "redact";
/// The caller's regexes, each after its token.
const REGEXES: &str = "redact_regex";
/// The caller's regexes whose values are not numbered, each after its token.
const PLAIN: &str = "redact_regex_without_numbers";
const STRICTNESS: &str = "strictness";

/// The field with its line end; empty if all settings are the defaults.
pub(super) fn render(redaction: &Redaction) -> String {
    let mut text = String::new();
    if redaction.level() != Strictness::default() {
        let _ = writeln!(text, "  {STRICTNESS}: {}", redaction.level());
    }
    let selection = redaction.selection();
    if !selection.is_empty() {
        let _ = writeln!(text, "  {REDACT}: {}", scalar(&selection));
    }
    for (name, wanted) in [(REGEXES, true), (PLAIN, false)] {
        let of_kind = redaction.own_regexes().filter(|(_, _, numbered)| *numbered == wanted);
        let list: String = of_kind.fold(String::new(), |list, (token, regex, _)| {
            format!("{list}    - {}\n", scalar(&format!("{token}={regex}")))
        });
        if !list.is_empty() {
            let _ = write!(text, "  {name}:\n{list}");
        }
    }
    if text.is_empty() { text } else { format!("info:\n{text}") }
}

/// Reads the field.
///
/// # Errors
/// A description of what is wrong with it.
pub(super) fn read(info: Option<&Content>) -> Result<Redaction, String> {
    let mut redaction = Redaction::new();
    let Some(Content::Map(entries)) = info.map(Content::resolve_inner) else {
        return Ok(redaction);
    };
    for (name, value) in entries {
        let name = name.as_str().unwrap_or_default();
        let changed = match (name, value.as_str(), value.resolve_inner()) {
            (STRICTNESS, Some(word), _) => {
                word.parse().map(|strictness| redaction.strictness(strictness))
            }
            (REDACT, Some(list), _) => redaction.select(list),
            (REGEXES | PLAIN, _, Content::Seq(list)) => {
                list.iter().try_fold(redaction, |redaction, entry| {
                    let entry = entry.as_str().unwrap_or_default();
                    let (token, regex) = entry.split_once('=').unwrap_or_default();
                    if name == REGEXES {
                        redaction.regex(regex, token)
                    } else {
                        redaction.regex_without_numbers(regex, token)
                    }
                })
            }
            (STRICTNESS | REDACT | REGEXES | PLAIN, ..) => {
                return Err(format!("its info.{name} cannot be read"));
            }
            // Entries that other programs keep there are ignored.
            _ => Ok(redaction),
        };
        redaction = changed.map_err(|error| format!("its info.{name}: {}", error.message()))?;
    }
    Ok(redaction)
}

/// A YAML scalar: plain if it cannot be mistaken for anything else, otherwise quoted.
pub(super) fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./ ".contains(c);
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.contains(['.', '/'])
        && !text.ends_with(' ');
    if is_word && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
