//! Assembles the lines of both sides into replies and commands.

use super::line;
use super::open::Open;
use super::words::{first_word, is_smtp_reply, speech_of};
use super::{Act, Read, Step, Unread};
use crate::proto::Speech;

/// Assembles lines into steps of a script.
#[derive(Default)]
pub(super) struct Assembler {
    pub(super) read: Read,
    sessions: Vec<Open>,
    /// The index of the session to which the next lines belong.
    current: usize,
}

impl Assembler {
    /// Begins a session. The place is `None` if it is not known.
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

    /// Switches to another session.
    pub(super) fn go_on_with(&mut self, session: usize) {
        if session < self.sessions.len() {
            self.current = session;
        }
    }

    /// Whether the current session is open.
    pub(super) fn is_open(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| !open.is_over)
    }

    pub(super) fn speech(&self) -> Option<Speech> {
        self.sessions.get(self.current)?.speech
    }

    /// Sets the protocol of the current session.
    pub(super) fn speak(&mut self, speech: Speech) {
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.speech = Some(speech);
        }
    }

    /// Sets the host of the current session, if it is not known yet.
    pub(super) fn lead_to(&mut self, host: &str) {
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.place.get_or_insert_with(|| host.to_owned());
        }
    }

    /// Notes that TLS begins before anything is said.
    pub(super) fn begin_with_tls(&mut self) {
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.is_tls = true;
        }
    }

    /// Whether nothing was said in the session yet.
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
        self.sessions.get(self.current).is_some_and(Open::is_in_message)
    }

    /// Whether the next line ends a command after its literal.
    pub(super) fn is_closing(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.is_closing && !open.go_ahead)
    }

    /// Whether the server is in the middle of a multiline block or of a literal.
    pub(super) fn is_in_block(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.block || open.literal > 0)
    }

    /// Whether the next line is part of a client's literal, or the rest of its command.
    pub(super) fn is_in_command(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.is_closing || open.sending > 0)
    }

    /// Whether the server waits for a SASL response.
    pub(super) fn is_challenged(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.challenged)
    }

    /// Whether a line of a paste is the server's. Nothing in a paste says whose a line is.
    pub(super) fn is_of_server(&self, line: &str) -> bool {
        let Some(open) = self.sessions.get(self.current) else {
            return Speech::of_greeting(line.as_bytes()).is_some();
        };
        if open.block || open.literal > 0 {
            return true;
        }
        if open.is_in_message() {
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
            _ => Speech::of_greeting(line.as_bytes()).is_some(),
        }
    }

    /// Takes a line of the server.
    pub(super) fn server(&mut self, at: usize, line: &str, remark: Option<&str>) {
        if self.sessions.is_empty() {
            self.connect(at, None);
        }
        if self.is_closing() && !line.starts_with('*') {
            // The server has answered the command, so the paste has lost the empty line that ended
            // it.
            self.client(at, "", None);
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

    /// Takes a line of the client.
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

    /// Takes a step that is not a line, such as the end of the connection.
    pub(super) fn act(&mut self, at: usize, act: Act) {
        self.end_reply(None);
        let is_over = matches!(act, Act::Closed | Act::Close);
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.is_over |= is_over;
        }
        self.push(at, act, None);
    }

    /// Notes a line that cannot be read.
    pub(super) fn unread(&mut self, line: usize, text: &str, why: &str) {
        self.read.unread.push(Unread { line, text: text.to_owned(), why: why.to_owned() });
    }

    fn push(&mut self, line: usize, act: Act, remark: Option<&str>) {
        let remark = remark.map(str::to_owned);
        self.read.steps.push(Step { line, session: self.current, act, remark });
    }

    /// All steps that were read, with the scheme and the place of each session.
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

/// The scheme of a session: that of the port if its protocol and TLS fit, else the protocol's own.
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
