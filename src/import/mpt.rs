//! Reads scripts of the Mail Protocol Tester of Apache James. `C:` sends a line, `S:` is a regex
//! that has to match a whole line, `SUB { }` holds lines in any order, and `SESSION: n` switches to
//! another connection. The suites connect and read the greeting in Java, so the script begins by
//! expecting a greeting.

use super::success::Success;
use super::words::speech_of;
use super::{Act, Read, Step, Unread};
use crate::pattern::Pattern;
use crate::proto::Speech;

/// Whether a text has regexes after `S:`, or one of the words `SUB` and `SESSION`. Examples of RFCs
/// have neither.
pub(super) fn looks_like(text: &str) -> bool {
    let marks = ["\\*", "\\+", "\\[", "\\(", ".*", "\\d"];
    text.lines().any(|line| {
        line.starts_with("SUB {")
            || line.starts_with("SESSION:")
            || (line.starts_with("S: ") && marks.iter().any(|mark| line.contains(mark)))
    })
}

pub(super) fn read(text: &str) -> Read {
    let speech = text
        .lines()
        .filter_map(|line| line.strip_prefix("C: "))
        .find_map(speech_of)
        .unwrap_or(Speech::Imap);
    let mut script = Script {
        read: Read::default(),
        speech,
        sessions: Vec::new(),
        current: 0,
        sub: None,
        pending: None,
        responds: false,
    };
    for (n, line) in text.lines().enumerate() {
        script.line(n + 1, line.trim_end_matches('\r'));
    }
    script.finish()
}

struct Script {
    read: Read,
    speech: Speech,
    /// The name of each session in the file; `None` if the session is over.
    sessions: Vec<Option<String>>,
    current: usize,
    /// The number of the line `SUB {`, and the regexes of its lines, which may come in any order.
    sub: Option<(usize, Vec<String>)>,
    /// The number of the first line of a response, and the regex of the response so far. The
    /// response has a literal or several lines, so more lines may belong to it.
    pending: Option<(usize, String)>,
    /// Whether the client's next line is the literal of a SASL response, and so a secret.
    responds: bool,
}

impl Script {
    fn line(&mut self, at: usize, line: &str) {
        if line.trim().is_empty() || line.starts_with('#') {
            return;
        }
        if let Some(name) = line.strip_prefix("SESSION:") {
            self.flush();
            return self.session(at, name.trim());
        }
        if line.trim() == "REINIT" {
            self.flush();
            return self.begin_again(at);
        }
        if line.starts_with("SUB") && line.trim_end().ends_with('{') {
            self.flush();
            self.sub = Some((at, Vec::new()));
            return;
        }
        if line.trim() == "}" {
            self.flush();
            if let Some((began, patterns)) = self.sub.take() {
                self.act(began, Act::Unordered(patterns));
            }
            return;
        }
        match (line.strip_prefix("C:"), line.strip_prefix("S:")) {
            (Some(said), _) => {
                self.flush();
                let said = said.strip_prefix(' ').unwrap_or(said);
                let responds = std::mem::take(&mut self.responds);
                let secret = super::words::secret(said, self.speech == Speech::Imap);
                let secret = if responds { Some(0..said.len()) } else { secret };
                self.responds = super::words::sends_response(said);
                let bytes = said.as_bytes().to_vec();
                self.act(at, Act::Send { line: bytes, secret, owes: false });
            }
            (_, Some(said)) => self.expect(at, said.strip_prefix(' ').unwrap_or(said), line),
            _ => self.unread(at, line, "there is no such word in scripts of mailexpect"),
        }
    }

    /// Takes a regex that has to match a whole line of the server.
    fn expect(&mut self, at: usize, regex: &str, line: &str) {
        // An empty regex is an empty line of a literal.
        if let ("", Some((_, pending))) = (regex, &mut self.pending) {
            return pending.push_str("\\r\\n");
        }
        if let Err(why) = Pattern::regex(regex) {
            let why = format!("its regex is none here: {}", why.message());
            return self.unread(at, line, &why);
        }
        let begins = self.begins_response(regex);
        let goes_on = self.pending.is_some() && !begins;
        if goes_on {
            if let Some((_, pending)) = &mut self.pending {
                pending.push_str("\\r\\n");
                pending.push_str(regex);
            }
            return;
        }
        self.flush();
        let has_literal =
            self.speech == Speech::Imap && regex.ends_with('}') && regex.contains('{');
        if has_literal || self.continues(regex) {
            self.pending = Some((at, regex.to_owned()));
        } else {
            self.whole(at, regex.to_owned());
        }
    }

    /// Whether an SMTP reply goes on after this line.
    fn continues(&self, regex: &str) -> bool {
        let plain = regex.replace('\\', "");
        self.speech == Speech::Smtp && plain.len() > 3 && plain.as_bytes()[3] == b'-'
    }

    /// Whether a line begins a response instead of continuing the response before it.
    fn begins_response(&self, regex: &str) -> bool {
        if self.speech == Speech::Smtp {
            let last = |pending: &(usize, String)| {
                pending.1.rsplit("\\r\\n").next().unwrap_or_default().to_owned()
            };
            return self.pending.as_ref().map(last).is_none_or(|last| !self.continues(&last));
        }
        let mut words = regex.split(' ');
        let tag = words.next().unwrap_or_default();
        let status = words.next().unwrap_or_default();
        ["\\*", "\\+", "*", "+"].contains(&tag) || ["OK", "NO", "BAD"].contains(&status)
    }

    fn whole(&mut self, at: usize, regex: String) {
        // The text of a continuation request is free, and servers differ in it.
        let regex = if regex == "\\+" || regex == "\\+ Ok" { "\\+.*".to_owned() } else { regex };
        match &mut self.sub {
            Some((_, patterns)) => patterns.push(format!("\\A(?:{regex})\\z")),
            None => self.act(at, Act::Match(format!("\\A(?:{regex})\\z"))),
        }
    }

    fn flush(&mut self) {
        if let Some((at, regex)) = self.pending.take() {
            self.whole(at, regex);
        }
    }

    fn session(&mut self, at: usize, name: &str) {
        if let Some(known) = self.sessions.iter().position(|known| known.as_deref() == Some(name)) {
            self.current = known;
            return;
        }
        // Lines before the first `SESSION:` belong to a session without a name.
        self.sessions.push(Some(name.to_owned()));
        self.current = self.sessions.len() - 1;
        self.open(at);
    }

    /// Closes all sessions. A later line opens a new session.
    fn begin_again(&mut self, line: usize) {
        for (session, name) in self.sessions.iter_mut().enumerate() {
            let act = Act::Statement("$.close();".to_owned());
            if name.take().is_some() {
                self.read.steps.push(Step { line, session, act, remark: None });
            }
        }
    }

    fn open(&mut self, line: usize) {
        let scheme = self.speech.facts().schemes.first().map_or("tcp", |scheme| scheme.name);
        let session = self.current;
        let step = |act| Step { line, session, act, remark: None };
        self.read.steps.push(step(Act::Connect { scheme, place: None }));
        let greeting = Success::greeting(self.speech);
        self.read.steps.push(step(Act::Statement(greeting)));
        if self.speech == Speech::Imap {
            // The suites log in in Java before the script. The user is optional, because a script
            // that logs in itself needs none.
            let login = "if param(\"user\", \"\") != \"\" { $.login(param(\"user\", \"\"), param(\"password\", \"\")); }";
            self.read.steps.push(step(Act::Statement(login.to_owned())));
        }
    }

    fn act(&mut self, line: usize, act: Act) {
        if self.sessions.get(self.current).is_none_or(Option::is_none) {
            self.current = self.sessions.len();
            self.sessions.push(Some(String::new()));
            self.open(line);
            // If the file itself expects the greeting first, the statements that `open` has added
            // are removed.
            let greets = matches!(&act, Act::Match(regex) if regex.contains("\\* OK") || regex.contains("220"));
            if greets {
                let current = self.current;
                let is_own =
                    |step: &Step| step.session == current && matches!(step.act, Act::Statement(_));
                self.read.steps.retain(|step| !is_own(step));
            }
        }
        self.read.steps.push(Step { line, session: self.current, act, remark: None });
    }

    fn unread(&mut self, line: usize, text: &str, why: &str) {
        self.read.unread.push(Unread { line, text: text.to_owned(), why: why.to_owned() });
    }

    fn finish(mut self) -> Read {
        self.flush();
        self.read
    }
}
