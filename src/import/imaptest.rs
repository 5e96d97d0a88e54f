//! Scripts of Dovecot's `ImapTest`: a header, then groups of commands, each with the status that it
//! ends with and the untagged responses that have to come (`*`), must not (`!`) or may (`?`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::literal::{escaped, text as quoted};
use super::{ANSWER, Act, Read, Step, Unread};

pub(super) fn looks_like(text: &str) -> bool {
    let header = ["state:", "connections:", "capabilities:", "messages:", "ignore_extra_untagged:"];
    let is_status = |line: &str| {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let is_number = first.parse::<u32>().is_ok();
        let status = if is_number { words.next().unwrap_or_default() } else { first };
        ["ok", "no", "bad"].contains(&status) && words.next().is_some()
    };
    text.lines().any(|line| header.iter().any(|name| line.starts_with(name)))
        || text.lines().filter(|line| is_status(line)).count() > 1
}

/// A command with what has to come for it.
struct Command {
    line: usize,
    session: usize,
    /// The pattern of the status.
    status: String,
    text: String,
    required: Vec<String>,
    forbidden: Vec<String>,
    allowed: Vec<String>,
}

pub(super) fn read(text: &str) -> Read {
    let mut script = Script { state: "selected".to_owned(), connections: 1, ..Script::default() };
    let mut in_header =
        text.lines().find(|line| !skip(line)).is_some_and(|line| header(line).is_some());
    for (n, line) in text.lines().enumerate() {
        let (at, line) = (n + 1, line.trim_end());
        if line.starts_with('#') {
            continue;
        }
        if line.is_empty() {
            in_header = in_header && script.is_empty();
            continue;
        }
        if let Some((name, value)) = header(line).filter(|_| in_header) {
            script.header(at, line, name, value);
        } else {
            in_header = false;
            script.body(at, line);
        }
    }
    script.finish()
}

fn skip(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_name.then(|| (name, value.trim()))
}

#[derive(Default)]
struct Script {
    read: Read,
    state: String,
    connections: usize,
    capabilities: Vec<String>,
    commands: Vec<Command>,
    has_header: bool,
}

impl Script {
    fn is_empty(&self) -> bool {
        !self.has_header
    }

    fn header(&mut self, at: usize, line: &str, name: &str, value: &str) {
        self.has_header = true;
        match name {
            "state" => value.clone_into(&mut self.state),
            "connections" => self.connections = value.parse().unwrap_or(1).clamp(1, 50),
            "capabilities" => {
                self.capabilities = value.split_whitespace().map(str::to_owned).collect();
            }
            // What else is untagged is allowed unless that is forbidden.
            "ignore_extra_untagged" => {}
            _ => self.unread(at, line, "a header that says nothing to mailexpect"),
        }
    }

    fn body(&mut self, at: usize, line: &str) {
        for (mark, which) in [("* ", 0), ("! ", 1), ("? ", 2)] {
            if let Some(rest) = line.strip_prefix(mark) {
                let Some(last) = self.commands.last_mut() else {
                    return self.unread(at, line, "no command stands in front of it");
                };
                // The second mark of `! * 1 fetch` is the response's own.
                let response = rest.strip_prefix("* ").unwrap_or(rest).to_owned();
                match which {
                    0 => last.required.push(response),
                    1 => last.forbidden.push(response),
                    _ => last.allowed.push(response),
                }
                return;
            }
        }
        let (number, rest) = match line.split_once(' ') {
            Some((number, rest)) if number.parse::<usize>().is_ok_and(|number| number > 0) => {
                (number.parse().unwrap_or(1), rest)
            }
            _ => (1, line),
        };
        let (status, command) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = status.to_ascii_uppercase();
        let status = match status.as_str() {
            "OK" | "NO" | "BAD" => quoted(&status),
            // Any will do.
            "\"\"" => "any(\"OK\", \"NO\", \"BAD\")".to_owned(),
            _ => String::new(),
        };
        if status.is_empty() || command.is_empty() {
            return self.unread(at, line, "neither a command nor a response");
        }
        if command.contains("{{{") {
            return self.unread(at, line, "a literal of several lines");
        }
        if command == "append" || command.starts_with("append $mailbox") || command.contains("~{{{")
        {
            return self.unread(at, line, "the message is one of the harness's own");
        }
        if number > self.connections {
            self.connections = number;
        }
        self.commands.push(Command {
            line: at,
            session: number - 1,
            status,
            text: command.to_owned(),
            required: Vec::new(),
            forbidden: Vec::new(),
            allowed: Vec::new(),
        });
    }

    fn unread(&mut self, line: usize, text: &str, why: &str) {
        self.read.unread.push(Unread { line, text: text.to_owned(), why: why.to_owned() });
    }

    fn finish(mut self) -> Read {
        for session in 0..self.connections {
            self.open(session);
        }
        let mut bound = Bound::default();
        for command in std::mem::take(&mut self.commands) {
            for statement in bound.statements(&command) {
                self.push(command.line, command.session, Act::Statement(statement));
            }
        }
        self.read
    }

    /// Connects as the harness does before it begins.
    fn open(&mut self, session: usize) {
        self.push(1, session, Act::Connect { scheme: "imap", place: None });
        self.push(1, session, Act::Statement("$.expect(\"* OK\");".to_owned()));
        if session == 0 {
            for capability in self.capabilities.clone() {
                let capability = quoted(&capability);
                let statement = format!("$.require_capability({capability});");
                self.push(1, session, Act::Statement(statement));
            }
        }
        if self.state != "nonauth" {
            self.push(
                1,
                session,
                Act::Statement("$.login(param(\"user\"), param(\"password\"));".to_owned()),
            );
        }
        if self.state == "selected" || self.state == "appended" {
            self.push(
                1,
                session,
                Act::Statement("$.select(param(\"mailbox\", \"INBOX\"));".to_owned()),
            );
        }
    }

    fn push(&mut self, line: usize, session: usize, act: Act) {
        self.read.steps.push(Step { line, session, act, remark: None });
    }
}

/// A part of a command or a response.
enum Part<'a> {
    Text(&'a str),
    /// A sequence number, as the harness counts them at first.
    Number(&'a str),
    /// `$name` or `${name}`.
    Variable(&'a str),
    /// A directive such as `$!extra`.
    Directive,
}

/// The parts of a line; `$$` is a dollar sign.
fn parts(line: &str) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find('$') {
        found.push(Part::Text(&rest[..at]));
        let tail = &rest[at + 1..];
        let span = |is: fn(char) -> bool| tail.find(|c| !is(c)).unwrap_or(tail.len());
        let (part, end) = match tail.bytes().next() {
            Some(b'{') if in_braces(tail).is_some() => {
                let name = in_braces(tail).unwrap_or_default();
                (Part::Variable(name), name.len() + 2)
            }
            Some(b'!') => {
                (Part::Directive, span(|c| c.is_ascii_alphanumeric() || "_!=".contains(c)))
            }
            Some(first) if first.is_ascii_digit() => {
                let end = span(|c| c.is_ascii_digit());
                (Part::Number(&tail[..end]), end)
            }
            Some(first) if first.is_ascii_alphabetic() || first == b'_' => {
                let end = span(|c| c.is_ascii_alphanumeric() || c == '_');
                (Part::Variable(&tail[..end]), end)
            }
            _ => (Part::Text("$"), usize::from(tail.starts_with('$'))),
        };
        found.push(part);
        rest = &tail[end..];
    }
    found.push(Part::Text(rest));
    found
}

/// The name in `{name}`.
fn in_braces(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}

/// The expression for a variable that the harness has a value for.
fn known(name: &str) -> Option<&'static str> {
    Some(match name {
        "mailbox" => "param(\"mailbox\", \"INBOX\")",
        "user" => "param(\"user\")",
        "password" => "param(\"password\")",
        _ => return None,
    })
}

/// What a variable may stand for: a quoted string, a list, or a word.
const VALUE: &str = r#"(?:"(?:[^"\\]|\\.)*"|\([^()]*\)|[^\s()"\]]+)"#;

/// The variables that responses have given a value, by the names that they have in the script.
#[derive(Default)]
struct Bound(BTreeSet<String>);

impl Bound {
    /// A response as a regex for backticks, and the variables that get a value by it.
    fn pattern(&self, response: &str) -> (String, Vec<String>) {
        let mut binds = Vec::new();
        if let Some((before, rest)) = response.split_once("($!unordered ")
            && let Some((inside, behind)) = rest.split_once(')')
            && !inside.contains(['(', '$'])
        {
            let orders = orders(&inside.split_whitespace().map(escaped).collect::<Vec<_>>());
            let (before, mut binds) = self.pattern(before);
            let (behind, more) = self.pattern(behind);
            binds.extend(more);
            return (format!("{before}\\((?:{})\\){behind}", orders.join("|")), binds);
        }
        let mut regex = String::new();
        for part in parts(response) {
            match part {
                Part::Text(text) => regex.push_str(&escaped(text).replace('`', "\\x60")),
                Part::Number(_) => regex.push_str("\\d+"),
                Part::Directive => regex.push_str("\\S*"),
                Part::Variable(name) if self.0.contains(name) => {
                    let _ = write!(regex, "\"?${{re_escape(v_{name})}}\"?");
                }
                Part::Variable(name)
                    if known(name).is_some() || binds.iter().any(|b| b == name) =>
                {
                    regex.push_str(VALUE);
                }
                Part::Variable(name) => {
                    let _ = write!(regex, "(?P<{name}>{VALUE})");
                    binds.push(name.to_owned());
                }
            }
        }
        (regex, binds)
    }

    /// Responses as a list of regexes.
    fn list(&self, responses: &[String]) -> String {
        let regexes =
            responses.iter().map(|response| format!("re(`(?i)^\\* {}`)", self.pattern(response).0));
        regexes.collect::<Vec<_>>().join(", ")
    }

    /// A command as an expression.
    fn expression(&self, command: &str) -> String {
        let mut expressions: Vec<String> = Vec::new();
        let mut text = String::new();
        for part in parts(command) {
            let expression = match part {
                Part::Text(plain) | Part::Number(plain) => {
                    text.push_str(plain);
                    continue;
                }
                Part::Directive => continue,
                Part::Variable(name) if self.0.contains(name) => format!("v_{name}"),
                Part::Variable(name) => {
                    known(name).map_or_else(|| format!("param({})", quoted(name)), str::to_owned)
                }
            };
            if !text.is_empty() {
                expressions.push(quoted(&std::mem::take(&mut text)));
            }
            expressions.push(expression);
        }
        if !text.is_empty() || expressions.is_empty() {
            expressions.push(quoted(&text));
        }
        expressions.join(" + ")
    }

    /// The statements for a command, and for the variables that its responses bind.
    fn statements(&mut self, command: &Command) -> Vec<String> {
        let lists = [
            ("require", &command.required),
            ("forbid", &command.forbidden),
            ("allow", &command.allowed),
        ];
        let mut options = vec![format!("expect: {}", command.status)];
        for (name, responses) in lists.iter().filter(|(_, responses)| !responses.is_empty()) {
            options.push(format!("{name}: [{}]", self.list(responses)));
        }
        let text = self.expression(&command.text);
        let call = format!("$.command({text}, #{{{}}});", options.join(", "));
        let mut statements = Vec::new();
        let mut new = BTreeSet::new();
        for (n, response) in command.required.iter().enumerate() {
            for name in self.pattern(response).1 {
                let value = format!("{ANSWER}.required[{n}][{}]", quoted(&name));
                // A quoted string is what stands between the quotes.
                let variable =
                    if new.contains(&name) { "same".to_owned() } else { format!("v_{name}") };
                statements.push(format!("let {variable} = {value};"));
                statements.push(format!("{variable}.replace(\"\\\"\", \"\");"));
                if !new.insert(name.clone()) {
                    statements.push(format!("assert_eq(same, v_{name});"));
                }
            }
        }
        self.0.extend(new);
        let call = if statements.is_empty() { call } else { format!("{ANSWER} = {call}") };
        statements.insert(0, call);
        statements
    }
}

/// The words in all orders, up to four of them; more stand in any order and number.
fn orders(words: &[String]) -> Vec<String> {
    if words.len() <= 1 {
        return vec![words.concat()];
    }
    if words.len() > 4 {
        return vec![format!("(?:(?:{})(?: |\\b))*", words.join("|"))];
    }
    let mut all = Vec::new();
    for (n, first) in words.iter().enumerate() {
        let rest = [&words[..n], &words[n + 1..]].concat();
        all.extend(orders(&rest).into_iter().map(|rest| format!("{first} {rest}")));
    }
    all
}
