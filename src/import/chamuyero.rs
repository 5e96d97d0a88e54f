//! Scripts of chasquid's chamuyero: `c tcp_connect host:port`, `c -> line`, `c <- line`,
//! `c <~ regex`, `c <... regex`, where `c` is the name of an endpoint. `c tcp_listen host:port` is
//! a server, and `c = command` is a process whose input and output lines are used.

use std::collections::HashMap;

use super::words::speech_of;
use super::{Act, Read, Step, Unread, role, shell};
use crate::pattern::Pattern;
use crate::proto::Speech;

/// Whether a line belongs to such a script.
pub(super) fn is_line(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_name = words
        .next()
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    is_name
        && words.next().is_some_and(|word| {
            ["tcp_connect", "tls_connect", "tcp_listen", "unix_listen", "<~", "<..."]
                .contains(&word)
        })
}

pub(super) fn read(text: &str) -> Read {
    let mut script = Script::default();
    let mut joined: Option<(usize, String)> = None;
    for (n, line) in text.lines().enumerate() {
        let (at, before) = joined.take().unwrap_or((n + 1, String::new()));
        // A backslash at the end joins the next line, whose indentation becomes one blank.
        let line = if at > n { line.to_owned() } else { format!("{before} {}", line.trim_start()) };
        match line.strip_suffix('\\') {
            Some(part) => joined = Some((at, part.to_owned())),
            None => script.line(at, &line),
        }
    }
    if let Some((at, line)) = joined {
        script.line(at, &line);
    }
    script.finish()
}

/// The kind of an endpoint.
#[derive(Default, PartialEq, Eq)]
enum Role {
    #[default]
    Client,
    /// A server that waits for its client. Holds the number of the listener.
    Listening(usize),
    /// A server that has accepted its client.
    Server,
    /// A command whose input and output lines are used.
    Piped(String),
    /// A command that only runs.
    Started,
}

/// An endpoint.
#[derive(Default)]
struct Endpoint {
    role: Role,
    connect: usize,
    place: String,
    is_tls: bool,
    speech: Option<Speech>,
    message: bool,
    /// Whether the server waits for a SASL response.
    challenged: bool,
}

#[derive(Default)]
struct Script {
    read: Read,
    endpoints: Vec<Endpoint>,
    /// The endpoint that each name belongs to now.
    names: HashMap<String, usize>,
    /// The number of listeners so far.
    listeners: usize,
}

impl Script {
    fn line(&mut self, at: usize, line: &str) {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return;
        }
        let (name, rest) = word_of(trimmed);
        let (word, rest) = word_of(rest);
        let known = self.index(name);
        match (word, known) {
            ("tcp_connect" | "tls_connect", _) => {
                return self.connect(at, name, rest.trim(), word == "tls_connect");
            }
            ("tcp_listen" | "unix_listen", _) => return self.listen(at, name, rest.trim()),
            ("=" | "|=", _) => return self.start(at, name, rest.trim(), word == "="),
            ("sleep", _) => return self.unread(at, line, "there is no waiting for a time to pass"),
            (_, None) => {
                return self.unread(at, line, "nothing of that name was connected or started");
            }
            (_, Some(session)) if self.endpoints[session].role != Role::Client => {
                return self.stream(at, session, (line, word, rest));
            }
            _ => {}
        }
        match word {
            "->" => self.send(at, name, rest),
            ".>" => self.act_of(at, name, Act::Raw(rest.as_bytes().to_vec())),
            "~>" => match python(rest) {
                Some(bytes) => self.act_of(at, name, Act::Raw(bytes)),
                None => self.unread(at, line, "an expression of Python"),
            },
            "<~" | "<..." if Pattern::regex(rest).is_err() => {
                self.unread(at, line, "its regex is none here");
            }
            "<-" | "<~" | "<..." => self.expect(at, name, word, rest),
            "close" => self.act_of(at, name, Act::Statement("$.close();".to_owned())),
            _ => self.unread(at, line, "there is no such word in scripts of mailexpect"),
        }
    }

    fn connect(&mut self, at: usize, name: &str, place: &str, is_tls: bool) {
        let port = place.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let scheme = port.and_then(shell::scheme);
        let speech = scheme.and_then(|scheme| crate::target::speech(&format!("{scheme}://")));
        let place = place.to_owned();
        let session =
            self.endpoint(name, Endpoint { place, is_tls, speech, ..Endpoint::default() });
        self.push(at, session, Act::Connect { scheme: "tcp", place: None });
    }

    fn listen(&mut self, at: usize, name: &str, address: &str) {
        let listener = self.listeners;
        self.listeners += 1;
        let role = Role::Listening(listener);
        let session = self.endpoint(name, Endpoint { role, ..Endpoint::default() });
        self.push(at, session, Act::Listen { listener, place: role::place(address) });
        if role::place(address).is_none() {
            self.unread(
                at,
                &format!("{name} listens on {address}"),
                "a place of its own is listened on; --set listen=URL says which",
            );
        }
    }

    fn start(&mut self, at: usize, name: &str, command: &str, is_read: bool) {
        let role = if is_read { Role::Piped(command.to_owned()) } else { Role::Started };
        let session = self.endpoint(name, Endpoint { role, ..Endpoint::default() });
        let start = if is_read { role::piped(command) } else { role::started(command) };
        self.push(at, session, Act::Let(start));
    }

    /// Adds an endpoint. The name belongs to it from now on.
    fn endpoint(&mut self, name: &str, endpoint: Endpoint) -> usize {
        let session = self.endpoints.len();
        self.names.insert(name.to_owned(), session);
        self.endpoints.push(Endpoint { connect: self.read.steps.len(), ..endpoint });
        session
    }

    /// Takes a line of an endpoint that is not a client.
    fn stream(&mut self, at: usize, session: usize, (line, word, rest): (&str, &str, &str)) {
        let endpoint = &mut self.endpoints[session];
        if let Role::Listening(listener) = endpoint.role {
            endpoint.role = Role::Server;
            self.push(at, session, Act::Let(format!("@{listener}.accept()")));
        }
        let (connect, role) = (self.endpoints[session].connect, &self.endpoints[session].role);
        let end = if *role == Role::Server { "\r\n" } else { "\n" };
        let statement = match (word, role) {
            ("wait", Role::Piped(command)) if !rest.trim().is_empty() => {
                self.read.steps[connect].act = Act::Let(role::piped_with_status(command));
                role::line_is(&format!("exit status: {}", rest.trim())) + "\n$.expect_close();"
            }
            ("wait", Role::Piped(_)) => "$.expect_close();".to_owned(),
            ("wait", Role::Started) if rest.trim().parse::<u8>().is_ok() => {
                format!("$.expect_exit({});", rest.trim())
            }
            (_, Role::Started) => {
                return self.unread(at, line, "nothing is written to or read of that command");
            }
            ("->" | ".>", _) => {
                let end = if word == "->" { end } else { "" };
                return self.push(at, session, Act::Raw(format!("{rest}{end}").into_bytes()));
            }
            ("~>", _) => match python(rest) {
                Some(bytes) => return self.push(at, session, Act::Raw(bytes)),
                None => return self.unread(at, line, "an expression of Python"),
            },
            ("<-", _) => role::line_is(rest),
            ("<~" | "<...", _) if Pattern::regex(rest).is_err() => {
                return self.unread(at, line, "its regex is none here");
            }
            ("<~", _) => role::line_matches(rest),
            ("<...", _) => role::lines_until(rest),
            ("close", _) => "$.close();".to_owned(),
            _ => return self.unread(at, line, "there is no such word in scripts of mailexpect"),
        };
        self.push(at, session, Act::Statement(statement));
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    fn send(&mut self, at: usize, name: &str, text: &str) {
        let Some(session) = self.index(name) else { return };
        let endpoint = &mut self.endpoints[session];
        let said = speech_of(text);
        if endpoint.speech.is_none() || said == Some(Speech::Lmtp) {
            endpoint.speech = said.or(endpoint.speech);
        }
        let is_imap = endpoint.speech == Some(Speech::Imap);
        let owes = !endpoint.message || text == ".";
        endpoint.message &= text != ".";
        let responds = std::mem::take(&mut endpoint.challenged) && text != "*" && !text.is_empty();
        let secret =
            if responds { Some(0..text.len()) } else { super::words::secret(text, is_imap) };
        self.push(at, session, Act::Send { line: text.as_bytes().to_vec(), secret, owes });
    }

    /// Takes lines of a server. The tool reads one line for `<-` and `<~`, and lines up to the first
    /// that matches for `<...`.
    fn expect(&mut self, at: usize, name: &str, word: &str, said: &str) {
        let Some(session) = self.index(name) else { return };
        let endpoint = &mut self.endpoints[session];
        if endpoint.speech.is_none() {
            endpoint.speech = Speech::of_greeting(said.as_bytes());
        }
        endpoint.message |= Speech::Smtp.facts().asks_for_message(said.as_bytes());
        endpoint.challenged =
            said.starts_with("334") || said.starts_with("\\+ ") || said.starts_with("+ ");
        // With a blank after the code, only the last line of a reply can match, so the reply is
        // judged as a whole instead of waiting for such a line until the timeout.
        let ends_reply = endpoint.speech.is_some_and(|speech| speech.facts().has_codes())
            && said.as_bytes().get(3) == Some(&b' ')
            && said.as_bytes()[..3].iter().all(u8::is_ascii_digit);
        let statement = match word {
            "<-" => role::line_is(said),
            "<~" => role::line_matches(said),
            _ if ends_reply => role::reply_with_line(said),
            _ => role::lines_until(said),
        };
        self.push(at, session, Act::Statement(statement));
    }

    fn act_of(&mut self, at: usize, name: &str, act: Act) {
        if let Some(session) = self.index(name) {
            self.push(at, session, act);
        }
    }

    fn push(&mut self, line: usize, session: usize, act: Act) {
        self.read.steps.push(Step { line, session, act, remark: None });
    }

    fn unread(&mut self, line: usize, text: &str, why: &str) {
        self.read.unread.push(Unread { line, text: text.to_owned(), why: why.to_owned() });
    }

    fn finish(mut self) -> Read {
        for session in 0..self.endpoints.len() {
            let endpoint = &self.endpoints[session];
            if endpoint.role != Role::Client {
                continue;
            }
            let facts = endpoint.speech.unwrap_or(Speech::Stream).facts();
            let plain = facts.schemes.first().map_or("tcp", |scheme| scheme.name);
            let scheme = if endpoint.is_tls { facts.tls_scheme() } else { plain };
            let place = Some(endpoint.place.clone());
            self.read.steps[endpoint.connect].act = Act::Connect { scheme, place };
        }
        self.read
    }
}

/// The first word of a line, and the rest after the blanks.
fn word_of(line: &str) -> (&str, &str) {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim_start())
}

/// The bytes of a Python expression: string literals joined by `+`, each perhaps repeated by `*`.
/// `None` for any other expression.
fn python(expression: &str) -> Option<Vec<u8>> {
    let mut rest = expression.trim();
    let mut bytes = Vec::new();
    loop {
        let (text, tail) = quoted(rest)?;
        rest = tail.trim_start();
        let mut times = 1;
        if let Some(tail) = rest.strip_prefix('*') {
            let tail = tail.trim_start();
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            times = tail[..digits].parse::<usize>().ok().filter(|times| *times <= 1 << 20)?;
            rest = tail[digits..].trim_start();
        }
        if text.len().saturating_mul(times) > 16 << 20 {
            return None;
        }
        bytes.extend(text.repeat(times));
        match rest.strip_prefix('+') {
            Some(tail) => rest = tail.trim_start(),
            None => return rest.is_empty().then_some(bytes),
        }
    }
}

/// The string literal at the start of a text, and the rest after it.
fn quoted(text: &str) -> Option<(Vec<u8>, &str)> {
    let text = text.strip_prefix('b').unwrap_or(text);
    let quote = text.chars().next().filter(|quote| "'\"".contains(*quote))?;
    let mut bytes = Vec::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Some((bytes, &text[at + 1..]));
        }
        if character != '\\' {
            bytes.extend(character.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        match characters.next()?.1 {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            'x' => {
                let digits: String = [characters.next()?.1, characters.next()?.1].iter().collect();
                bytes.push(u8::from_str_radix(&digits, 16).ok()?);
            }
            other => bytes.extend(other.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_python_is_its_bytes() {
        assert_eq!(python(r"'xxx\r\n.\r\n'"), Some(b"xxx\r\n.\r\n".to_vec()));
        assert_eq!(python(r#""a" * 3 + '\x00'"#), Some(b"aaa\0".to_vec()));
        assert_eq!(python("'a' * 99999999999"), None);
        assert_eq!(python("open('x')"), None);
    }
}
