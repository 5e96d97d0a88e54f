//! The reference manual, generated from the bindings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rhai::{Engine, FuncInfo, FuncMetadata};

use super::bindings;
use crate::secrets;

/// Returns the manual as Markdown.
///
/// ```
/// assert!(mailexpect::script::reference::markdown().contains("### `expect`"));
/// ```
#[must_use]
pub fn markdown() -> String {
    let mut manual = String::from(
        "# The words of mailexpect\n\n<!-- Made by `mailexpect reference`; do not edit. -->\n\n",
    );
    let words = secrets::SECRET_WORDS.join(", ");
    manual.push_str(&include_str!("reference/preamble.md").replace("{words}", &words));
    for group in bindings::groups() {
        let _ = write!(manual, "\n## {}\n\n{}\n", group.title, group.intro);
        for (word, entry) in entries(group) {
            manual.push_str(&section(&word, &entry));
        }
    }
    manual
}

fn section(word: &str, entry: &Entry) -> String {
    let mut section = format!("\n### `{word}`\n\n");
    for signature in &entry.signatures {
        let _ = writeln!(section, "    {signature}");
    }
    for text in &entry.texts {
        let _ = write!(section, "\n{text}\n");
    }
    section
}

/// Returns the manual's text about a word, under the titles of the chapters that have the word.
/// Empty if no chapter has it.
#[cfg(feature = "cli")]
pub(crate) fn word(word: &str) -> String {
    let mut found = String::new();
    for group in bindings::groups() {
        if let Some(entry) = entries(group).get(word) {
            let gap = if found.is_empty() { "" } else { "\n" };
            let _ = write!(found, "{gap}## {}\n{}", group.title, section(word, entry));
        }
    }
    found
}

/// Returns all words.
#[cfg(feature = "cli")]
pub(crate) fn words() -> Vec<String> {
    bindings::groups().iter().flat_map(entries).map(|(word, _)| word).collect()
}

/// An example of the manual.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Example {
    /// The word that the example belongs to.
    pub word: String,
    /// The script, which can be run as it is.
    pub script: String,
    /// The dialogue that the example's server plays, after the scheme, which is also the name of
    /// the parameter. `None` if the script speaks with the embedded server.
    pub dialogue: Option<(String, String)>,
}

/// Returns the examples of the manual that can be run.
#[must_use]
pub fn examples() -> Vec<Example> {
    let entries = bindings::groups().iter().flat_map(entries);
    let texts = entries
        .flat_map(|(word, entry)| entry.texts.into_iter().map(move |text| (word.clone(), text)));
    texts.flat_map(|(word, text)| examples_of(&word, &text)).collect()
}

/// Returns the blocks fenced as ```` ```rhai ````, each with the ```` ```dialogue scheme ```` block
/// before it.
fn examples_of(word: &str, text: &str) -> Vec<Example> {
    let mut dialogue = None;
    let mut examples = Vec::new();
    // Splitting at fences gives text and blocks by turns, and text comes first.
    for block in text.split("```").skip(1).step_by(2) {
        match block.split_once('\n') {
            Some(("rhai", script)) => {
                let (script, dialogue) = (script.trim_end().to_owned(), dialogue.take());
                examples.push(Example { word: word.to_owned(), script, dialogue });
            }
            Some((fence, lines)) => {
                dialogue = fence
                    .strip_prefix("dialogue ")
                    .map(|scheme| (scheme.to_owned(), lines.to_owned()));
            }
            None => {}
        }
    }
    examples
}

/// Returns the ways in which a word is called.
pub(super) fn signatures(word: &str) -> Vec<String> {
    bindings::groups()
        .iter()
        .filter_map(|group| entries(group).remove(word))
        .flat_map(|entry| entry.signatures)
        .collect()
}

/// Returns the words of sessions that expect a reply: the verbs of all protocols.
pub(super) fn verbs() -> BTreeSet<String> {
    let all = bindings::groups().iter().filter(|group| group.expects).flat_map(entries);
    let is_of_session =
        |entry: &Entry| entry.signatures.iter().any(|call| call.starts_with("session."));
    all.filter(|(_, entry)| is_of_session(entry)).map(|(word, _)| word).collect()
}

/// Returns the words that take `#{...}`, each with its number of arguments in such a call.
pub(super) fn with_options() -> BTreeSet<(String, usize)> {
    let calls = bindings::groups().iter().flat_map(entries);
    let calls = calls.flat_map(|(word, entry)| {
        entry.signatures.into_iter().map(move |signature| (word.clone(), signature))
    });
    calls
        .filter(|(_, signature)| signature.ends_with("options)"))
        .map(|(word, signature)| (word, signature.matches(", ").count() + 1))
        .collect()
}

/// The entry of a word in the manual.
#[derive(Default)]
struct Entry {
    signatures: Vec<String>,
    texts: Vec<String>,
}

fn entries(group: &bindings::Group) -> BTreeMap<String, Entry> {
    let mut engine = Engine::new_raw();
    engine.register_global_module(rhai::Shared::clone(&group.module));
    let described = |function: FuncInfo<'_>| {
        let (word, signature) = signature(function.metadata)?;
        Some((word, signature, text(function.metadata)))
    };
    let mut calls: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (word, signature, text) in engine.collect_fn_metadata(None, described, false) {
        calls.entry(word).or_default().push((signature, text));
    }
    calls.into_iter().map(|(word, calls)| (word, Entry::new(calls))).collect()
}

impl Entry {
    /// Sorts the calls, the shortest first, because Rhai lists them in no order.
    fn new(mut calls: Vec<(String, Option<String>)>) -> Self {
        calls.sort_by_cached_key(|(signature, text)| {
            (signature.matches(',').count(), signature.len(), signature.clone(), text.clone())
        });
        let mut entry = Self::default();
        for (signature, text) in calls {
            if entry.signatures.last() != Some(&signature) {
                entry.signatures.push(signature);
            }
            entry.texts.extend(text);
        }
        entry
    }
}

/// The names of first parameters whose words are written as methods.
const METHODS_OF: [&str; 4] = ["session", "listener", "started", "log"];

/// Returns the word of a function, and how it is called.
fn signature(function: &FuncMetadata) -> Option<(String, String)> {
    let name = function.name.as_str();
    // A parameter is written as in Rust: its name, a colon and its type.
    let params = function.params_info.iter().filter_map(|param| param.split_once(':'));
    let names: Vec<&str> = params.map(|(name, _)| name.trim()).collect();
    if let Some(property) = name.strip_prefix("get$") {
        return Some((property.to_owned(), format!("{}.{property}", names.first()?)));
    }
    if let Some(property) = name.strip_prefix("set$") {
        return Some((
            property.to_owned(),
            format!("{}.{property} = {}", names.first()?, names.get(1)?),
        ));
    }
    if name.starts_with("index$get") {
        return Some((
            format!("{}[...]", names.first()?),
            format!("{}[{}]", names.first()?, names.get(1)?),
        ));
    }
    if ["to_string", "to_debug"].contains(&name) {
        return None;
    }
    let call = match names.split_first() {
        Some((of, rest)) if METHODS_OF.contains(of) => {
            format!("{of}.{name}({})", rest.join(", "))
        }
        _ => format!("{name}({})", names.join(", ")),
    };
    Some((name.to_owned(), call))
}

/// Returns the doc comment of a function, without its slashes.
fn text(function: &FuncMetadata) -> Option<String> {
    if function.comments.is_empty() {
        return None;
    }
    let lines: Vec<_> = function
        .comments
        .iter()
        .flat_map(|comment| comment.lines())
        .map(|line| line.trim_start().trim_start_matches("///"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    Some(lines.join("\n").replace("```rhai,ignore", "```js"))
}
