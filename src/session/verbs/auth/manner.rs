//! How each protocol writes an exchange down: RFC 4422 section 4 leaves that to them.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::error::{Error, Kind, Result};
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
    /// How a reply of success begins.
    granted: &'static [u8],
    /// What success is, and what the reply to a cancelled exchange is.
    pub(super) success: i32,
    pub(super) cancelled: i32,
    /// Octets of a command line with its line end, beyond which the first response goes alone.
    pub(super) longest: usize,
}

/// RFC 4954 section 4.
static SMTP: Manner = Manner {
    service: "smtp",
    command: "AUTH",
    challenge: b"334",
    granted: b"2",
    success: 235,
    cancelled: 501,
    longest: 12_288,
};

impl Manner {
    pub(super) fn of(speech: Speech) -> &'static Self {
        match speech {
            Speech::Smtp | Speech::Lmtp | Speech::Sieve | Speech::Imap | Speech::Pop3 | Speech::Stream => &SMTP,
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
        let challenge = chomp(reply).strip_prefix(self.challenge)?;
        Some(challenge.strip_prefix(b" ").unwrap_or(challenge))
    }

    /// Whether a reply says that the exchange has succeeded.
    pub(super) fn is_success(&self, reply: &[u8]) -> bool {
        reply.starts_with(self.granted)
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
