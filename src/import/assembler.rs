//! Assembles the lines of both sides into replies and commands.

use super::incoming::Whole;
use super::open::Open;
use super::shell;
use super::success::Success;
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
    /// Whether a client that continues after STARTTLS does so over TLS, even if no line reports the
    /// handshake.
    implies_tls: bool,
    /// The expectations of greetings that the file lacks. Each follows the step of this index.
    greetings: Vec<(usize, Step)>,
}

impl Assembler {
    /// Begins a session. `place` is `None` if the file does not name the server.
    pub(super) fn connect(&mut self, at: usize, place: Option<&shell::Target>) {
        let speech = place.and_then(|place| place.port).and_then(shell::scheme);
        let open = Open {
            speech: speech.and_then(|scheme| crate::target::speech(&format!("{scheme}://"))),
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

    /// Declares that a client that continues after STARTTLS does so over TLS, even if no line
    /// reports the handshake.
    pub(super) fn implies_tls(&mut self) {
        self.implies_tls = true;
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

    /// Whether the server has agreed to end the session.
    pub(super) fn has_ended(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.has_ended)
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

    /// Notes that the connection begins with TLS.
    pub(super) fn begin_with_tls(&mut self) {
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.is_tls = true;
        }
    }

    /// Whether neither side has sent a line in the session yet.
    pub(super) fn is_silent(&self) -> bool {
        self.sessions
            .get(self.current)
            .is_none_or(|open| open.said == 0 && open.incoming.is_empty())
    }

    /// Whether the client is in the middle of a message.
    pub(super) fn is_in_message(&self) -> bool {
        self.sessions.get(self.current).is_some_and(Open::is_in_message)
    }

    /// Whether the next line ends a command after its literal.
    pub(super) fn is_closing(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.sending.is_closing())
    }

    /// Whether the server is in the middle of a multiline block or of a literal.
    pub(super) fn is_in_block(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.incoming.is_in_block())
    }

    /// Whether the next line is part of a client's literal, or the rest of its command.
    pub(super) fn is_in_command(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.sending.is_open())
    }

    /// Whether IDLE of IMAP is in progress, which the client ends with `DONE`.
    pub(super) fn is_idle(&self) -> bool {
        self.sessions.get(self.current).is_some_and(Open::is_idle)
    }

    /// Whether the server waits for a SASL response.
    pub(super) fn is_challenged(&self) -> bool {
        self.sessions.get(self.current).is_some_and(|open| open.challenged)
    }

    /// Whether a line of a paste is the server's. A paste has no marks, so the protocol and the
    /// state of the session decide.
    pub(super) fn is_of_server(&self, line: &str) -> bool {
        let Some(open) = self.sessions.get(self.current) else {
            return Speech::of_greeting(line.as_bytes()).is_some();
        };
        let goes_on = open.speech == Some(Speech::Imap) && !open.incoming.is_empty();
        if open.incoming.is_in_block() || goes_on {
            return true;
        }
        if open.is_in_message() {
            return false;
        }
        match open.speech.map(Speech::facts) {
            Some(facts) if facts.has_codes() => is_smtp_reply(line),
            Some(facts) if facts.has_tags => {
                let (tag, rest) = line.split_once(' ').unwrap_or((line, ""));
                let status = rest.split(' ').next().unwrap_or_default().to_ascii_uppercase();
                let is_status = ["OK", "NO", "BAD"].contains(&status.as_str());
                ["*", "+"].contains(&tag) || (is_status && open.tags.contains(tag))
            }
            Some(facts) if facts.has_literals => {
                line.starts_with(['"', '{']) || facts.statuses.contains(&first_word(line).as_str())
            }
            Some(facts) if !facts.statuses.is_empty() => facts.statuses.iter().any(|status| {
                // The status `+` is not the beginning of `+OK`.
                let rest = line.strip_prefix(status);
                rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
            }),
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
            // the command.
            self.client(at, "", None);
        }
        let open = &mut self.sessions[self.current];
        if open.speech.is_none() {
            let speech = Speech::of_greeting(line.as_bytes());
            let of_smtp = is_smtp_reply(line).then_some(Speech::Smtp);
            let of_imap = line.starts_with("* ").then_some(Speech::Imap);
            open.speech = Some(speech.or(of_smtp).or(of_imap).unwrap_or(Speech::Stream));
        }
        open.hear(line);
        match open.incoming.push(at, line, open.speech.map(Speech::facts)) {
            Some(Whole::Reply) => self.end_reply(remark),
            Some(Whole::Block) => {
                let (began, lines) = open.incoming.take();
                self.push(began, Act::Block(lines), remark);
            }
            None => {}
        }
    }

    fn end_reply(&mut self, remark: Option<&str>) {
        let Some(open) = self.sessions.get_mut(self.current) else { return };
        if open.incoming.is_empty() {
            return;
        }
        let (began, lines) = open.incoming.take();
        open.answered(&lines);
        self.push(began, Act::Reply(lines), remark);
    }

    /// Takes a line of the client.
    pub(super) fn client(&mut self, at: usize, line: &str, remark: Option<&str>) {
        if self.sessions.is_empty() {
            self.connect(at, None);
        }
        self.end_reply(None);
        if self.implies_tls && std::mem::take(&mut self.sessions[self.current].tls_is_due) {
            self.push(at, Act::Handshake, None);
        }
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
            open.tls_is_due &= !matches!(act, Act::Handshake);
        }
        self.push(at, act, None);
    }

    /// Notes a line that stands for lines that were left out, or describes an event. The script
    /// accepts any lines there if a reply or a block is incomplete, or if IMAP responses may have
    /// been left out.
    pub(super) fn gap(&mut self, at: usize, line: &str, why: &str) {
        if let Some(open) = self.sessions.get_mut(self.current) {
            let may_answer = open.speech == Some(Speech::Imap) && !open.unanswered.is_empty();
            open.incoming.leave_out(may_answer && !open.is_in_message());
        }
        self.unread(at, line, why);
    }

    /// Ends the client's message before a reply of the server, if the paste has lost the final dot.
    pub(super) fn end_message(&mut self, at: usize) {
        let is_lost = |open: &Open| open.message && open.unanswered.is_empty();
        if self.sessions.get(self.current).is_some_and(is_lost) {
            self.note(at, "the dot that ends the message is not in the file: the script sends it");
            self.client(at, ".", None);
        }
    }

    /// Removes the last line of the client, because the program took the line as its own command
    /// and did not send it. Returns whether there was such a line.
    pub(super) fn take_back(&mut self, why: &str) -> bool {
        let is_last = self.read.steps.last().is_some_and(|step| {
            step.session == self.current && matches!(step.act, Act::Send { owes: true, .. })
        });
        if !is_last {
            return false;
        }
        if let Some(Step { line, act: Act::Send { line: said, .. }, .. }) = self.read.steps.pop() {
            let said = String::from_utf8_lossy(&said).into_owned();
            self.unread(line, &said, why);
        }
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.unanswered.pop_back();
            open.steps.pop();
            open.said -= 1;
        }
        true
    }

    /// Notes a line that cannot be read.
    pub(super) fn unread(&mut self, line: usize, text: &str, why: &str) {
        self.read.unread.push(Unread { line, text: text.to_owned(), why: why.to_owned() });
    }

    /// Notes that the script has something that the file lacks or has in another form.
    pub(super) fn note(&mut self, line: usize, what: &str) {
        self.unread(line, "", what);
    }

    fn push(&mut self, line: usize, act: Act, remark: Option<&str>) {
        let remark = remark.map(str::to_owned);
        if let Some(open) = self.sessions.get_mut(self.current) {
            open.steps.push(self.read.steps.len());
            open.said += usize::from(matches!(act, Act::Send { .. } | Act::Reply(_) | Act::Raw(_)));
        }
        self.read.steps.push(Step { line, session: self.current, act, remark });
    }

    /// Ends all sessions. Returns all steps, with the scheme and the place of each session.
    pub(super) fn finish(mut self) -> Read {
        for session in 0..self.sessions.len() {
            self.current = session;
            self.end_reply(None);
            self.answer_the_last();
            self.expect_a_greeting();
            let open = &self.sessions[session];
            let port =
                open.place.as_deref().and_then(|place| place.rsplit_once(':')?.1.parse().ok());
            let usual = port.and_then(shell::scheme);
            let scheme = scheme_of(open.speech.unwrap_or(Speech::Stream), open.is_tls, usual);
            let place = open.place.clone();
            if let Some(connect) = open.steps.first() {
                self.read.steps[*connect].act = Act::Connect { scheme, place };
            }
        }
        self.insert_greetings();
        self.read
    }

    /// Puts the greetings into their places, all in one pass: each insertion moves all steps that
    /// follow.
    fn insert_greetings(&mut self) {
        self.greetings.sort_by_key(|(connect, _)| *connect);
        let mut greetings = std::mem::take(&mut self.greetings).into_iter().peekable();
        for (at, step) in std::mem::take(&mut self.read.steps).into_iter().enumerate() {
            self.read.steps.push(step);
            let greeting = greetings.next_if(|(connect, _)| *connect == at);
            self.read.steps.extend(greeting.map(|(_, step)| step));
        }
    }
}

impl Assembler {
    /// Adds an expectation of the greeting if a paste begins with a command, because every mail
    /// server greets first.
    fn expect_a_greeting(&mut self) {
        let session = self.current;
        let Some(speech) = self.speech().filter(|speech| *speech != Speech::Stream) else { return };
        let steps = &self.sessions[session].steps;
        let of_it = || steps.iter().map(|at| &self.read.steps[*at]);
        let asked = of_it().filter(|step| matches!(step.act, Act::Send { owes: true, .. })).count();
        let replies = of_it().filter(|step| matches!(step.act, Act::Reply(_))).count();
        let first = of_it().find_map(|step| match &step.act {
            Act::Reply(lines) => lines.first(),
            _ => None,
        });
        let greets = match (speech, first) {
            (_, None) => true,
            (Speech::Pop3, Some(_)) => replies > asked,
            (Speech::Smtp | Speech::Lmtp, Some(first)) => first.starts_with(b"220"),
            (_, Some(first)) => Speech::of_greeting(first).is_some(),
        };
        let begins = of_it().nth(1).filter(|step| matches!(step.act, Act::Send { .. }));
        if let Some(line) = begins.map(|step| step.line).filter(|_| !greets) {
            self.note(line, "the greeting is not in the file: the script expects one");
            let act = Act::Statement(Success::greeting(speech));
            let connect = self.sessions[session].steps.first().copied().unwrap_or_default();
            self.greetings.push((connect, Step { line, session, act, remark: None }));
        }
    }

    /// Adds expectations of success for the last commands, if the paste ends before their answers.
    fn answer_the_last(&mut self) {
        let speech = self.speech().unwrap_or(Speech::Stream);
        let Some(open) = self.sessions.get(self.current) else { return };
        let of_it = open.steps.iter().rev().map(|at| &self.read.steps[*at]);
        let mut last: Vec<_> = of_it
            .take_while(|step| matches!(step.act, Act::Send { .. }))
            .map(|step| match &step.act {
                Act::Send { line, owes, .. } => {
                    (step.line, String::from_utf8_lossy(line).into_owned(), *owes)
                }
                _ => (step.line, String::new(), false),
            })
            .collect();
        last.reverse();
        let mut success = Success::default();
        for (at, line, owes) in last {
            let answer = success.answer(speech, &line);
            if let Some(statements) = answer.statements.filter(|_| owes) {
                self.note(at, "its answer is not in the file: the script expects success");
                self.push(at, Act::Statement(statements), None);
            }
        }
    }
}

/// The scheme of a session. The usual scheme of the port is taken if its protocol and its TLS match
/// the session. Otherwise, the protocol decides.
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
