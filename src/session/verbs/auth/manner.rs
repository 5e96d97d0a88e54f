//! How each protocol writes an exchange down: RFC 4422 section 4 leaves that to them.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::error::{Error, Kind, Result};
use crate::pattern::{IntoPattern as _, Pattern};
use crate::proto::{Speech, chomp, sieve};
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
    question: Some("CAPA"),
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

/// RFC 5804 section 2.1: strings are quoted, or literals; of a command there is no longest.
static SIEVE: Manner = Manner {
    service: "sieve",
    command: "AUTHENTICATE",
    challenge: b"",
    success: "OK",
    cancelled: "NO",
    longest: usize::MAX - 2,
    question: Some("CAPABILITY"),
};

impl Manner {
    pub(super) fn of(speech: Speech) -> &'static Self {
        match speech {
            Speech::Pop3 => &POP3,
            Speech::Imap => &IMAP,
            Speech::Sieve => &SIEVE,
            Speech::Smtp | Speech::Lmtp | Speech::Stream => &SMTP,
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
        self.string(
            &response.map_or_else(|| "*".to_owned(), |response| BASE64_STANDARD.encode(response)),
        )
    }

    /// The mechanism's last words, in base64, where they come with success (RFC 5804 section 1.3,
    /// the response code SASL).
    pub(super) fn last_words(&self, reply: &[u8]) -> Option<Vec<u8>> {
        let code = sieve::response_code(reply).filter(|_| self.is_quoted())?;
        let words = code.strip_prefix(b"SASL \"")?.strip_suffix(b"\"")?;
        Some(words.to_vec())
    }

    fn is_quoted(&self) -> bool {
        self.challenge.is_empty()
    }

    /// A string as the protocol writes it. Longer ones than this must not be quoted (RFC 5804
    /// section 4).
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
            let literal = || {
                Some(&reply.strip_prefix(b"{").map(|_| reply)?[memchr::memchr(b'\n', reply)? + 1..])
            };
            return reply
                .strip_prefix(b"\"")
                .and_then(|text| text.strip_suffix(b"\""))
                .or_else(literal);
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
        start.parse::<i64>().map_or_else(
            |_| start.into_pattern(),
            |code| crate::pattern::Code::new(code).map(Into::into),
        )
    }

    /// Whether a reply says that the exchange has succeeded.
    pub(super) fn is_success(&self, reply: &[u8]) -> bool {
        reply.starts_with(self.success.as_bytes())
    }
}

/// A challenge out of its base64.
pub(super) fn decode(challenge: &[u8]) -> Result<Vec<u8>> {
    BASE64_STANDARD.decode(challenge).map_err(|_| {
        Error::new(
            Kind::Malformed,
            "the server's challenge is not base64, so it cannot be answered",
        )
        .with_expected("base64 (RFC 4648, 4), or nothing")
        .with_got(visible::excerpt(challenge, 500))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managesieve_quotes_what_is_short_and_counts_what_is_long() {
        let command = SIEVE.command("PLAIN", Some(b"\0me\0pw"));
        assert_eq!(command, "AUTHENTICATE \"PLAIN\" \"AG1lAHB3\"");
        assert_eq!(
            (SIEVE.response(Some(b"")), SIEVE.response(None)),
            ("\"\"".to_owned(), "\"*\"".to_owned())
        );
        assert!(SIEVE.response(Some(&[b'x'; 900])).starts_with("{1200+}\r\neHh4"));
    }

    #[test]
    fn managesieve_asks_in_strings_and_has_last_words_in_a_code() {
        assert_eq!(SIEVE.challenge(b"\"cmVhbG0=\"\r\n"), Some(&b"cmVhbG0="[..]));
        assert_eq!(SIEVE.challenge(b"{8}\r\ncmVhbG0=\r\n"), Some(&b"cmVhbG0="[..]));
        assert_eq!(SIEVE.challenge(b"OK \"done\"\r\n"), None);
        let last = SIEVE.last_words(b"OK (SASL \"dj1abc==\") \"done\"\r\n");
        assert_eq!(last.as_deref(), Some(&b"dj1abc=="[..]));
        assert_eq!(
            (SIEVE.last_words(b"OK\r\n"), SMTP.last_words(b"OK (SASL \"dj1abc==\")\r\n")),
            (None, None)
        );
    }
}
