//! Reads scripts of Exim's test suite.
//!
//! A client begins with `client HOST PORT`. The lines to send follow, with `??? prefix` (the
//! beginning of a line that the server has to send), `????` (lines that may come), `???*` (the
//! server closes), `>>> raw` (bytes to send) and `+++ seconds` (a pause, which is not imported).
//! `****` ends the client.
//!
//! A server begins with `server PORT COUNT`. The lines that it sends begin with a digit or `>`. `.`
//! takes lines up to a dot, and `*eof` waits until the client closes. Each other line is the
//! beginning of a line that the client has to send.

use super::lines::Lines;
use super::literal::escaped;
use super::words::speech_of;
use super::{Act, Read, Step, Unread, role, shell};
use crate::proto::Speech;

/// Whether a line starts a client.
pub(super) fn is_command(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let word = words.next().unwrap_or_default();
    let port = words.next_back().unwrap_or_default();
    let is_port = port.starts_with("PORT_") || port.parse::<u16>().is_ok();
    (word == "client" || word.starts_with("client-")) && (is_port || line.contains(" PORT_"))
}

/// Whether a line starts a server.
pub(super) fn is_server(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_place =
        |word: &str| word.starts_with("PORT_") || word.parse::<u16>().is_ok() || word.contains('/');
    words.next() == Some("server") && words.next_back().is_some_and(is_place)
}

pub(super) fn read(text: &str) -> Read {
    // If no line begins a client or a server, all lines of the file belong to a client.
    let is_client = !text.lines().any(|line| is_command(line) || is_server(line));
    let mut script = Script { is_client, ..Script::default() };
    for (n, line) in text.lines().enumerate() {
        script.line(n + 1, line);
    }
    script.flush();
    script.read
}

/// A server. Its clients connect one after another.
struct Server {
    listener: usize,
    /// How many clients have not connected yet.
    clients: usize,
    /// Whether a client is connected.
    has_client: bool,
}

/// What the server expects next from the client of a script.
#[derive(Default, PartialEq, Eq)]
enum Takes {
    #[default]
    Command,
    Message,
    /// A SASL response.
    Response,
}

#[derive(Default)]
struct Script {
    read: Read,
    sessions: usize,
    is_client: bool,
    server: Option<Server>,
    listeners: usize,
    lines: Lines,
    takes: Takes,
    /// Whether the client has sent STARTTLS, and the file has not expected the answer yet.
    is_securing: bool,
}

impl Script {
    fn line(&mut self, at: usize, line: &str) {
        if is_command(line) {
            self.is_client = true;
            return self.connect(at, line);
        }
        if is_server(line) && !self.is_client {
            self.flush();
            return self.listen(at, line);
        }
        if line == "****" {
            self.flush();
            self.secure(at);
            if self.server.take().is_some() {
                return;
            }
            self.is_client = false;
            return;
        }
        if self.server.is_some() {
            return self.serve(at, line);
        }
        if !self.is_client {
            let is_comment = line.trim().is_empty() || line.starts_with('#');
            if !is_comment {
                self.unread(at, line, "no part of a client's script");
            }
            return;
        }
        if self.sessions == 0 {
            self.connect(at, "client");
        }
        self.converse(at, line);
    }

    /// Takes a line of a client.
    fn converse(&mut self, at: usize, line: &str) {
        if !line.starts_with("???") {
            self.secure(at);
        }
        if line == "???*" {
            self.flush();
            self.act(at, Act::Closed);
        } else if let Some(prefix) = line.strip_prefix("????") {
            self.lines.may_have(at, line, &escaped(&expected(prefix.trim_start())));
        } else if let Some(prefix) = line.strip_prefix("???") {
            self.expect(at, line, &expected(prefix.strip_prefix(' ').unwrap_or(prefix)));
        } else if let Some(raw) = line.strip_prefix(">>>") {
            self.flush();
            self.act(at, Act::Raw(unescaped(raw.strip_prefix(' ').unwrap_or(raw))));
        } else if line.starts_with("+++") {
            self.unread(at, line, "there is no waiting for a time to pass");
        } else if line.starts_with("<<<") || line.starts_with("stoptls") {
            self.unread(at, line, "there is no such word in scripts of mailexpect");
        } else if line.eq_ignore_ascii_case("starttls") {
            self.flush();
            self.send(at, line);
            self.is_securing = true;
        } else {
            self.flush();
            self.send(at, line);
        }
    }

    /// Begins TLS after a STARTTLS whose answer the file does not expect.
    fn secure(&mut self, at: usize) {
        if std::mem::take(&mut self.is_securing) {
            self.act(at, Act::Match("\\A(?:220|OK|\\+OK).*\\z".to_owned()));
            self.act(at, Act::Handshake);
        }
    }

    fn listen(&mut self, at: usize, line: &str) {
        let words = line.split_whitespace().skip(1).filter(|word| !word.starts_with('-'));
        let words: Vec<_> = words.collect();
        let is_place = |word: &&&str| word.starts_with("PORT_") || word.contains('/');
        let place = words.iter().position(|word| is_place(&word));
        // If no word looks like a place, the first word is the place. The number after `-t` comes
        // before the place, so it is skipped.
        let skipped = usize::from(line.contains(" -t "));
        let at_place = place.unwrap_or(skipped.min(words.len().saturating_sub(1)));
        let clients = words.get(at_place + 1).and_then(|count| count.parse().ok()).unwrap_or(1);
        let address = words.get(at_place).copied().unwrap_or_default();
        let address = if address.parse::<u16>().is_ok() {
            format!("127.0.0.1:{address}")
        } else {
            address.to_owned()
        };
        let listener = self.listeners;
        self.listeners += 1;
        self.sessions += 1;
        self.act(at, Act::Listen { listener, place: role::place(&address) });
        self.server = Some(Server { listener, clients, has_client: false });
    }

    /// Takes a line of a server.
    fn serve(&mut self, at: usize, line: &str) {
        let Some(server) = &mut self.server else { return };
        if line == "++++" || line.starts_with("*sleep") || line.starts_with(">*sleep") {
            return self.unread(at, line, "there is no waiting for a time to pass");
        }
        if !server.has_client {
            if server.clients == 0 {
                return self.unread(at, line, "no client of this server is left");
            }
            server.has_client = true;
            server.clients -= 1;
            let accept = format!("@{}.accept()", server.listener);
            // The step that listens already has the number of the first client's session.
            let is_first =
                matches!(self.read.steps.last(), Some(Step { act: Act::Listen { .. }, .. }));
            self.sessions += usize::from(!is_first);
            self.act(at, Act::Let(accept));
        }
        let closes = line.starts_with("*eof") || line.starts_with(">*eof");
        if closes && let Some(server) = &mut self.server {
            server.has_client = false;
        }
        let act = match line.strip_prefix('>') {
            Some(rest) if rest.starts_with("*eof") => Act::Statement("$.close();".to_owned()),
            Some(rest) => Act::Raw(said(rest)),
            None if line.starts_with("*eof") => Act::Closed,
            None if line.starts_with('*') => {
                return self.unread(at, line, "there is no such word in scripts of mailexpect");
            }
            None if line == "." => Act::Statement(role::lines_until("\\.$")),
            None if line.starts_with(|first: char| first.is_ascii_digit()) => {
                Act::Raw([&unescaped(line)[..], b"\r\n"].concat())
            }
            None => Act::Statement(role::line_begins(line.strip_prefix('<').unwrap_or(line))),
        };
        self.act(at, act);
    }

    fn connect(&mut self, at: usize, line: &str) {
        self.flush();
        self.takes = Takes::Command;
        let words: Vec<_> =
            line.split_whitespace().skip(1).filter(|word| !word.starts_with('-')).collect();
        let port = words.get(1).and_then(|port| port.parse::<u16>().ok());
        let is_tls = line.contains("-tls-on-connect");
        let scheme = port.and_then(shell::scheme).unwrap_or(if is_tls { "smtps" } else { "smtp" });
        let place = words.first().zip(port).map(|(host, port)| format!("{host}:{port}"));
        self.sessions += 1;
        self.act(at, Act::Connect { scheme, place });
    }

    /// Takes the beginning of a line that the server has to send. The tool reads one line for it.
    fn expect(&mut self, at: usize, line: &str, prefix: &str) {
        let is_ready = ["2", "OK", "+OK"].iter().any(|begins| prefix.starts_with(begins));
        if prefix.starts_with('3') && !prefix.starts_with("334") {
            self.takes = Takes::Message;
        } else if prefix.starts_with("334") || prefix.starts_with("+ ") {
            self.takes = Takes::Response;
        } else if self.takes == Takes::Response {
            self.takes = Takes::Command;
        }
        let goes_on = prefix.as_bytes().get(3) == Some(&b'-');
        if self.lines.is_empty() {
            self.act(at, Act::Statement(role::line_begins(prefix)));
        } else {
            self.lines.must_have(at, line, &escaped(prefix));
        }
        if !goes_on {
            self.flush();
            // Exim's test client begins TLS as soon as it has read the answer.
            if std::mem::take(&mut self.is_securing) && is_ready {
                self.act(at, Act::Handshake);
            }
        }
    }

    fn send(&mut self, at: usize, line: &str) {
        let bytes = unescaped(line);
        // The line that ends a message is answered, and the next lines are commands again.
        let ends_message = line == "." || bytes.windows(5).any(|five| five == b"\r\n.\r\n");
        let owes = self.takes != Takes::Message || ends_message;
        let responds = self.takes == Takes::Response && line != "*" && !line.is_empty();
        if self.takes == Takes::Response || ends_message {
            self.takes = Takes::Command;
        }
        let is_imap = speech_of(line) == Some(Speech::Imap);
        let secret =
            if responds { Some(0..line.len()) } else { super::words::secret(line, is_imap) };
        let secret = secret.filter(|_| bytes == line.as_bytes());
        self.act(at, Act::Send { line: bytes, secret, owes });
    }

    fn flush(&mut self) {
        match self.lines.take() {
            Ok(None) => {}
            Ok(Some((at, regex))) => self.act(at, Act::Match(regex)),
            Err(lines) => {
                for (at, line) in lines {
                    let why = "a line that may be missing, and no line after it that has to come";
                    self.unread(at, &line, why);
                }
            }
        }
    }

    fn act(&mut self, line: usize, act: Act) {
        let session = self.sessions.saturating_sub(1);
        self.read.steps.push(Step { line, session, act, remark: None });
    }

    fn unread(&mut self, line: usize, text: &str, why: &str) {
        self.read.unread.push(Unread { line, text: text.to_owned(), why: why.to_owned() });
    }
}

/// Returns the bytes that a server sends for a line that began with `>`, without that `>`. A
/// further `>`, `CR>` or `LF>` replaces CRLF as the end of the line.
fn said(rest: &str) -> Vec<u8> {
    let ends = [(">", ""), ("CR>", "\r"), ("LF>", "\n")];
    let found = ends.into_iter().find_map(|(mark, end)| Some((rest.strip_prefix(mark)?, end)));
    let (text, end) = found.unwrap_or((rest, "\r\n"));
    [&unescaped(text.strip_prefix(' ').unwrap_or(text))[..], end.as_bytes()].concat()
}

/// The beginning of a line that the server has to send, or may send.
fn expected(prefix: &str) -> String {
    String::from_utf8_lossy(&unescaped(prefix)).into_owned()
}

/// Replaces the escapes `\r`, `\n` and `\xHH` by bytes.
fn unescaped(text: &str) -> Vec<u8> {
    crate::visible::unescape(text)
}
