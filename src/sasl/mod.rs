//! SASL (RFC 4422), the client's side, with a file for each mechanism. This code does no I/O: it
//! turns messages into messages. The session does base64 and the framing of each protocol.
//!
//! # How to add a mechanism
//!
//! Write a file with a type that implements [`Mechanism`], and add a line to [`MECHANISMS`], the
//! strongest first. Add the server's side to `server.rs`, and what is secret in a response to
//! `secrets/response.rs`, which masks the whole response of a mechanism that it does not know.
//! Tests go through that list: they fail until the server's side refuses a wrong proof, until
//! `secrets` knows the name, and until the reference and `docs/clients.md` have it.

mod anonymous;
mod attributes;
mod bearer;
mod cram_md5;
mod credentials;
mod digest_md5;
mod external;
mod login;
mod nonce;
mod oauthbearer;
mod plain;
mod scram;
mod server;
#[cfg(test)]
mod tests;
mod xoauth2;

use std::fmt;

pub(crate) use cram_md5::apop_digest;
pub use credentials::Credentials;
pub(crate) use nonce::random as random_nonce;
pub(crate) use server::{Exchange, Judge, Move, Password};

use crate::error::{Error, Kind, Result};
use credentials::Hidden;

/// What breaks the rules of a mechanism in a client's message, in words.
pub(crate) type Wrong = &'static str;

/// One exchange, from the client's side.
pub(crate) trait Mechanism: fmt::Debug + Send {
    /// Which side may send the first message.
    fn opening(&self) -> Opening;

    /// The answer to a challenge. If the client sends the first message, the challenge before it is
    /// empty.
    ///
    /// # Errors
    /// Malformed if the challenge cannot be read; unexpected if the challenge shows that the server
    /// is not the one it claims to be.
    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>>;

    /// Whether the exchange is complete, including the server's proof of itself if the mechanism
    /// has one: the server may now report success.
    fn is_done(&self) -> bool;

    /// The server's expected proof of itself, once it is known. It is kept from transcripts,
    /// because anybody who reads it can try passwords against it.
    fn proof(&self) -> Option<&str> {
        None
    }

    /// Accepts any nonce and proof of the server. A recording that is played in place of a server
    /// answers the nonce of the client that was recorded.
    fn believe(&mut self) {}
}

/// Which side may send the first message of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// The client.
    Client,
    /// The server, but the client may also begin without its first challenge.
    Either,
    /// The server.
    Server,
}

/// The service that an exchange is with.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// The service's name as registered for GSSAPI: `smtp`, `imap`, `pop`, `sieve`.
    pub(crate) name: &'static str,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

/// A mechanism that is implemented.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// The kind of credentials for which the mechanism is chosen automatically.
    needs: Needs,
    begin: fn(&Credentials, &Service) -> Result<Box<dyn Mechanism>>,
}

/// The kinds of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Password,
    Token,
    Nothing,
}

/// All implemented mechanisms, the strongest first.
pub(crate) static MECHANISMS: [Known; 10] = [
    Known { name: "SCRAM-SHA-256", needs: Needs::Password, begin: scram::sha_256 },
    Known { name: "SCRAM-SHA-1", needs: Needs::Password, begin: scram::sha_1 },
    Known { name: "DIGEST-MD5", needs: Needs::Password, begin: digest_md5::begin },
    Known { name: "CRAM-MD5", needs: Needs::Password, begin: cram_md5::begin },
    Known { name: "PLAIN", needs: Needs::Password, begin: plain::begin },
    Known { name: "LOGIN", needs: Needs::Password, begin: login::begin },
    Known { name: "OAUTHBEARER", needs: Needs::Token, begin: oauthbearer::begin },
    Known { name: "XOAUTH2", needs: Needs::Token, begin: xoauth2::begin },
    Known { name: "EXTERNAL", needs: Needs::Nothing, begin: external::begin },
    Known { name: "ANONYMOUS", needs: Needs::Nothing, begin: anonymous::begin },
];

/// The mechanisms whose messages have no place for an authorization identity.
const WITHOUT_AUTHZID: [&str; 4] = ["CRAM-MD5", "LOGIN", "XOAUTH2", "ANONYMOUS"];

impl Known {
    /// The mechanism with this name, in any case.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        MECHANISMS.iter().find(|known| known.name.eq_ignore_ascii_case(name))
    }

    /// Whether the name is that of a mechanism without a proof, which therefore has no secret.
    #[cfg(feature = "script")]
    pub(crate) fn takes_no_secret(name: &str) -> bool {
        Self::find(name).is_some_and(|known| known.needs == Needs::Nothing)
    }

    /// Whether the name is probably a misspelt mechanism.
    #[cfg(feature = "script")]
    pub(crate) fn is_near(name: &str) -> bool {
        crate::suggest::nearest(
            &name.to_ascii_uppercase(),
            MECHANISMS.iter().map(|known| known.name),
        )
        .is_some()
    }

    /// The names of all mechanisms.
    pub(crate) fn names() -> Vec<&'static str> {
        MECHANISMS.iter().map(|known| known.name).collect()
    }

    /// The mechanism with this name.
    pub(crate) fn named(name: &str) -> Result<&'static Self> {
        Self::find(name).ok_or_else(|| unknown(name))
    }

    /// The strongest mechanism that the server offers and that these credentials are for.
    pub(crate) fn strongest(
        credentials: &Credentials,
        offered: &[impl AsRef<str>],
    ) -> Result<&'static Self> {
        let enough = |known: &&Self| {
            known.needs == credentials.have() && known.carries_identity_of(credentials)
        };
        let is_offered = |known: &&Self| {
            offered.iter().any(|name| name.as_ref().eq_ignore_ascii_case(known.name))
        };
        MECHANISMS.iter().filter(enough).find(is_offered).ok_or_else(|| {
            let ours: Vec<_> = MECHANISMS.iter().filter(enough).map(|known| known.name).collect();
            let offered: Vec<_> = offered.iter().map(AsRef::as_ref).collect();
            let offered =
                if offered.is_empty() { "none at all".to_owned() } else { offered.join(", ") };
            Error::new(
                Kind::Unexpected,
                "the server offers no mechanism that these credentials can be used with",
            )
            .with_expected(format!("one of {}", ours.join(", ")))
            .with_got(offered)
            .hint("name a mechanism to use it anyway; many servers offer more within TLS")
        })
    }

    /// Whether the mechanism can carry the identity to act for, if there is one.
    fn carries_identity_of(&self, credentials: &Credentials) -> bool {
        credentials.authzid.is_empty() || !WITHOUT_AUTHZID.contains(&self.name)
    }

    /// Begins an exchange.
    ///
    /// # Errors
    /// A usage error if the mechanism cannot say what the credentials ask for.
    pub(crate) fn begin(
        &self,
        credentials: &Credentials,
        service: &Service,
    ) -> Result<Box<dyn Mechanism>> {
        if !self.carries_identity_of(credentials) {
            let error = Error::usage(format!("{} cannot carry an authzid", self.name));
            return Err(error.hint(
                "PLAIN, EXTERNAL, OAUTHBEARER, DIGEST-MD5 and SCRAM carry one; leave authzid out for the others",
            ));
        }
        (self.begin)(credentials, service)
    }
}

fn unknown(name: &str) -> Error {
    let names = Known::names();
    let error = Error::usage(format!(
        "there is no mechanism `{}` here",
        crate::visible::escape(name.as_bytes())
    ));
    #[cfg(feature = "script")]
    if let Some(near) = crate::suggest::nearest(&name.to_ascii_uppercase(), names.iter().copied()) {
        return error.hint(format!("did you mean {near}?"));
    }
    error.hint(format!(
        "there are {}; any other can be written out with send(...) and expect(...)",
        names.join(", ")
    ))
}

/// The error for a challenge that cannot be answered, and what was expected.
fn unreadable(challenge: &[u8], why: impl Into<String>, wanted: &str) -> Error {
    let shown = crate::visible::excerpt(challenge, 500);
    let got = if challenge.is_empty() { "an empty challenge".to_owned() } else { shown };
    Error::new(Kind::Malformed, why).with_expected(wanted).with_got(got)
}

/// The error for a challenge after the last one.
fn overdue(challenge: &[u8], name: &str) -> Error {
    unreadable(
        challenge,
        format!("the server continues to ask after the end of {name}"),
        "the server's verdict",
    )
}
