//! Reads scripts of Dovecot's `ImapTest`: a header, then groups of commands. Each command has the
//! status that ends it, and the untagged responses that have to come (`*`), must not come (`!`) or
//! may come (`?`).

mod bound;
mod parts;
mod response;
mod tree;

use super::literal::{escaped, text as quoted};
use super::{Act, Read, Step, Unread};
use bound::Bound;
use parts::{Command, MESSAGE, Response};

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

pub(super) fn read(text: &str) -> Read {
    let mut script = Script { state: "selected".to_owned(), connections: 1, ..Script::default() };
    let mut in_header =
        text.lines().find(|line| !skip(line)).is_some_and(|line| header(line).is_some());
    for (at, line) in parts::joined(text) {
        let line = line.trim_end();
        if line.starts_with('#') {
            continue;
        }
        if line.is_empty() {
            script.end_group();
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
    /// Whether no other untagged responses may come than those in the file.
    is_all: bool,
    /// The indices of the commands in this group whose status has not been read yet.
    pending: Vec<usize>,
    /// Whether the last command was not read. Its responses are not read either.
    is_skipped: bool,
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
            "ignore_extra_untagged" => self.is_all = !value.starts_with('y'),
            _ => self.unread(at, line, "a header that says nothing to mailexpect"),
        }
    }

    fn body(&mut self, at: usize, line: &str) {
        if self.response(at, line) {
            return;
        }
        if line.starts_with('!') {
            return self.directive(at, line);
        }
        let (number, rest) = match line.split_once(' ') {
            Some((number, rest)) if number.parse::<usize>().is_ok_and(|number| number > 0) => {
                (number.parse().unwrap_or(1), rest)
            }
            _ => (1, line),
        };
        let (status, command) = rest.split_once(' ').unwrap_or((rest, ""));
        if line.contains("{{{") {
            return self.skip(at, line, "a literal that does not end");
        }
        let number: usize = number;
        self.connections = self.connections.max(number);
        let is_status = ["ok", "no", "bad"].contains(&status.to_ascii_lowercase().as_str());
        if is_status && let [pending] = self.pending[..] {
            self.commands[pending].ending = Some(Response { line: at, text: rest.to_owned() });
            return self.pending.clear();
        }
        let pattern = match status.to_ascii_uppercase().as_str() {
            status @ ("OK" | "NO" | "BAD") => quoted(status),
            // The status `""` accepts any status.
            "\"\"" => "any(\"OK\", \"NO\", \"BAD\")".to_owned(),
            _ => String::new(),
        };
        let (pattern, text) = if pattern.is_empty() { (pattern, rest) } else { (pattern, command) };
        if text.is_empty() || !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return self.skip(at, line, "neither a command nor a response");
        }
        if pattern.is_empty() {
            self.pending.push(self.commands.len());
        }
        self.is_skipped = false;
        self.commands.push(Command {
            line: at,
            session: number - 1,
            status: pattern,
            ending: None,
            text: with_message(text),
            pipelined: Vec::new(),
            required: Vec::new(),
            forbidden: Vec::new(),
            allowed: Vec::new(),
            is_ordered: false,
            // The server says goodbye before it closes the connection, whatever the file says.
            is_all: self.is_all && !text.eq_ignore_ascii_case("logout"),
        });
    }

    /// Whether a line is an untagged response. If so, it belongs to the last command.
    fn response(&mut self, at: usize, line: &str) -> bool {
        let marks = ["* ", "! ", "? "];
        let found = marks.into_iter().find_map(|mark| Some((mark, line.strip_prefix(mark)?)));
        let Some((mark, rest)) = found else { return false };
        match self.commands.last_mut() {
            _ if self.is_skipped => self.unread(at, line, "its command is not read"),
            None => self.unread(at, line, "no command comes before it"),
            Some(last) => {
                // In `! * 1 fetch`, the second mark belongs to the response.
                let text = rest.strip_prefix("* ").unwrap_or(rest).to_owned();
                let responses = match mark {
                    "* " => &mut last.required,
                    "! " => &mut last.forbidden,
                    _ => &mut last.allowed,
                };
                responses.push(Response { line: at, text });
            }
        }
        true
    }

    /// Takes a line such as `!ordered`, which concerns the command before it.
    fn directive(&mut self, at: usize, line: &str) {
        match self.commands.last_mut() {
            Some(last) if line == "!ordered" => last.is_ordered = true,
            _ => self.unread(at, line, "there is no such word in scripts of mailexpect"),
        }
    }

    fn skip(&mut self, at: usize, line: &str, why: &str) {
        self.is_skipped = true;
        self.unread(at, line, why);
    }

    /// Ends a group. Its commands with tags are sent at once, so they are joined. Commands without
    /// a status are left out of the script and reported.
    fn end_group(&mut self) {
        if self.joins_tagged() {
            return self.pending.clear();
        }
        for left in std::mem::take(&mut self.pending).into_iter().rev() {
            let command = self.commands.remove(left);
            let why = "no status follows that is its own: commands that are sent at once";
            self.unread(command.line, &command.text, why);
            for response in [command.required, command.forbidden, command.allowed].concat() {
                self.unread(response.line, &response.text, "its command is not read");
            }
        }
    }

    /// Joins commands with tags, such as `tag1 noop`, into one pipelined command, if the group has
    /// the status of each, such as `tag1 ok`. Returns whether the commands were joined.
    fn joins_tagged(&mut self) -> bool {
        let Some(first) = self.pending.first().copied() else { return false };
        let group = &self.commands[first..];
        let status = |text: &str| {
            let (tag, rest) = text.split_once(' ')?;
            let status = rest.split(' ').next()?.to_ascii_lowercase();
            ["ok", "no", "bad"].contains(&status.as_str()).then(|| (tag.to_owned(), escaped(text)))
        };
        let statuses: Vec<_> = group.iter().filter_map(|command| status(&command.text)).collect();
        let of = |command: &Command| {
            let tag = command.text.split(' ').next().unwrap_or_default();
            let (_, status) = statuses.iter().find(|(known, _)| known == tag)?;
            let is_plain = !command.text.contains(parts::OPEN)
                && command.forbidden.is_empty()
                && command.session == group[0].session;
            is_plain.then(|| (command.text.clone(), status.clone()))
        };
        let asked = group.iter().filter(|command| status(&command.text).is_none());
        let Some(pipelined) = asked.map(of).collect::<Option<Vec<_>>>() else { return false };
        if pipelined.len() < 2 || pipelined.len() != statuses.len() {
            return false;
        }
        let required = group.iter().flat_map(|command| command.required.clone()).collect();
        let allowed: Vec<_> = group.iter().flat_map(|command| command.allowed.clone()).collect();
        let is_free = group.iter().any(|command| command.is_ordered || command.is_all);
        let line = group[0].line;
        self.commands.truncate(first + 1);
        let joined = &mut self.commands[first];
        (joined.pipelined, joined.required) = (pipelined, required);
        for response in allowed {
            let why = "it may come, but the commands before it are sent at once";
            self.unread(response.line, &response.text, why);
        }
        if is_free {
            let why = "the commands are sent at once: their responses come in any order, and others before \
                       a status";
            self.unread(line, "", why);
        }
        true
    }

    fn unread(&mut self, line: usize, text: &str, why: &str) {
        let text = parts::shown(text);
        self.read.unread.push(Unread { line, text, why: why.to_owned() });
    }

    fn finish(mut self) -> Read {
        self.end_group();
        if ["created", "appended", "selected"].contains(&self.state.as_str()) {
            let why = "ImapTest makes the mailbox, and its messages, before this; the script takes the mailbox \
                       as it is";
            self.unread(1, "", why);
        }
        for session in 0..self.connections {
            self.open(session);
        }
        let mut bound = Bound::default();
        for command in std::mem::take(&mut self.commands) {
            for statement in bound.statements(&command) {
                self.push(command.line, command.session, Act::Statement(statement));
            }
        }
        for (line, note) in bound.notes {
            self.unread(line, "", &note);
        }
        self.read
    }

    /// Connects, and brings the session into the state in which `ImapTest` begins the script.
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

/// Returns the command. An APPEND without a literal gets the mark for a message of `ImapTest`'s
/// own.
fn with_message(command: &str) -> String {
    let words: Vec<_> = command.split(' ').collect();
    let is_append = words[0].eq_ignore_ascii_case("append");
    if !is_append || command.contains(parts::OPEN) || command.contains(" catenate ") {
        return command.to_owned();
    }
    let mailbox = if words.len() == 1 { " $mailbox" } else { "" };
    format!("{command}{mailbox} {}", parts::literal(MESSAGE))
}
