//! The verbs of one protocol, called on a session that speaks another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mailexpect::script::reference;
use regex::Regex;

use crate::sandbox::outcome;

const CHAPTERS: [(&str, &str); 6] = [
    ("Verbs of SMTP", "smtp"),
    ("Verbs of IMAP", "imap"),
    ("Mailboxes of IMAP", "imap"),
    ("Messages of IMAP", "imap"),
    ("Verbs of POP3", "pop3"),
    ("Verbs of ManageSieve", "sieve"),
];

/// The ways to call each verb that belongs to a protocol, such as `list(message)`, with the
/// protocols that have it.
fn calls() -> BTreeMap<String, BTreeSet<&'static str>> {
    let call = Regex::new(r"^    session\.(\w+\(.*\))$").unwrap();
    let mut calls: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut protocol = None;
    for line in reference::markdown().lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let extension = (title == "Extensions of IMAP").then_some("imap");
            let known = CHAPTERS.iter().find(|(chapter, _)| *chapter == title);
            protocol = known.map(|(_, protocol)| *protocol).or(extension);
        }
        if let (Some(protocol), Some(found)) = (protocol, call.captures(line)) {
            calls.entry(found[1].to_owned()).or_default().insert(protocol);
        }
    }
    calls
}

/// The call with arguments of each type that words take.
fn closures(call: &str) -> String {
    let (word, params) = call.trim_end_matches(')').split_once('(').unwrap();
    let params: Vec<_> = params.split(", ").filter(|param| !param.is_empty()).collect();
    // Verbs of many parameters take text and lists.
    let values = ["`x`", "[`x`]", "1", "true", "#{NAME: `x`}"];
    let values = if params.len() > 3 { &values[..2] } else { &values };
    let mut lists = vec![String::new()];
    for param in params {
        let values = if param == "options" { &["#{}"] } else { values };
        let with = |list: &String| {
            values.iter().map(|value| format!("{list}{value}, ")).collect::<Vec<_>>()
        };
        lists = lists.iter().flat_map(with).collect();
    }
    let closures = lists.iter().map(|list| format!("|s| s.{word}({list})"));
    closures.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_verb_of_another_protocol_is_refused_by_the_name_that_the_script_has_for_it() {
    let mut script = "fn refusal(s, closures) {
        for f in closures {
            try { f.call(s); return `it was not refused`; }
            catch (e) { if !e.message.starts_with(`there is no`) { return e.message; } }
        }
        `no closure fits`
    }
    "
    .to_owned();
    let protocols = ["smtp", "imap", "pop3", "sieve"];
    for protocol in protocols {
        let _ = writeln!(
            script,
            "let {protocol} = connect(param(`{protocol}`)); {protocol}.expect(re(`.`));"
        );
    }
    let mut count = 0;
    // Further commands that both have are in the chapter of shared verbs.
    let shared = ["logout", "deflate"];
    for (call, owners) in calls() {
        let word = call.split('(').next().unwrap();
        for protocol in protocols {
            if owners.contains(protocol) || shared.contains(&word) {
                continue;
            }
            let _ = writeln!(
                script,
                "let said = refusal({protocol}, [{}]); assert(said.starts_with(\"`{word}` is a verb of \"), `{protocol}, {call}: ${{said}}`);",
                closures(&call)
            );
            count += 1;
        }
    }
    assert!(count > 400, "only {count} calls were found");
    let outcome = outcome(&script, |case| case);
    assert!(outcome.is_ok(), "{outcome}");
}
