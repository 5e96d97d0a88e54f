//! Scripts of Dovecot's `ImapTest`: a header, then groups of commands, each with the status that it
//! ends with and the untagged responses that have to come (`*`), must not (`!`) or may (`?`).

use super::literal::{escaped, text as quoted};
use super::{Act, Read, Step, Unread};

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
                let rest = rest.strip_prefix("* ").unwrap_or(rest);
                let pattern = format!("(?i)^\\* {}", pattern(rest));
                match which {
                    0 => last.required.push(pattern),
                    1 => last.forbidden.push(pattern),
                    _ => last.allowed.push(pattern),
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
        let is_status = ["ok", "no", "bad"].contains(&status.to_ascii_lowercase().as_str());
        if !is_status || command.is_empty() {
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
            status: status.to_ascii_uppercase(),
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
        for command in std::mem::take(&mut self.commands) {
            let lists = [
                ("require", &command.required),
                ("forbid", &command.forbidden),
                ("allow", &command.allowed),
            ];
            let mut options = vec![format!("expect: {}", quoted(&command.status))];
            for (name, patterns) in lists.iter().filter(|(_, patterns)| !patterns.is_empty()) {
                let patterns: Vec<_> =
                    patterns.iter().map(|pattern| super::literal::regex(pattern)).collect();
                options.push(format!("{name}: [{}]", patterns.join(", ")));
            }
            let text = variables(&command.text);
            let statement = format!("$.command({text}, #{{{}}});", options.join(", "));
            self.push(command.line, command.session, Act::Statement(statement));
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

/// A response as a regex: a variable stands for a word.
fn pattern(response: &str) -> String {
    if let Some((before, rest)) = response.split_once("($!unordered ")
        && let Some((inside, behind)) = rest.split_once(')')
        && !inside.contains(['(', '$'])
    {
        let orders = orders(&inside.split_whitespace().map(escaped).collect::<Vec<_>>());
        return format!("{}\\((?:{})\\){}", pattern(before), orders.join("|"), pattern(behind));
    }
    let mut regex = String::new();
    for (n, word) in response.split(' ').enumerate() {
        if n > 0 {
            regex.push(' ');
        }
        let mut rest = word;
        while let Some(at) = rest.find('$') {
            regex.push_str(&escaped(&rest[..at]));
            let tail = &rest[at + 1..];
            let end = tail
                .find(|c: char| !(c.is_ascii_alphanumeric() || "_!=".contains(c)))
                .unwrap_or(tail.len());
            regex.push_str("\\S*");
            rest = &tail[end..];
        }
        regex.push_str(&escaped(rest));
    }
    regex
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

/// A command as an expression: the harness has values for some variables.
fn variables(command: &str) -> String {
    let known = [
        ("$mailbox", "param(\"mailbox\", \"INBOX\")"),
        ("$user", "param(\"user\")"),
        ("$password", "param(\"password\")"),
    ];
    let mut parts = Vec::new();
    let plain = command.replace("${mailbox}", "$mailbox").replace("${user}", "$user");
    let mut rest = plain.as_str();
    while let Some(at) = rest.find('$') {
        let number = rest[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        if number > 0 {
            // A sequence number, as the harness counts them at first.
            parts.push(quoted(&format!("{}{}", &rest[..at], &rest[at + 1..=at + number])));
            rest = &rest[at + 1 + number..];
            continue;
        }
        let found = known.iter().find(|(name, _)| rest[at..].starts_with(name));
        let Some((name, expression)) = found else {
            // One that a response binds has no value before the run.
            let end = rest[at + 1..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let end = end.map_or(rest.len(), |end| at + 1 + end);
            if at > 0 {
                parts.push(quoted(&rest[..at]));
            }
            parts.push(format!("param({})", quoted(&rest[at + 1..end])));
            rest = &rest[end..];
            continue;
        };
        if at > 0 {
            parts.push(quoted(&rest[..at]));
        }
        parts.push((*expression).to_owned());
        rest = &rest[at + name.len()..];
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(quoted(rest));
    }
    parts.join(" + ")
}
