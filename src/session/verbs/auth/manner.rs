//! How each protocol writes a SASL exchange, which RFC 4422 section 4 leaves to the protocols.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::error::{Error, Kind, Result};
use crate::pattern::{IntoPattern as _, Pattern};
use crate::proto::{Sasl, Speech, chomp, sieve};
use crate::visible;

/// The SASL facts of a protocol, with methods that write and read its lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner(&'static Sasl);

impl std::ops::Deref for Manner {
    type Target = Sasl;

    fn deref(&self) -> &Sasl {
        self.0
    }
}

impl Manner {
    /// The facts of this protocol.
    pub(super) fn of(speech: Speech) -> Self {
        Self(speech.facts().sasl)
    }

    /// The command that begins an exchange, with or without the initial response.
    pub(super) fn command(self, mechanism: &str, initial: Option<&[u8]>) -> String {
        let mechanism = self.string(mechanism);
        let initial = match initial {
            None => String::new(),
            Some([]) if !self.is_quoted() => " =".to_owned(),
            Some(initial) => format!(" {}", self.response(Some(initial))),
        };
        format!("{} {mechanism}{initial}", self.command)
    }

    /// The line of a response; `None` cancels the exchange.
    pub(super) fn response(self, response: Option<&[u8]>) -> String {
        self.string(
            &response.map_or_else(|| "*".to_owned(), |response| BASE64_STANDARD.encode(response)),
        )
    }

    /// The mechanism's final message in base64, if it comes with success (RFC 5804 section 1.3, the
    /// response code SASL).
    pub(super) fn last_words(self, reply: &[u8]) -> Option<Vec<u8>> {
        let code = sieve::response_code(reply).filter(|_| self.is_quoted())?;
        let words = code.strip_prefix(b"SASL \"")?.strip_suffix(b"\"")?;
        Some(words.to_vec())
    }

    fn is_quoted(self) -> bool {
        self.challenge.is_empty()
    }

    /// A string as the protocol writes it. Strings longer than `sieve::LONGEST_QUOTED` must not be quoted
    /// (RFC 5804 section 4).
    fn string(self, text: &str) -> String {
        match self.is_quoted() {
            false => text.to_owned(),
            true if text.len() <= sieve::LONGEST_QUOTED => format!("\"{text}\""),
            true => format!("{{{}+}}\r\n{text}", text.len()),
        }
    }

    /// The challenge in a reply, in base64; `None` if the reply is no challenge.
    pub(super) fn challenge(self, reply: &[u8]) -> Option<&[u8]> {
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

    /// The pattern that the reply at the end of an exchange must match.
    pub(super) fn verdict(self, cancel: bool) -> Result<Pattern> {
        let verdict = if cancel { self.cancelled } else { self.success };
        verdict.into_pattern()
    }

    /// Whether a reply says that the exchange has succeeded.
    pub(super) fn is_success(self, reply: &[u8]) -> bool {
        self.verdict(false).is_ok_and(|success| success.matches(reply).is_some())
    }
}

/// Decodes a challenge from base64.
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

    fn sieve() -> Manner {
        Manner::of(Speech::Sieve)
    }

    fn smtp() -> Manner {
        Manner::of(Speech::Smtp)
    }

    #[test]
    fn managesieve_quotes_what_is_short_and_counts_what_is_long() {
        let command = sieve().command("PLAIN", Some(b"\0me\0pw"));
        assert_eq!(command, "AUTHENTICATE \"PLAIN\" \"AG1lAHB3\"");
        assert_eq!(
            (sieve().response(Some(b"")), sieve().response(None)),
            ("\"\"".to_owned(), "\"*\"".to_owned())
        );
        assert!(sieve().response(Some(&[b'x'; 900])).starts_with("{1200+}\r\neHh4"));
    }

    #[test]
    fn managesieve_asks_in_strings_and_has_last_words_in_a_code() {
        assert_eq!(sieve().challenge(b"\"cmVhbG0=\"\r\n"), Some(&b"cmVhbG0="[..]));
        assert_eq!(sieve().challenge(b"{8}\r\ncmVhbG0=\r\n"), Some(&b"cmVhbG0="[..]));
        assert_eq!(sieve().challenge(b"OK \"done\"\r\n"), None);
        let last = sieve().last_words(b"OK (SASL \"dj1abc==\") \"done\"\r\n");
        assert_eq!(last.as_deref(), Some(&b"dj1abc=="[..]));
        assert_eq!(
            (sieve().last_words(b"OK\r\n"), smtp().last_words(b"OK (SASL \"dj1abc==\")\r\n")),
            (None, None)
        );
    }
}
