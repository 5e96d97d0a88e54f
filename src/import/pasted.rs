//! Sessions that were pasted from a terminal: messages of telnet, prompts of shells, commands,
//! replies and remarks. Nothing in them says whose a line is.

use super::assembler::Assembler;
use super::line::{plain, shell, target, without_far_remark, without_remark};
use super::words::{first_word, speech_of};
use super::{Act, Read};
use crate::proto::Speech;

/// The commands that people type. For other words, a line of several words counts as prose.
const SMTP: [&str; 24] = [
    "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY", "EXPN",
    "HELP", "AUTH", "STARTTLS", "ETRN", "XCLIENT", "XFORWARD", "TURN", "ATRN", "SEND", "SOML",
    "SAML", "XEXCH50",
];
const POP3: [&str; 16] = [
    "USER", "PASS", "APOP", "AUTH", "STAT", "LIST", "RETR", "DELE", "NOOP", "RSET", "TOP", "UIDL",
    "QUIT", "CAPA", "STLS", "UTF8",
];

pub(super) fn read(text: &str) -> Read {
    let mut paste = Paste::default();
    for (n, line) in text.lines().enumerate() {
        paste.line(n + 1, &plain(line));
    }
    paste.finish()
}

#[derive(Default)]
pub(super) struct Paste {
    pub(super) assembler: Assembler,
    /// The line that reported a failed connection, and the state of its port.
    refused: Option<(usize, &'static str)>,
}

impl Paste {
    /// Takes one line.
    pub(super) fn line(&mut self, at: usize, line: &str) {
        if self.assembler.is_in_message() {
            let (text, remark) = without_far_remark(line);
            return self.assembler.client(at, text, remark);
        }
        let trimmed = line.trim();
        if trimmed.is_empty() && self.assembler.is_closing() {
            return self.assembler.client(at, "", None);
        }
        if trimmed.is_empty() {
            // An empty line between commands and replies is layout. Between lines of a block it
            // belongs to the block.
            if self.assembler.is_in_block() {
                self.assembler.server(at, "", None);
            }
            return;
        }
        if self.is_of_the_shell(at, line) || self.is_of_telnet(at, trimmed) {
            return;
        }
        let (text, remark) = without_remark(line);
        let text = text.trim_end();
        if self.assembler.is_of_server(text.trim_start()) {
            return self.assembler.server(at, text.trim_start(), remark);
        }
        if trimmed.starts_with("...")
            || ["(\u{7565})", "(snip)", "<snip>", "[...]", "\u{2026}"].contains(&trimmed)
        {
            return self.assembler.unread(at, line, "something was left out here");
        }
        if !self.assembler.is_open() {
            // Some pastes begin with the first command.
            if self.assembler.read.steps.is_empty()
                && speech_of(text).is_some()
                && is_command(None, text)
            {
                return self.assembler.client(at, text, remark);
            }
            return self.assembler.unread(at, line, "no session is open here");
        }
        if self.assembler.is_challenged()
            || self.assembler.is_in_command()
            || is_command(self.assembler.speech(), text)
        {
            return self.assembler.client(at, text, remark);
        }
        let speech = self.assembler.speech().map_or("mail", |speech| speech.facts().name);
        self.assembler.unread(at, line, &format!("neither a reply nor a command of {speech}"));
    }

    fn is_of_the_shell(&mut self, at: usize, line: &str) -> bool {
        let prompted = shell(line);
        let command = prompted.unwrap_or(line.trim());
        let is_client = ["telnet ", "nc ", "ncat ", "netcat ", "openssl s_client"];
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
            return true;
        }
        if prompted.is_some() && !self.assembler.is_of_server(line.trim()) {
            self.assembler.unread(at, line, "a command of a shell");
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
        if lower.contains("connection closed by foreign host")
            || lower.starts_with("connection to host lost")
            || lower == "closed"
        {
            if self.assembler.is_open() {
                self.assembler.act(at, Act::Closed);
            }
            return true;
        }
        let refused = lower.contains("connection refused");
        let timed_out = lower.contains("connection timed out");
        if (refused || timed_out) && self.assembler.is_silent() {
            // The failure may be that of one address of several.
            self.refused = Some((at, if refused { "closed" } else { "filtered" }));
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
        ];
        says.iter().any(|begins| lower.starts_with(begins)) || lower.ends_with("succeeded!")
    }

    /// If the only results were refusals, replaces the current session by an expectation of the
    /// port's state.
    fn give_up(&mut self) {
        let Some((at, state)) = self.refused.take() else { return };
        if self.assembler.is_open() && self.assembler.is_silent() {
            self.assembler.act(at, Act::Statement(format!("expect_port(@, \"{state}\");")));
            self.assembler.act(at, Act::Close);
        }
    }

    /// All steps that were read.
    pub(super) fn finish(mut self) -> Read {
        self.give_up();
        self.assembler.finish()
    }
}

/// Whether a line that is not the server's is a command, and not prose.
fn is_command(speech: Option<Speech>, line: &str) -> bool {
    let word = first_word(line);
    let words = line.split_whitespace().count();
    let is_plain = line.is_ascii() && !line.starts_with(['*', '#', '-', '=']);
    let known = match speech {
        Some(Speech::Pop3) => POP3.contains(&word.as_str()),
        Some(Speech::Imap) => {
            let second = line.split_whitespace().nth(1);
            let is_verb =
                |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
            let tag = line.split(' ').next().unwrap_or_default();
            return line == "DONE"
                || line == "*"
                || (is_plain
                    && tag.len() <= 12
                    && !tag.ends_with(':')
                    && second.is_some_and(is_verb)
                    && line.split(' ').nth(1) == second);
        }
        Some(Speech::Sieve | Speech::Stream) => return is_plain,
        _ => SMTP.contains(&word.as_str()),
    };
    // One or two unknown words are sent, and the server may refuse them. More words are prose.
    known || (is_plain && words <= 2 && !line.ends_with([':', '.', '!', '?']) && speech.is_some())
}
