//! Reads sessions that were pasted from a terminal: messages of telnet, shell prompts, commands,
//! replies and remarks. No mark says who sent a line, so the state of the session decides.

use super::assembler::Assembler;
use super::counted::{self, Item};
use super::layout::Line;
use super::line::{without_far_remark, without_key, without_remark};
use super::prose::{CLOSED_JA, failed, is_command, is_ellipsis};
use super::shell::{here_document, is_prompt, piped, shell, target};
use super::words::{is_reply, is_smtp_reply, speech_of};
use super::{Act, Read};
use crate::proto::Speech;

pub(super) fn read(lines: &[Line]) -> Read {
    let (mut paste, lines) = Paste::of(lines);
    for (at, line) in lines {
        paste.line(at, &line);
    }
    paste.finish()
}

#[derive(Default)]
pub(super) struct Paste {
    pub(super) assembler: Assembler,
    /// The line that reported a failed connection, and the state of the port.
    refused: Option<(usize, &'static str)>,
    /// What follows each line, by the number of the line.
    ahead: Vec<Ahead>,
    /// The indentation of the last command. The lines of a message are indented like their command.
    indent: usize,
    /// The indentation of the last reply. The lines of a block are indented like their reply.
    indent_of_reply: usize,
    /// The word that ends the here-document, if the lines belong to one.
    here: Option<String>,
}

/// What follows a line.
#[derive(Clone, Copy, Default)]
struct Ahead {
    /// Whether a line with only a dot follows, before another message or another connection begins.
    dot: bool,
    /// Whether the next line that is not empty is a reply.
    reply: bool,
}

impl Paste {
    /// Prepares to read these lines. Also returns the lines, in which each literal announces the
    /// size that it has in the file.
    pub(super) fn of(lines: &[Line]) -> (Self, Vec<Line>) {
        let mut ahead = vec![Ahead::default(); lines.last().map_or(0, |(at, _)| at + 1)];
        let mut next = Ahead::default();
        for (at, line) in lines.iter().rev() {
            ahead[*at] = next;
            let line = line.trim();
            let begins = Speech::Smtp.facts().asks_for_message(line.as_bytes())
                || shell(line).and_then(target).is_some();
            next.dot = without_key(without_far_remark(line).0) == "." || (next.dot && !begins);
            next.reply = is_reply(line) || (line.is_empty() && next.reply);
        }
        let mut items: Vec<_> = lines
            .iter()
            .map(|(at, text)| Item { at: *at, text: text.clone(), is_server: None })
            .collect();
        let mut paste = Self { ahead, ..Self::default() };
        for (at, text, why) in counted::recount(&mut items) {
            paste.assembler.note(at, &format!("{text}: {why}"));
        }
        (paste, items.into_iter().map(|item| (item.at, item.text)).collect())
    }

    /// Takes one line.
    pub(super) fn line(&mut self, at: usize, line: &str) {
        if let Some(end) = &self.here {
            if line.trim() == end {
                self.here = None;
                return;
            }
            return self.assembler.client(at, line, None);
        }
        if self.assembler.is_in_message() {
            return self.of_a_message(at, line);
        }
        let trimmed = line.trim();
        if trimmed.is_empty() && self.assembler.is_closing() {
            return self.assembler.client(at, "", None);
        }
        if trimmed.is_empty() {
            // An empty line between commands and replies is layout. An empty line in a block of the
            // server belongs to the block.
            if self.assembler.is_in_block() {
                self.of_a_block(at, line);
            }
            return;
        }
        if is_prompt(trimmed) || self.is_of_the_shell(at, line) || self.is_of_telnet(at, trimmed) {
            return;
        }
        if self.assembler.is_in_block() {
            return self.of_a_block(at, line);
        }
        let (text, remark) = without_remark(line);
        let said = text.trim_start();
        if self.assembler.is_of_server(said.trim_end()) {
            self.indent_of_reply = text.len() - said.len();
            // The blanks before a remark are not the server's.
            let said = if remark.is_some() { said.trim_end() } else { said };
            return self.assembler.server(at, said, remark);
        }
        let text = text.trim_end();
        if is_ellipsis(trimmed) {
            return self.assembler.gap(at, line, "something was left out here");
        }
        let text = without_key(text);
        self.indent = text.len() - text.trim_start().len();
        self.of_the_client(at, line, text.trim_start(), remark);
    }

    /// Takes a line as the client's, unless the line is prose.
    fn of_the_client(&mut self, at: usize, line: &str, text: &str, remark: Option<&str>) {
        let has_reply = self.ahead.get(at).is_some_and(|ahead| ahead.reply);
        if !self.assembler.is_open() {
            // Some pastes begin with the first command, without the line that connects.
            if self.assembler.read.steps.is_empty()
                && speech_of(text).is_some()
                && is_command(speech_of(text), text, has_reply)
            {
                return self.assembler.client(at, text, remark);
            }
            return self.assembler.unread(at, line, "no session is open here");
        }
        if self.assembler.has_ended() {
            return self.assembler.unread(at, line, "the session is over here");
        }
        if self.assembler.is_challenged()
            || self.assembler.is_in_command()
            || is_command(self.assembler.speech(), text, has_reply)
        {
            return self.assembler.client(at, text, remark);
        }
        let speech = self.assembler.speech().map_or("mail", |speech| speech.facts().name);
        self.assembler.unread(at, line, &format!("neither a reply nor a command of {speech}"));
    }

    /// Takes a line of a block or a literal of the server, or the rest of a response after a
    /// literal. The indentation of the reply is removed from the line. Further blanks belong to the
    /// text.
    fn of_a_block(&mut self, at: usize, line: &str) {
        let (text, remark) = without_far_remark(unindented(line, self.indent_of_reply));
        let text = if text.trim_end() == "." { "." } else { text };
        self.assembler.server(at, text, remark);
    }

    /// Takes a line of the client's message. The indentation of the command is removed from the
    /// line.
    fn of_a_message(&mut self, at: usize, line: &str) {
        let has_dot = self.ahead.get(at).is_none_or(|ahead| ahead.dot);
        if !has_dot && is_smtp_reply(line.trim_start()) {
            self.assembler.end_message(at);
            if !self.assembler.is_in_message() {
                return self.line(at, line);
            }
        }
        let (text, remark) = without_far_remark(unindented(line, self.indent));
        self.assembler.client(at, without_key(text), remark);
    }

    fn is_of_the_shell(&mut self, at: usize, line: &str) -> bool {
        let prompted = shell(line);
        let command = prompted.unwrap_or(line.trim());
        if let Some((said, place)) = piped(command) {
            self.give_up();
            self.assembler.connect(at, Some(&place));
            let Some(said) = said else {
                self.assembler.unread(at, line, "what its first command writes is not in the file");
                return true;
            };
            for line in said {
                self.assembler.client(at, &line, None);
            }
            return true;
        }
        let is_client = ["telnet ", "nc ", "ncat ", "netcat ", "openssl s_client", "gnutls-cli "];
        let names_one = is_client.iter().any(|name| command.starts_with(name));
        if (prompted.is_some() || names_one)
            && let Some(place) = target(command)
        {
            let is_udp = command
                .split_whitespace()
                .any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('u'));
            if is_udp && !command.starts_with("openssl") {
                self.assembler.unread(at, line, "a UDP \"connection\" proves nothing");
                return true;
            }
            self.give_up();
            self.assembler.connect(at, Some(&place));
            self.here = here_document(command);
            return true;
        }
        if prompted.is_some() && !self.assembler.is_of_server(line.trim()) {
            self.assembler.unread(at, line, "a command of a shell, or a remark");
            return true;
        }
        false
    }

    /// Whether a line is a message of telnet or nc, or a command at telnet's own prompt.
    fn is_of_telnet(&mut self, at: usize, line: &str) -> bool {
        let lower = line.to_ascii_lowercase();
        let typed = ["telnet> ", "telnet>", "microsoft telnet> ", "microsoft telnet>"];
        let own = typed.iter().find_map(|prompt| lower.strip_prefix(prompt));
        let command = own.map_or(line, |own| line[line.len() - own.len()..].trim());
        let opens =
            ["o ", "open "].iter().any(|word| command.to_ascii_lowercase().starts_with(word));
        if opens
            && (own.is_some() || !self.assembler.is_open())
            && let Some(place) = target(command)
        {
            self.give_up();
            self.assembler.connect(at, Some(&place));
            return true;
        }
        if own.is_some() || lower == "telnet" || lower.starts_with("set local") {
            self.assembler.unread(at, line, "a command of telnet");
            return true;
        }
        self.is_of_an_end(at, line, &lower) || self.is_of_a_beginning(at, &lower)
    }

    /// Whether telnet, nc or gnutls-cli reports the end of a connection, or begins a TLS handshake.
    fn is_of_an_end(&mut self, at: usize, line: &str, lower: &str) -> bool {
        if lower.starts_with("*** starting tls handshake") && self.assembler.is_open() {
            self.assembler.act(at, Act::Handshake);
            return true;
        }
        if line.starts_with("^]") {
            self.assembler.unread(at, line, "the key that leaves the dialogue for telnet");
            return true;
        }
        if lower == "connection closed." {
            // telnet prints this if the user closes the connection.
            if self.assembler.is_open() {
                self.assembler.act(at, Act::Close);
            }
            return true;
        }
        let closed = [
            "connection closed by foreign host",
            "connection to host lost",
            "peer has closed the gnutls connection",
            CLOSED_JA,
        ];
        if closed.iter().any(|says| lower.contains(says)) || lower == "closed" {
            if self.assembler.is_open() {
                self.assembler.act(at, Act::Closed);
            }
            return true;
        }
        false
    }

    /// Whether telnet or nc reports that a connection is being made, or that it failed.
    fn is_of_a_beginning(&mut self, at: usize, lower: &str) -> bool {
        if let Some(state) = failed(lower).filter(|_| self.assembler.is_silent()) {
            if state.is_empty() && self.refused.is_none() {
                let why = "telnet does not say whether the port is closed or filtered: the script \
                           expects it to be closed";
                self.assembler.note(at, why);
            }
            // The failure may concern only one of several addresses, so a later success discards
            // this state.
            let state = if state.is_empty() { "closed" } else { state };
            self.refused = self.refused.or(Some((at, state)));
            return true;
        }
        if let Some(host) = lower.strip_prefix("connected to ") {
            self.refused = None;
            if !self.assembler.is_open() {
                self.assembler.connect(at, None);
            }
            let host = host.split([' ', '(']).next().unwrap_or_default().trim_end_matches('.');
            self.assembler.lead_to(host);
            return true;
        }
        let says = [
            "trying ",
            "escape character is",
            "ncat: connected to",
            "ncat: version",
            "ncat: trying next",
            "connection to ",
            "connecting to ",
            "press any key to continue",
        ];
        says.iter().any(|begins| lower.starts_with(begins)) || lower.ends_with("succeeded!")
    }

    /// If every attempt to connect failed, replaces the current session by an expectation of the
    /// port's state.
    fn give_up(&mut self) {
        let Some((at, state)) = self.refused.take() else { return };
        if self.assembler.is_open() && self.assembler.is_silent() {
            self.assembler.act(at, Act::Statement(format!("expect_port(@, \"{state}\");")));
            self.assembler.act(at, Act::Close);
        }
    }

    /// Ends the paste and returns all steps.
    pub(super) fn finish(mut self) -> Read {
        self.give_up();
        self.assembler.finish()
    }
}

/// Returns a line without its indentation, which has at most so many blanks.
fn unindented(line: &str, most: usize) -> &str {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    &line[blanks.min(most)..]
}
