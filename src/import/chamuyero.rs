//! Scripts of chasquid's chamuyero: `c tcp_connect host:port`, `c -> line`, `c <- line`,
//! `c <~ regex`, `c <... regex`, each for an endpoint that has a name.

use super::lines::Lines;
use super::literal::escaped;
use super::words::speech_of;
use super::{Act, Read, Step, Unread, line};
use crate::pattern::Pattern;
use crate::proto::Speech;

/// Whether a line is one of such a script.
pub(super) fn is_line(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_name = words
        .next()
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    is_name
        && words
            .next()
            .is_some_and(|word| ["tcp_connect", "tls_connect", "<~", "<..."].contains(&word))
}

pub(super) fn read(text: &str) -> Read {
    let mut script = Script::default();
    let mut joined: Option<(usize, String)> = None;
    for (n, line) in text.lines().enumerate() {
        let (at, before) = joined.take().unwrap_or((n + 1, String::new()));
        let line = format!("{before}{line}");
        // A backslash at the end goes on with the next line.
        match line.strip_suffix('\\') {
            Some(part) => joined = Some((at, part.to_owned())),
            None => script.line(at, &line),
        }
    }
    script.finish()
}

/// An endpoint.
#[derive(Default)]
struct Endpoint {
    name: String,
    connect: usize,
    place: String,
    is_tls: bool,
    speech: Option<Speech>,
    lines: Lines,
    message: bool,
}

#[derive(Default)]
struct Script {
    read: Read,
    endpoints: Vec<Endpoint>,
}

impl Script {
    fn line(&mut self, at: usize, line: &str) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return;
        }
        let mut parts = trimmed.splitn(3, char::is_whitespace);
        let (name, word) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let rest = parts.next().unwrap_or_default();
        match word {
            "tcp_connect" | "tls_connect" => {
                self.connect(at, name, rest.trim(), word == "tls_connect");
            }
            _ if !self.endpoints.iter().any(|endpoint| endpoint.name == name) => {
                self.unread(at, line, "an endpoint that is no connection of a client");
            }
            "->" => self.send(at, name, rest),
            ".>" => self.act_of(at, name, Act::Raw(rest.as_bytes().to_vec())),
            "~>" => match python(rest) {
                Some(bytes) => self.act_of(at, name, Act::Raw(bytes)),
                None => self.unread(at, line, "an expression of Python"),
            },
            "<-" => self.expect(at, name, &format!("{}\\r?$", escaped(rest)), (rest, false)),
            "<~" | "<..." => match Pattern::regex(rest) {
                Ok(_) => self.expect(at, name, rest, (rest, word == "<...")),
                Err(_) => self.unread(at, line, "its regex is none here"),
            },
            "close" => self.act_of(at, name, Act::Close),
            _ => self.unread(at, line, "there is no such word in scripts of mailexpect"),
        }
    }

    fn connect(&mut self, at: usize, name: &str, place: &str, is_tls: bool) {
        let port = place.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let scheme = port.and_then(line::scheme);
        let endpoint = Endpoint {
            name: name.to_owned(),
            connect: self.read.steps.len(),
            place: place.to_owned(),
            is_tls,
            speech: scheme.and_then(|scheme| crate::target::speech(&format!("{scheme}://"))),
            ..Endpoint::default()
        };
        self.endpoints.retain_mut(|known| {
            if known.name == name {
                known.name.clear();
            }
            true
        });
        self.endpoints.push(endpoint);
        let session = self.endpoints.len() - 1;
        self.push(at, session, Act::Connect { scheme: "tcp", place: None });
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.endpoints.iter().position(|endpoint| endpoint.name == name)
    }

    fn send(&mut self, at: usize, name: &str, text: &str) {
        let Some(session) = self.index(name) else { return };
        self.flush(session);
        let endpoint = &mut self.endpoints[session];
        let said = speech_of(text);
        if endpoint.speech.is_none() || said == Some(Speech::Lmtp) {
            endpoint.speech = said.or(endpoint.speech);
        }
        let is_imap = endpoint.speech == Some(Speech::Imap);
        let owes = !endpoint.message || text == ".";
        endpoint.message &= text != ".";
        let secret = super::words::secret(text, is_imap);
        self.push(at, session, Act::Send { line: text.as_bytes().to_vec(), secret, owes });
    }

    fn expect(&mut self, at: usize, name: &str, regex: &str, said: (&str, bool)) {
        let (said, skips) = said;
        let Some(session) = self.index(name) else { return };
        let endpoint = &mut self.endpoints[session];
        if endpoint.speech.is_none() {
            endpoint.speech = Speech::of_greeting(said.as_bytes());
        }
        endpoint.message |= said.starts_with("354");
        let goes_on = said.as_bytes().get(3) == Some(&b'-')
            && said.as_bytes()[..3].iter().all(u8::is_ascii_digit);
        endpoint.lines.push(at, regex, skips, goes_on);
        if !endpoint.lines.goes_on() {
            self.flush(session);
        }
    }

    fn flush(&mut self, session: usize) {
        if let Some((at, regex)) = self.endpoints[session].lines.take() {
            self.push(at, session, Act::Match(regex));
        }
    }

    fn act_of(&mut self, at: usize, name: &str, act: Act) {
        if let Some(session) = self.index(name) {
            self.flush(session);
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
            self.flush(session);
            let endpoint = &self.endpoints[session];
            let facts = endpoint.speech.unwrap_or(Speech::Stream).facts();
            let plain = facts.schemes.first().map_or("tcp", |scheme| scheme.name);
            let scheme = if endpoint.is_tls { facts.tls_scheme() } else { plain };
            let place = Some(endpoint.place.clone());
            self.read.steps[endpoint.connect].act = Act::Connect { scheme, place };
        }
        self.read
    }
}

/// The bytes of an expression that is a text of Python, or several joined by `+`, each perhaps
/// repeated by `*`.
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

/// A text in quotes at the start, and what stands after it.
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
