//! Tests of the bound on specifications, for all words of the language.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rhai::{Engine, Map};

use super::*;
use crate::outcome::Verdict;
use crate::script::Case;
use crate::script::bindings::{Group, groups};

/// A function of the language: its name, and the types of its parameters as the manual has them.
type Function = (String, Vec<String>);

fn functions() -> BTreeSet<Function> {
    let of_group = |group: &Group| {
        let mut engine = Engine::new_raw();
        engine.register_global_module(Shared::clone(&group.module));
        let function = |function: rhai::FuncInfo<'_>| {
            let kind = |param: &str| {
                let kind =
                    param.split_once(':').unwrap().1.replace("mut ", "").replace(['&', ' '], "");
                kind.rsplit("::").next().unwrap().to_owned()
            };
            let params = function.metadata.params_info.iter().map(|param| kind(param));
            Some((function.metadata.name.to_string(), params.collect::<Vec<_>>()))
        };
        engine.collect_fn_metadata(None, function, false)
    };
    groups().iter().flat_map(of_group).collect()
}

/// Whether a parameter of this type can be given text, alone or within another value.
fn takes_text(kind: &str) -> bool {
    ["str", "ImmutableString", "String", "Dynamic", "Map", "Array", "Blob"].contains(&kind)
}

/// Returns an expression for an argument of this type.
fn argument(kind: &str) -> &'static str {
    match kind {
        "Handle" | "Session" => "s",
        "Answer" => "answer",
        "Background" => "server",
        "BodyStructure" => "body",
        "Capabilities" => "caps",
        "Following" => "log",
        "Listening" => "l",
        "Parsed" => "mail",
        "Pattern" => "re(`a`)",
        "Reply" => "r",
        "Running" => "p",
        "Array" => "[]",
        "FnPtr" => "|x| x",
        "Map" => "#{}",
        "bool" => "true",
        "f64" => "1.0",
        "i64" => "1",
        _ => "\"a\"",
    }
}

/// Returns a call of a function with a long text at one position.
fn call((word, params): &Function, at: usize) -> String {
    let given = |(place, kind): (usize, &String)| match kind.as_str() {
        kind if place != at => argument(kind),
        "Array" => "[1, x]",
        "Map" => "#{timeout: x}",
        "Blob" => "x.to_blob()",
        _ => "x",
    };
    let given: Vec<_> = params.iter().enumerate().map(given).collect();
    if let Some(property) = word.strip_prefix("set$") {
        return format!("{}.{property} = {}", given[0], given[1]);
    }
    if word.starts_with("index$") {
        return format!("{}[{}]", given[0], given[1]);
    }
    format!("{word}({})", given.join(", "))
}

/// The values on which words are called.
const VALUES: &str = r#"
let x = ""; x.pad(3000000, "a, b ");
let wrong = [];
let server = serve("smtp");
let s = connect(server.url);
let r = s.expect(220);
let caps = s.ehlo("client.example");
let l = listen("smtp");
let mail = parse_message("A: b\n\nc\n");
let p = start("cat");
let log = follow("a.log");
let store = serve("imap", #{users: #{kim: "pppwww"}});
let i = connect(store.url);
i.expect("* OK");
i.login("kim", "pppwww");
i.append("INBOX", "A: b\n\nc\n");
i.select("INBOX");
let body = i.fetch("*", "BODYSTRUCTURE")[0].BODYSTRUCTURE;
let answer = i.answer;
"#;

#[test]
fn every_word_refuses_a_long_text_unless_it_is_data() {
    let mut script = VALUES.to_owned();
    let mut words = BTreeSet::new();
    for function in functions() {
        for at in (0..function.1.len()).filter(|at| takes_text(&function.1[*at])) {
            if data(&function.0).contains(&at) {
                continue;
            }
            let call = call(&function, at);
            words.insert(function.0.clone());
            let _ = writeln!(
                script,
                "try {{ {call}; wrong.push({call:?} + \" is taken\"); }} \
                 catch (e) {{ if e.expected != \"at most 1 MiB (1048576 bytes)\" {{ wrong.push({call:?} + `: ${{e}}`); }} }}"
            );
        }
    }
    assert!(words.len() > 90, "only {} words: {words:?}", words.len());
    script.push_str("assert_eq(wrong, []);\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.rhai"), &script).unwrap();
    std::fs::write(folder.path().join("a.log"), "").unwrap();
    let outcome = Case::new(folder.path().join("a.rhai")).allow_run().run();
    assert!(matches!(outcome.verdict, Verdict::Passed), "{:?}", outcome.verdict);
}

#[test]
fn each_word_whose_text_is_data_exists() {
    let functions = functions();
    let mut seen = BTreeSet::new();
    for (word, positions) in DATA {
        assert!(seen.insert(word), "{word} is listed twice");
        let forms = || functions.iter().filter(|(name, _)| name == word);
        assert!(forms().next().is_some(), "there is no {word}");
        for at in positions.iter().filter(|_| positions != ALL) {
            let is_text =
                |(_, params): &Function| params.get(*at).is_some_and(|kind| takes_text(kind));
            assert!(forms().any(is_text), "argument {at} of {word} is never text");
        }
    }
}

fn refusal(value: &Dynamic) -> Option<String> {
    check("word", value).err().map(|error| error.message().to_owned())
}

#[test]
fn the_texts_of_one_argument_are_counted_together() {
    let text = |length: usize| Dynamic::from("a".repeat(length));
    assert_eq!(refusal(&text(MOST)), None);
    assert_eq!(refusal(&text(MOST + 1)).unwrap(), "the text for `word` has 1048577 bytes");
    let blob = Dynamic::from_blob(vec![0; MOST + 1]);
    assert_eq!(refusal(&blob).unwrap(), "the blob for `word` has 1048577 bytes");
    // As many numbers of messages as bytes, but no list in which one text stands often.
    assert_eq!(refusal(&vec![Dynamic::from(1_i64); MOST].into()), None);
    let often = vec![text(1000); 2000];
    assert_eq!(refusal(&often.into()).unwrap(), "the list for `word` holds too much text");
}

#[test]
fn each_option_is_named_and_patterns_are_no_specification() {
    let options = |name: &str, value: Dynamic| -> Dynamic {
        [(name.into(), value)].into_iter().collect::<Map>().into()
    };
    let long = || Dynamic::from("a".repeat(MOST + 1));
    let said = refusal(&options("RCPT", long())).unwrap();
    assert_eq!(said, "the option `RCPT` of `word` has 1048577 bytes");
    let said = refusal(&options("tls", options("ca", long()))).unwrap();
    assert_eq!(said, "the option `tls` of `word` holds too much text");
    for name in DATA_OPTIONS {
        assert_eq!(refusal(&options(name, long())), None, "{name}");
    }
}
