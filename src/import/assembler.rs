//! Lines of both sides to replies and commands, as the protocol has them.

use std::collections::VecDeque;

use super::line;
use super::words::{first_word, has_block, is_smtp_reply, secret, speech_of};
use super::{Act, Read, Step, Unread};
use crate::proto::Speech;

/// Puts lines together.
#[derive(Default)]
pub(super) struct Assembler {
    pub(super) read: Read,
    sessions: Vec<Open>,
    /// The one that lines belong to.
    current: usize,
}

/// A session as far as it has been read.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a state of its own in some protocol")]
struct Open {
    speech: Option<Speech>,
    /// Where in the steps it connects.
    connect: usize,
    place: Option<String>,
    is_tls: bool,
    /// The lines of a reply that is not whole.
    reply: Vec<Vec<u8>>,
    began: usize,
    /// How many octets of a literal are still to come.
    literal: usize,
    /// Whether lines up to a dot are the server's, and no replies.
    block: bool,
    /// Whether lines up to a dot are the client's, and no commands.
    message: bool,
    /// The commands that were not answered yet; the greeting's is empty.
    unanswered: VecDeque<String>,
    /// The server waits for a response.
    challenged: bool,
    /// How many octets of a literal the client has announced.
    sending: usize,
    tags: Vec<String>,
    is_over: bool,
}

impl Assembler {
    /// A new session, to a place that may be known.
    pub(super) fn connect(&mut self, at: usize, place: Option<&line::Target>) {
        let speech = place.and_then(|place| place.port).and_then(line::scheme);
        let open = Open {
            speech: speech.and_then(|scheme| crate::target::speech(&format!("{scheme}://"))),
            connect: self.read.steps.len(),
            place: place.map(|place| match place.port {
                Some(port) => format!("{}:{port}", place.host),
                None => place.host.clone(),
            }),
            is_tls: place.is_some_and(|place| place.is_tls),
            unanswered: [String::new()].into(),
            ..Open::default()
        };
        self.current = self.sessions.len();
        self.sessions.push(open);
        self.push(at, Act::Connect { scheme: "tcp", place: None }, None);
    }

    /// Goes on with another of the sessions.
    pub(super) fn go_on_with(&mut self, session: usize) {
        if session < self.sessions.len() {
            self.current = session;
        }
    }

    /// Whether a session is open and was not closed.
    pub(super) fn is_open(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| !open.is_over)
    }

    pub(super) fn speech(&self) -> Option<Speech> {
        self.sessions.get(self.current)?.speech
    }

    /// Names the protocol.
    pub(super) fn speak(&mut self, speech: Speech) {
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.speech = Some(speech);
        }
    }

    /// Says where the session leads, if that was not known.
    pub(super) fn lead_to(&mut self, host: &str) {
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.place.get_or_insert_with(|| host.to_owned());
        }
    }

    /// TLS comes before anything is said.
    pub(super) fn begin_with_tls(&mut self) {
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.is_tls = true;
        }
    }

    /// Whether anything was said in the session.
    pub(super) fn is_silent(&self) -> bool {
        let said = |step: &Step| {
            step.session == self.current
                && matches!(step.act, Act::Send { .. } | Act::Reply(_) | Act::Raw(_))
        };
        !self.read.steps.iter().any(said)
            && self.sessions.get(self.current).is_none_or(|open| open.reply.is_empty())
    }

    /// Whether the client is in the middle of a message.
    pub(super) fn is_in_message(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.message || open.sending > 0)
    }

    /// Whether the server waits for a response of SASL.
    pub(super) fn is_challenged(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.challenged)
    }

    /// Whether a line of a paste, in which nothing says whose it is, is the server's.
    pub(super) fn is_of_server(&self, line: &str) -> bool {
        let Some(open) = self.sessions.get(self.current) else {
            return Speech::of_greeting(line.as_bytes()).is_some();
        };
        if open.block || open.literal > 0 {
            return true;
        }
        if open.message || open.sending > 0 {
            return false;
        }
        match open.speech {
            Some(Speech::Smtp | Speech::Lmtp) => is_smtp_reply(line),
            Some(Speech::Pop3) => {
                ["+OK", "-ERR", "+ "].iter().any(|begins| line.starts_with(begins))
            }
            Some(Speech::Imap) => {
                let (tag, rest) = line.split_once(' ').unwrap_or((line, ""));
                let status = rest.split(' ').next().unwrap_or_default().to_ascii_uppercase();
                let is_status = ["OK", "NO", "BAD"].contains(&status.as_str());
                ["*", "+"].contains(&tag)
                    || (is_status && open.tags.iter().any(|known| known == tag))
            }
            Some(Speech::Sieve) => {
                line.starts_with(['"', '{'])
                    || ["OK", "NO", "BYE"].contains(&first_word(line).as_str())
            }
            Some(Speech::Stream) | None => Speech::of_greeting(line.as_bytes()).is_some(),
        }
    }

    /// A line of the server's.
    pub(super) fn server(&mut self, at: usize, line: &str, remark: Option<&str>) {
        if self.sessions.is_empty() {
            self.connect(at, None);
        }
        let bytes = line.as_bytes().to_vec();
        let open = &mut self.sessions[self.current];
        if open.speech.is_none() {
            open.speech = Some(Speech::of_greeting(&bytes).unwrap_or(Speech::Stream));
        }
        if open.reply.is_empty() {
            open.began = at;
        }
        if open.block {
            if line == "." {
                open.block = false;
                let lines = std::mem::take(&mut open.reply);
                let began = open.began;
                return self.push(began, Act::Block(lines), remark);
            }
            open.reply.push(bytes);
            return;
        }
        open.reply.push(bytes);
        if open.is_whole(line) {
            self.end_reply(remark);
        }
    }

    fn end_reply(&mut self, remark: Option<&str>) {
        let Some(open) = self.sessions.get_mut(self.current) else { return };
        if open.reply.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut open.reply);
        open.answered(&lines);
        let began = open.began;
        self.push(began, Act::Reply(lines), remark);
    }

    /// A line of the client's.
    pub(super) fn client(&mut self, at: usize, line: &str, remark: Option<&str>) {
        if self.sessions.is_empty() {
            self.connect(at, None);
        }
        self.end_reply(None);
        let open = &mut self.sessions[self.current];
        if open.speech.is_none() {
            open.speech = speech_of(line);
        }
        let (secret, owes) = open.said(line);
        let line = line.as_bytes().to_vec();
        self.push(at, Act::Send { line, secret, owes }, remark);
    }

    /// Something else.
    pub(super) fn act(&mut self, at: usize, act: Act) {
        self.end_reply(None);
        let is_over = matches!(act, Act::Closed | Act::Close);
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.is_over |= is_over;
        }
        self.push(at, act, None);
    }

    /// A line that cannot be read.
    pub(super) fn unread(&mut self, line: usize, text: &str, why: &str) {
        self.read.unread.push(Unread { line, text: text.to_owned(), why: why.to_owned() });
    }

    fn push(&mut self, line: usize, act: Act, remark: Option<&str>) {
        let remark = remark.map(str::to_owned);
        self.read.steps.push(Step { line, session: self.current, act, remark });
    }

    /// All that was read.
    pub(super) fn finish(mut self) -> Read {
        for session in 0..self.sessions.len() {
            self.current = session;
            self.end_reply(None);
            let open = &self.sessions[session];
            let port =
                open.place.as_deref().and_then(|place| place.rsplit_once(':')?.1.parse().ok());
            let usual = port.and_then(line::scheme);
            let scheme = scheme_of(open.speech.unwrap_or(Speech::Stream), open.is_tls, usual);
            let place = open.place.clone();
            self.read.steps[open.connect].act = Act::Connect { scheme, place };
        }
        self.read
    }
}

/// The scheme of what is spoken; that of the port if both are the same protocol.
fn scheme_of(speech: Speech, is_tls: bool, usual: Option<&'static str>) -> &'static str {
    let fits = |scheme: &&str| {
        crate::target::speech(&format!("{scheme}://")) == Some(speech)
            && scheme.ends_with('s') == is_tls
    };
    match usual.filter(fits) {
        Some(scheme) => scheme,
        None if is_tls => speech.facts().tls_scheme(),
        None => speech.facts().schemes.first().map_or("tcp", |scheme| scheme.name),
    }
}

/// The octets of a literal that a line announces at its end.
fn announced(line: &str) -> Option<(usize, bool)> {
    let inside = line.strip_suffix('}')?.rsplit_once('{')?.1;
    let (number, waits) = match inside.strip_suffix(['+', '-']) {
        Some(number) => (number, false),
        None => (inside, true),
    };
    Some((number.parse().ok()?, waits))
}

impl Open {
    /// Whether the reply ends with the line that came last.
    fn is_whole(&mut self, line: &str) -> bool {
        match self.speech {
            Some(Speech::Smtp | Speech::Lmtp) => line.as_bytes().get(3) != Some(&b'-'),
            Some(Speech::Imap | Speech::Sieve) => {
                if self.literal > 0 {
                    let length = line.len() + 2;
                    if length <= self.literal {
                        self.literal -= length;
                        // The line that goes on after the literal is still to come.
                        return false;
                    }
                    self.literal = 0;
                }
                if let Some((octets, _)) = announced(line) {
                    self.literal = octets;
                    return false;
                }
                self.speech == Some(Speech::Imap)
                    || ["OK", "NO", "BYE"].contains(&first_word(line).as_str())
            }
            _ => true,
        }
    }

    /// What the reply that is whole now means for what comes next.
    fn answered(&mut self, lines: &[Vec<u8>]) {
        let last = lines.last().map(|line| String::from_utf8_lossy(line).into_owned());
        let last = last.unwrap_or_default();
        match self.speech {
            Some(Speech::Smtp | Speech::Lmtp) => {
                self.challenged = last.starts_with("334");
                let command = self.unanswered.pop_front().unwrap_or_default();
                self.message |= last.starts_with("354") && command == "DATA";
                if last.starts_with(['4', '5']) && command == "DATA" && self.unanswered.is_empty() {
                    self.message = false;
                }
            }
            Some(Speech::Pop3) => {
                self.challenged = last.starts_with("+ ");
                if self.challenged {
                    return;
                }
                let command = self.unanswered.pop_front().unwrap_or_default();
                self.block = last.starts_with("+OK") && has_block(&command);
            }
            Some(Speech::Imap) => {
                self.challenged = last.starts_with('+') && self.sending == 0;
                if !last.starts_with(['*', '+']) {
                    self.unanswered.pop_front();
                }
            }
            _ => {}
        }
    }

    /// What a line of the client's means: which part of it is secret, and whether a reply is owed.
    fn said(&mut self, line: &str) -> (Option<std::ops::Range<usize>>, bool) {
        if self.message {
            self.message = line != ".";
            if !self.message {
                self.unanswered.push_back(".".to_owned());
            }
            return (None, !self.message);
        }
        if self.sending > 0 {
            self.sending = self.sending.saturating_sub(line.len() + 2);
            return (None, self.sending == 0 && announced(line).is_none());
        }
        if self.challenged {
            self.challenged = false;
            // What is cancelled holds no secret.
            let secret = (line != "*" && !line.is_empty()).then_some(0..line.len());
            self.unanswered.push_back("AUTH".to_owned());
            return (secret, true);
        }
        let is_imap = self.speech == Some(Speech::Imap);
        if is_imap {
            self.tags.extend(line.split(' ').next().map(str::to_owned));
        }
        if let Some((octets, waits)) =
            announced(line).filter(|_| is_imap || self.speech == Some(Speech::Sieve))
        {
            self.sending = octets;
            if !waits {
                return (None, false);
            }
        }
        let secret = secret(line, is_imap);
        let command = match first_word(line).as_str() {
            // A command with an argument has a reply of one line.
            word @ ("LIST" | "UIDL") if line.split_whitespace().count() > 1 => format!("{word} N"),
            word => word.to_owned(),
        };
        // Message lines that are typed before the server has gone ahead are no commands.
        self.message = command == "DATA" && self.unanswered.len() > 1;
        self.unanswered.push_back(command);
        (secret, true)
    }
}
