//! The words that exist, and advice for words that do not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rhai::{Engine, FuncInfo, ParseErrorType};

use crate::suggest;

/// Words of other languages, each with the way in which scripts do the same.
const ELSEWHERE: [(&str, &str); 17] = [
    ("delivered", "`follow(path).expect_delivered(id)` waits for what the server's log says"),
    ("wait_until", "`eventually(\"10s\", || ...)` tries again until it passes"),
    ("every", "`all(|x| ...)` asks whether a function holds for each element"),
    ("includes", "`contains(...)` asks it, or `x in list`"),
    ("length", "`len()` says how long it is"),
    ("size", "`len()` says how long it is"),
    ("count", "`len()` says how long it is; `filter(|x| ...).len()` counts some"),
    ("append_all", "`list += other` adds all of a list"),
    ("foreach", "`for x in list { ... }` goes through a list"),
    ("println", "`print(...)` writes a line to the report"),
    ("printf", "`print(`... ${x} ...`)` puts in values"),
    ("format", "text between backticks puts in values: `... ${x} ...`"),
    ("substr", "`sub_string(start, length)` gives a part of a text"),
    ("strip", "`trim()` takes blanks off both ends, in place"),
    ("match", "`expect(re(...))` finds a regex in a reply"),
    ("parseInt", "`parse_int(text)` reads a number"),
    ("str", "`to_string()` gives the text of a value"),
];

/// The options that `#{...}` of words take. Only names that resemble one of these are reported as
/// misspelled, so a missing name is an error only if it resembles another.
const OPTIONS: &str = "address after allow at attachments authzid bare bare_lf body ca cancel cc cert \
    certificate chance client_ca connection content crlf cut date destination doubled drip during \
    encoding endless env envid expect family faults flaw forbid forge from from_start \
    garbage grace headers host html id initial inject injected jitter keep key limit literal \
    max mechanism message_id min missing name nonce notify nul number on_demand only orcpt \
    ordered password protocol proxy read_rate realm reply require requiretls ret segment \
    settle size smtputf8 sni source source_ip stdin subject text then timeout tls to token \
    type uid uidvalidity user users verdict verify version wrong";

/// Words of Rhai itself that are not registered functions.
const BUILT_IN: [&str; 10] = [
    "print",
    "debug",
    "type_of",
    "Fn",
    "call",
    "curry",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "eval",
];

/// All functions with their numbers of arguments, and all properties.
struct Vocabulary {
    functions: BTreeMap<String, BTreeSet<usize>>,
    properties: BTreeSet<String>,
    /// The properties that can be set.
    settable: BTreeSet<String>,
}

/// Whether any word has an option of this name.
pub(super) fn is_option(name: &str) -> bool {
    options().any(|option| option == name)
}

/// Returns the options of all words.
pub(super) fn options() -> impl Iterator<Item = &'static str> {
    OPTIONS.split_ascii_whitespace()
}

/// Whether a script that calls this word proves something if it passes: the word expects, asserts
/// or skips, or it is a verb, which expects its reply.
pub(super) fn is_proof(name: &str) -> bool {
    static VERBS: LazyLock<BTreeSet<String>> = LazyLock::new(super::reference::verbs);
    let begins = ["expect", "assert", "require"].iter().any(|word| name.starts_with(word));
    begins
        || ["refute", "skip", "wait_ready", "starttls", "stls", "tls_handshake", "fails"]
            .contains(&name)
        || VERBS.contains(name)
}

/// Whether there is a word of this name.
pub(super) fn is_word(name: &str) -> bool {
    BUILT_IN.contains(&name) || VOCABULARY.functions.contains_key(name)
}

/// Whether a word takes this number of arguments.
pub(super) fn takes(name: &str, arguments: usize) -> bool {
    BUILT_IN.contains(&name)
        || VOCABULARY.functions.get(name).is_some_and(|counts| counts.contains(&arguments))
}

/// Whether the last argument of a word can be its options, if it has this number of arguments. The
/// value on which a method is called does not count as an argument.
pub(super) fn takes_options(name: &str, arguments: usize) -> bool {
    static CALLS: LazyLock<BTreeSet<(String, usize)>> =
        LazyLock::new(super::reference::with_options);
    CALLS.contains(&(name.to_owned(), arguments))
}

/// Whether anything has a property of this name.
pub(super) fn is_property(name: &str) -> bool {
    VOCABULARY.properties.contains(name)
}

/// Whether anything has a property of this name that can be set.
pub(super) fn is_settable(name: &str) -> bool {
    VOCABULARY.settable.contains(name)
}

/// The keys of the maps that words return. A key is not a property of any type. They are those of
/// POP3 and `ManageSieve`, of IMAP's mailboxes, messages and envelopes, of TLS and certificates,
/// and of attachments.
const KEYS: &str = "messages octets message id name active delimiter flags seq date subject from sender reply_to to cc bcc \
    in_reply_to message_id mailbox host version cipher verified fault sans issuer not_before not_after days_left fingerprint \
    serial type content value charset connection number";

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let engine = super::engine::engine(std::sync::Arc::default());
    let mut vocabulary = Vocabulary {
        functions: BTreeMap::new(),
        properties: KEYS.split(' ').map(str::to_owned).collect(),
        settable: BTreeSet::new(),
    };
    for (name, arguments) in registered(&engine) {
        vocabulary.settable.extend(name.strip_prefix("set$").map(str::to_owned));
        match name.strip_prefix("get$").or(name.strip_prefix("set$")) {
            Some(property) => drop(vocabulary.properties.insert(property.to_owned())),
            None => drop(vocabulary.functions.entry(name).or_default().insert(arguments)),
        }
    }
    vocabulary
});

/// Returns the functions that are registered with an engine, with their numbers of arguments.
fn registered(engine: &Engine) -> Vec<(String, usize)> {
    let entry = |function: FuncInfo<'_>| {
        Some((function.metadata.name.to_string(), function.metadata.num_params))
    };
    engine.collect_fn_metadata(None, entry, true)
}

/// Returns what to try instead of an unknown word.
pub(super) fn advice(name: &str) -> Option<String> {
    if let Some((_, advice)) = ELSEWHERE.iter().find(|(word, _)| *word == name)
        && !is_word(name)
    {
        return Some((*advice).to_owned());
    }
    let signatures = super::reference::signatures(name);
    if !signatures.is_empty() {
        return Some(format!("it is called as {}", signatures.join(", ")));
    }
    if VOCABULARY.functions.contains_key(name) {
        return Some(format!("`{name}` is a word of Rhai that takes other arguments"));
    }
    suggest::nearest(name, VOCABULARY.functions.keys().map(String::as_str))
        .map(|near| format!("did you mean `{near}`?"))
}

/// Returns a hint for a script that does not parse, if there is one.
pub(super) fn advice_for_syntax(wrong: &ParseErrorType, text: &str) -> Option<String> {
    match wrong {
        ParseErrorType::VariableUndefined(name) => {
            let is_defined = |line: &str| {
                let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
                words.any(|word| ["let", "const"].contains(&word)) && has_word(line, name)
            };
            if text.lines().any(is_defined) {
                return Some(format!(
                    "a function sees no variable from outside of it, and a block none that ended before: hand it over, fn f({name}) {{ ... }}, or use a closure, |x| ..."
                ));
            }
            ["null", "nil", "None", "undefined"]
                .contains(&name.as_str())
                .then(|| "nothing is `()`".to_owned())
        }
        ParseErrorType::Reserved(word) if word == "spawn" => {
            Some("pipe(\"command\") starts a process; `spawn` is reserved by Rhai".to_owned())
        }
        ParseErrorType::Reserved(word) => {
            let elsewhere = ELSEWHERE.iter().find(|(known, _)| known == word);
            let advice = elsewhere.map(|(_, advice)| format!("; {advice}")).unwrap_or_default();
            Some(format!("Rhai keeps `{word}` for itself: take another name{advice}"))
        }
        _ => None,
    }
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

/// Returns the property that was probably meant.
pub(super) fn nearest_property(property: &str) -> Option<&'static str> {
    suggest::nearest(property, VOCABULARY.properties.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use regex::Regex;

    use super::*;

    #[test]
    fn every_option_that_a_word_takes_is_known_to_the_check() {
        let lists = Regex::new(
            r"(?s)(?:const ([A-Z_]+): \[&str; \d+\] =|check_known\(&?\w+, &)\s*\[([^\]]*)\]",
        )
        .unwrap();
        // The names of a verb's own options, after the semicolons: `mail(session, call, from: &str;
        // size; body)`.
        let of_verbs = Regex::new(r"\(session, call[^;)]*((?:;\s*\w+)+)\)").unwrap();
        let no_options = ["AUTHENTICATE", "CALLBACKS", "CHANGING", "UNITS", "PROPERTIES"];
        let mut count = 0;
        for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/script/bindings")) {
            for list in lists.captures_iter(&source) {
                if list.get(1).is_some_and(|name| no_options.contains(&name.as_str())) {
                    continue;
                }
                for option in list[2].split('"').skip(1).step_by(2) {
                    assert!(is_option(option), "OPTIONS lacks `{option}`");
                    count += 1;
                }
            }
            for verb in of_verbs.captures_iter(&source) {
                for option in verb[1].split(';').map(str::trim).filter(|name| !name.is_empty()) {
                    assert!(is_option(option), "OPTIONS lacks `{option}`");
                    count += 1;
                }
            }
        }
        assert!(count > 100, "only {count} options were found");
    }

    #[test]
    fn a_script_that_calls_a_verb_proves_something() {
        let verb = Regex::new(r"(?m)^\s+(?:r#)?(\w+)\(session, call").unwrap();
        let mut count = 0;
        for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/script/bindings")) {
            for name in verb.captures_iter(&source).map(|verb| verb[1].to_owned()) {
                assert!(is_proof(&name), "the chapter of `{name}` is not one of verbs");
                count += 1;
            }
        }
        assert!(count > 60, "only {count} verbs were found");
        for name in ["send", "connect", "mutf7", "literal8"] {
            assert!(!is_proof(name), "{name}");
        }
    }

    /// Returns the texts of the source files in a folder and below it.
    fn sources(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let of_entry = |path: PathBuf| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![std::fs::read_to_string(path).unwrap()]
            }
        };
        entries.flat_map(of_entry).collect()
    }

    #[test]
    fn no_word_that_is_there_is_said_to_be_of_another_language() {
        let elsewhere = ELSEWHERE.iter().map(|(word, _)| *word);
        for word in elsewhere {
            assert!(!is_word(word), "{word}");
        }
        assert!(
            advice("ehlo")
                .is_some_and(|advice| advice.starts_with("it is called as session.ehlo(name)"))
        );
    }
}
