//! Reads the `query_response` lists of `blackbox_exporter`'s TCP prober: regexes that a line has to
//! match, lines to send, and STARTTLS. Of the other settings of a module, only `tls` is read,
//! because the others configure the connection.

mod yaml;

use yaml::Node;

use super::literal::{grouped, regex, text as quoted};
use super::success::Success;
use super::words::speech_of;
use super::{ANSWER, Act, Read, Step, Unread};
use crate::pattern::Pattern;
use crate::proto::Speech;

/// One entry of a `query_response` list.
#[derive(Debug, Default)]
struct Query {
    line: usize,
    expect: Option<String>,
    send: Option<String>,
    starttls: bool,
}

/// A module of the configuration.
#[derive(Debug, Default)]
struct Module {
    line: usize,
    name: String,
    is_tls: bool,
    queries: Vec<Query>,
}

pub(super) fn read(text: &str) -> Read {
    let mut read = Read::default();
    let modules = modules(text, &mut read);
    for (session, module) in modules.iter().enumerate() {
        write(&mut read, session, module);
    }
    read
}

/// Returns the modules that have a `query_response`, at any depth of the file.
fn modules(text: &str, read: &mut Read) -> Vec<Module> {
    let lines: Vec<_> = text.lines().collect();
    let mut name_unread = |line: usize, why: &str| {
        let text = lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        read.unread.push(unread(line, text, why));
    };
    let mut found = Vec::new();
    match yaml::documents(text) {
        Ok(documents) => {
            for document in &documents {
                find("query_response", document, &mut found, &mut name_unread);
            }
        }
        Err((line, why)) => name_unread(line, &format!("this is no YAML: {why}")),
    }
    found
}

/// Adds the modules of a node to `found`. `name` is the key whose value the node is.
fn find(
    name: &str,
    node: &Node,
    found: &mut Vec<Module>,
    name_unread: &mut impl FnMut(usize, &str),
) {
    for item in node.list() {
        find(name, item, found, name_unread);
    }
    if let Some(queries) = node.get("query_response") {
        let is_tls = node.get("tls").and_then(Node::text) == Some("true");
        let mut module =
            Module { line: queries.line, name: name.to_owned(), is_tls, queries: Vec::new() };
        for (key, value) in node.entries() {
            // `false` is the default of these settings, so it is not reported.
            let says = value.text() != Some("false");
            if !["query_response", "tls"].contains(&key.text().unwrap_or_default()) && says {
                name_unread(key.line, "it says how to connect: the options of run do that");
            }
        }
        for item in queries.list() {
            module.queries.push(query(item, name_unread));
        }
        if !module.queries.is_empty() {
            found.push(module);
        }
        return;
    }
    for (key, value) in node.entries() {
        let has_queries = value.get("tcp").is_some_and(|tcp| tcp.get("query_response").is_some());
        if value.get("prober").is_some() && !has_queries {
            name_unread(key.line, "a module without a query_response");
            continue;
        }
        // The key `tcp` stands between the name of a module and its queries, so it is not the name.
        let key = key.text().filter(|key| *key != "tcp").unwrap_or(name);
        find(key, value, found, name_unread);
    }
}

/// Reads one entry of a `query_response` list.
fn query(item: &Node, name_unread: &mut impl FnMut(usize, &str)) -> Query {
    let mut query = Query { line: item.line, ..Query::default() };
    for (key, value) in item.entries() {
        let text = value.text().unwrap_or_default();
        match key.text().unwrap_or_default() {
            "expect" => query.expect = Some(text.to_owned()),
            "send" => query.send = Some(text.to_owned()),
            "starttls" => query.starttls = text == "true",
            _ => name_unread(key.line, "nothing that a dialogue has"),
        }
    }
    query
}

fn unread(line: usize, text: &str, why: &str) -> Unread {
    Unread { line, text: text.to_owned(), why: why.to_owned() }
}

fn write(read: &mut Read, session: usize, module: &Module) {
    let sent = module.queries.iter().filter_map(|query| query.send.as_deref()).find_map(speech_of);
    let first = module.queries.iter().find_map(|query| query.expect.as_deref()).unwrap_or_default();
    let plain = first.trim_start_matches('^').replace('\\', "");
    let speech = sent.or_else(|| Speech::of_greeting(plain.as_bytes())).unwrap_or(Speech::Stream);
    let facts = speech.facts();
    let clear = facts.schemes.first().map_or("tcp", |scheme| scheme.name);
    let scheme = if module.is_tls { facts.tls_scheme() } else { clear };
    let mut push = |line, act| read.steps.push(Step { line, session, act, remark: None });
    push(module.line, Act::Connect { scheme, place: None });
    push(module.line, Act::Step(module.name.clone()));
    let mut owed = Owed { success: Success::default(), speech, asked: None };
    let mut unreadable = Vec::new();
    let mut queries = module.queries.iter().peekable();
    while let Some(query) = queries.next() {
        if let Some(expect) = &query.expect {
            let mut whole = expect.clone();
            // Consecutive regexes match lines of one reply, each a later one. The script takes a
            // reply as a whole, so they become one regex.
            while query.send.is_none()
                && let Some(more) =
                    queries.peek().filter(|more| more.expect.is_some() && speech != Speech::Stream)
            {
                let more_text = more.expect.clone().unwrap_or_default();
                whole = format!("{}.*\\r\\n(?s:.*?){}", grouped(&whole), grouped(&more_text));
                let has_send = more.send.clone();
                let at = more.line;
                queries.next();
                if let Some(send) = has_send {
                    owed.asked = None;
                    expectation(&mut push, &mut unreadable, query.line, &whole);
                    whole.clear();
                    say(&mut push, at, &send, &mut owed);
                    break;
                }
            }
            if !whole.is_empty() {
                owed.asked = None;
                expectation(&mut push, &mut unreadable, query.line, &whole);
            }
        }
        if let Some(send) = &query.send {
            answered(&mut push, query.line, &mut owed);
            say(&mut push, query.line, send, &mut owed);
        }
        if query.starttls {
            answered(&mut push, query.line, &mut owed);
            push(query.line, Act::Handshake);
        }
    }
    answered(&mut push, module.line, &mut owed);
    read.unread.extend(unreadable);
}

/// Adds an expectation that searches the next reply for a regex. Lines that are sent later can use
/// the groups of the regex.
fn expectation(
    push: &mut impl FnMut(usize, Act),
    unreadable: &mut Vec<Unread>,
    line: usize,
    expect: &str,
) {
    // The regex `^+OK` repeats the `^`, and does not match `+OK`. The author meant `^\+OK`.
    let meant = expect.strip_prefix("^+").map(|rest| format!("^\\+{rest}"));
    if meant.is_some() {
        let why = format!("the + of {expect} repeats the ^: the script has ^\\+, which is meant");
        unreadable.push(unread(line, "", &why));
    }
    let found = format!("(?m){}", meant.as_deref().unwrap_or(expect));
    match Pattern::regex(&found) {
        Ok(_) => push(line, Act::Statement(format!("{ANSWER} = $.expect({});", regex(&found)))),
        Err(_) => unreadable.push(unread(line, expect, "its regex is none here")),
    }
}

/// The answer that the server owes to the client's last line.
struct Owed {
    success: Success,
    speech: Speech,
    /// The statement that takes the answer to the last line; `None` if the answer was taken.
    asked: Option<String>,
}

/// Adds a line to send. `${1}` is replaced by the text that the first group of the last regex
/// matched.
fn say(push: &mut impl FnMut(usize, Act), line: usize, send: &str, owed: &mut Owed) {
    let said = send.trim_end_matches(['\r', '\n']);
    owed.asked = owed.success.answer(owed.speech, said).statements;
    let mut parts = Vec::new();
    let mut rest = said;
    while let Some((before, tail)) = rest.split_once("${")
        && let Some((number, tail)) = tail.split_once('}')
    {
        if !before.is_empty() {
            parts.push(quoted(before));
        }
        match number.parse::<u8>() {
            Ok(number) => parts.push(format!("{ANSWER}[{number}]")),
            Err(_) => parts.push(format!("{ANSWER}[{}]", quoted(number))),
        }
        rest = tail;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(quoted(rest));
    }
    push(line, Act::Statement(format!("$.send({});", parts.join(" + "))));
}

/// Adds a statement that takes an answer for which the file has no regex. The answer has to be a
/// success.
fn answered(push: &mut impl FnMut(usize, Act), line: usize, owed: &mut Owed) {
    if let Some(answer) = owed.asked.take() {
        push(line, Act::Statement(answer));
    }
}
