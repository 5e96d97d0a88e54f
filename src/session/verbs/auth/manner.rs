//! How each protocol writes an exchange down: RFC 4422 section 4 leaves that to them.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::error::{Error, Kind, Result};
use crate::pattern::{IntoPattern as _, Pattern};
use crate::proto::{Speech, chomp};
use crate::visible;

/// The manner of a protocol.
#[derive(Debug)]
pub(super) struct Manner {
    /// Its name as a service, as registered for GSSAPI.
    pub(super) service: &'static str,
    /// The command that begins an exchange.
    command: &'static str,
    /// How a challenge begins; in quotes, or as a literal, where that is nothing.
    challenge: &'static [u8],
    /// How the reply to an exchange that succeeded begins, and to one that was cancelled.
    success: &'static str,
    cancelled: &'static str,
    /// Octets of a command line with its line end, beyond which the first response goes alone.
    pub(super) longest: usize,
    /// What asks for the mechanisms, where that can be asked any time.
    pub(super) question: Option<&'static str>,
}

/// RFC 4954 section 4.
static SMTP: Manner = Manner {
    service: "smtp",
    command: "AUTH",
    challenge: b"334",
    success: "235",
    cancelled: "501",
    longest: 12_288,
    question: None,
};

/// RFC 5034 section 4; the length is that of RFC 2449 section 4.
static POP3: Manner = Manner {
    service: "pop",
    command: "AUTH",
    challenge: b"+",
    success: "+OK",
    cancelled: "-ERR",
    longest: 255,
    question: None,
};

/// RFC 3501 section 6.2.2 and RFC 4959, behind the tag; the length is that of RFC 7162 section 4.
static IMAP: Manner = Manner {
    service: "imap",
    command: "AUTHENTICATE",
    challenge: b"+",
    success: "OK",
    cancelled: "BAD",
    longest: 8192,
    question: Some("CAPABILITY"),
};

impl Manner {
    pub(super) fn of(speech: Speech) -> &'static Self {
        match speech {
            Speech::Pop3 => &POP3,
            Speech::Imap => &IMAP,
            Speech::Smtp | Speech::Lmtp | Speech::Sieve | Speech::Stream => &SMTP,
        }
    }

    /// The command that begins an exchange, with the first response or without.
    pub(super) fn command(&self, mechanism: &str, initial: Option<&[u8]>) -> String {
        let mechanism = self.string(mechanism);
        let initial = match initial {
            None => String::new(),
            Some([]) if !self.is_quoted() => " =".to_owned(),
            Some(initial) => format!(" {}", self.response(Some(initial))),
        };
        format!("{} {mechanism}{initial}", self.command)
    }

    /// The line of a response; `None` cancels.
    pub(super) fn response(&self, response: Option<&[u8]>) -> String {
        self.string(&response.map_or_else(|| "*".to_owned(), |response| BASE64_STANDARD.encode(response)))
    }

    fn is_quoted(&self) -> bool {
        self.challenge.is_empty()
    }

    /// A string as the protocol writes it. Longer ones than this must not be quoted (RFC 5804 section 4).
    fn string(&self, text: &str) -> String {
        const LONGEST_QUOTED: usize = 1024;
        match self.is_quoted() {
            false => text.to_owned(),
            true if text.len() <= LONGEST_QUOTED => format!("\"{text}\""),
            true => format!("{{{}+}}\r\n{text}", text.len()),
        }
    }

    /// The challenge in a reply, in base64, where it is one.
    pub(super) fn challenge<'a>(&self, reply: &'a [u8]) -> Option<&'a [u8]> {
        let reply = chomp(reply);
        if self.is_quoted() {
            let literal = || Some(&reply.strip_prefix(b"{").map(|_| reply)?[memchr::memchr(b'\n', reply)? + 1..]);
            return reply.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).or_else(literal);
        }
        match reply.strip_prefix(self.challenge)? {
            [] => Some(&[]),
            [b' ', challenge @ ..] => Some(challenge),
            _ => None,
        }
    }

    /// What the reply that ends an exchange must be.
    pub(super) fn verdict(&self, cancel: bool) -> Result<Pattern> {
        let start = if cancel { self.cancelled } else { self.success };
        start.parse::<i64>().map_or_else(|_| start.into_pattern(), |code| crate::pattern::Code::new(code).map(Into::into))
    }

    /// Whether a reply says that the exchange has succeeded.
    pub(super) fn is_success(&self, reply: &[u8]) -> bool {
        reply.starts_with(self.success.as_bytes())
    }
}

/// A challenge out of its base64.
pub(super) fn decode(challenge: &[u8]) -> Result<Vec<u8>> {
    BASE64_STANDARD.decode(challenge).map_err(|_| {
        Error::new(Kind::Malformed, "the server's challenge is not base64, so it cannot be answered")
            .expected("base64 (RFC 4648, 4), or nothing")
            .got(visible::excerpt(challenge, 500))
    })
}
