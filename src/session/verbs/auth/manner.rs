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
    /// How a challenge begins.
    challenge: &'static [u8],
    /// How the reply to an exchange that succeeded begins, and to one that was cancelled.
    success: &'static str,
    cancelled: &'static str,
    /// Octets of a command line with its line end, beyond which the first response goes alone.
    pub(super) longest: usize,
}

/// RFC 4954 section 4.
static SMTP: Manner =
    Manner { service: "smtp", command: "AUTH", challenge: b"334", success: "235", cancelled: "501", longest: 12_288 };

/// RFC 5034 section 4; the length is that of RFC 2449 section 4.
static POP3: Manner =
    Manner { service: "pop", command: "AUTH", challenge: b"+", success: "+OK", cancelled: "-ERR", longest: 255 };

impl Manner {
    pub(super) fn of(speech: Speech) -> &'static Self {
        match speech {
            Speech::Pop3 => &POP3,
            Speech::Smtp | Speech::Lmtp | Speech::Sieve | Speech::Imap | Speech::Stream => &SMTP,
        }
    }

    /// The command that begins an exchange, with the first response or without.
    pub(super) fn command(&self, mechanism: &str, initial: Option<&[u8]>) -> String {
        let command = self.command;
        match initial {
            None => format!("{command} {mechanism}"),
            Some([]) => format!("{command} {mechanism} ="),
            Some(initial) => format!("{command} {mechanism} {}", BASE64_STANDARD.encode(initial)),
        }
    }

    /// The line of a response; `None` cancels.
    pub(super) fn response(response: Option<&[u8]>) -> String {
        response.map_or_else(|| "*".to_owned(), |response| BASE64_STANDARD.encode(response))
    }

    /// The challenge in a reply, in base64, where it is one.
    pub(super) fn challenge<'a>(&self, reply: &'a [u8]) -> Option<&'a [u8]> {
        match chomp(reply).strip_prefix(self.challenge)? {
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
