//! The `query_response` of `blackbox_exporter`'s TCP prober: regexes that a line has to match,
//! lines to send, and STARTTLS. Of the rest of the file, only `tls: true` is read.

use super::literal::{regex, text as quoted};
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

/// A key and its value, with the indentation of the key. `is_item` means that it begins an item of
/// a list.
struct Entry<'a> {
    indent: usize,
    is_item: bool,
    key: &'a str,
    value: &'a str,
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let trimmed = line.trim_start();
    let (is_item, rest) = match trimmed.strip_prefix("- ") {
        Some(rest) => (true, rest.trim_start()),
        None => (false, trimmed),
    };
    let indent = line.len() - rest.len();
    let (key, value) = rest.split_once(':')?;
    let is_key = !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    is_key.then(|| Entry { indent, is_item, key, value: value.trim() })
}

fn modules(text: &str, read: &mut Read) -> Vec<Module> {
    let mut found: Vec<Module> = Vec::new();
    // The keys above the current line, with their indentation.
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut listing: Option<usize> = None;
    for (n, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed == "---" {
            continue;
        }
        let Some(entry) = entry(line) else {
            if listing.is_some() {
                read.unread.push(unread(n + 1, line, "this form of YAML"));
            }
            continue;
        };
        above.retain(|(indent, _)| *indent < entry.indent);
        if listing.is_some_and(|indent| entry.indent <= indent) {
            listing = None;
        }
        if entry.key == "query_response" {
            // The name of the module stands above, possibly with `tcp` between.
            let name = above.iter().rev().find(|(_, key)| key != "tcp").map(|(_, key)| key.clone());
            let name = name.unwrap_or_else(|| "query_response".to_owned());
            // `tls` may stand before `query_response`, and then the module exists already.
            match found.iter_mut().find(|module| module.name == name) {
                Some(module) => module.line = n + 1,
                None => found.push(Module { line: n + 1, name, ..Module::default() }),
            }
            listing = Some(entry.indent);
        } else if listing.is_some() {
            let Some(module) = found.last_mut() else { continue };
            if entry.is_item {
                module.queries.push(Query { line: n + 1, ..Query::default() });
            }
            let Some(query) = module.queries.last_mut() else { continue };
            match entry.key {
                "expect" => query.expect = Some(scalar(entry.value)),
                "send" => query.send = Some(scalar(entry.value)),
                "starttls" => query.starttls = entry.value == "true",
                _ => read.unread.push(unread(n + 1, line, "nothing that a dialogue has")),
            }
        } else if entry.key == "tls" && entry.value == "true" {
            let name = above.iter().rev().find(|(_, key)| key != "tcp").map(|(_, key)| key.clone());
            if let Some(name) = name {
                match found.iter_mut().find(|module| module.name == name) {
                    Some(module) => module.is_tls = true,
                    None => found.push(Module { name, is_tls: true, ..Module::default() }),
                }
            }
        }
        above.push((entry.indent, entry.key.to_owned()));
    }
    found.retain(|module| !module.queries.is_empty());
    found
}

fn unread(line: usize, text: &str, why: &str) -> Unread {
    Unread { line, text: text.to_owned(), why: why.to_owned() }
}

/// A YAML scalar: in single quotes, in double quotes, or plain.
fn scalar(value: &str) -> String {
    let inside = |quote: char| {
        let rest = value.strip_prefix(quote)?;
        Some(&rest[..rest.rfind(quote)?])
    };
    if let Some(inside) = inside('\'') {
        return inside.replace("''", "'");
    }
    if let Some(inside) = inside('"') {
        let doubled = inside.replace("\\\\", "\u{0}").replace("\\\"", "\"");
        let text = doubled.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t");
        return text.replace('\u{0}', "\\");
    }
    value.split(" #").next().unwrap_or_default().trim_end().to_owned()
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
            // Regexes for the lines of one reply follow each other, so they become one regex.
            while query.send.is_none()
                && let Some(more) =
                    queries.peek().filter(|more| more.expect.is_some() && speech != Speech::Stream)
            {
                let more_text = more.expect.clone().unwrap_or_default();
                whole = format!("{whole}(?s:.*?){more_text}");
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

/// Adds an expectation that finds a regex in the next reply. Its groups can be used in what is
/// sent.
fn expectation(
    push: &mut impl FnMut(usize, Act),
    unreadable: &mut Vec<Unread>,
    line: usize,
    expect: &str,
) {
    let found = format!("(?m){expect}");
    match Pattern::regex(&found) {
        Ok(_) => push(line, Act::Statement(format!("{ANSWER} = $.expect({});", regex(&found)))),
        Err(_) => unreadable.push(unread(line, expect, "its regex is none here")),
    }
}

/// The answers that the server owes, as far as the lines of the client tell.
struct Owed {
    success: Success,
    speech: Speech,
    /// The statement that takes the answer to the last line; `None` if the answer was taken.
    asked: Option<String>,
}

/// Adds a line to send. `${1}` is replaced by what the first group of the last regex found.
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

/// Adds a statement that takes an answer which the file does not read. The answer has to be a
/// success.
fn answered(push: &mut impl FnMut(usize, Act), line: usize, owed: &mut Owed) {
    if let Some(answer) = owed.asked.take() {
        push(line, Act::Statement(answer));
    }
}
