//! Verbs: each sends, expects, and can be written out by hand. A file for each protocol.
//!
//! A verb has one deadline for all of its steps. It ends with the reply that ends what it began,
//! which must be what its protocol calls success, or what the caller said instead by
//! [`Session::expecting`].

mod auth;
pub(super) mod imap;
mod message;
mod pop3;
mod shared;
mod sieve;
mod smtp;
mod starttls;

use bytes::Bytes;

pub use pop3::{Maildrop, Scan, UniqueId};
pub use sieve::Script;

use super::Session;
use super::wait::Wait;
use crate::error::{Error, Result};
use crate::pattern::{IntoPattern, Pattern};
use crate::proto::Speech;
use crate::reply::Reply;

/// The protocols that have the verbs of SMTP.
const SMTP: [Speech; 2] = [Speech::Smtp, Speech::Lmtp];

/// What is wanted of a block.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Kept {
    #[default]
    All,
    /// Nothing but its size.
    Octets,
}

/// A verb under way.
#[derive(Debug)]
struct Verb {
    wait: Wait,
    /// What the reply that ends it must be.
    wanted: Pattern,
    /// Whether the block that comes back is wanted, or its size alone.
    keep: bool,
}

impl Session {
    /// Sets what the next verb must be answered with, in place of what its protocol calls success.
    ///
    /// ```
    /// use mailexpect::{Session, server::Embedded};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&server.smtp()).await?;
    /// session.expect(220).await?;
    /// session.expecting(503).mail("hoge@example.com").await?;
    /// session.quit().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn expecting(&mut self, pattern: impl IntoPattern) -> &mut Self {
        self.expecting = Some(pattern.into_pattern());
        self
    }

    /// Of the block that the next verb fetches, nothing is kept but how many octets it has, however
    /// long it is.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: +OK ready
    ///     C: RETR 1
    ///     S: +OK
    ///     S: Subject: hi
    ///     S:
    ///     S: .
    /// ")?;
    /// let mut session = Session::connect(&server.url("pop3")).await?;
    /// session.expect("+OK").await?;
    /// let message = session.skipping().retr(1).await?;
    /// assert_eq!((message.octets(), message.bytes()), (15, &b""[..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn skipping(&mut self) -> &mut Self {
        self.kept = Kept::Octets;
        self
    }

    /// Begins a verb of these protocols, whose success is `usual`.
    fn verb(&mut self, name: &str, spoken: &[Speech], usual: impl IntoPattern) -> Result<Verb> {
        let wait = self.begin();
        let expecting = self.expecting.take();
        let keep = std::mem::take(&mut self.kept) == Kept::All;
        if self.expecting_each.take().is_some() {
            let error =
                Error::usage(format!("a list of patterns for `{name}`, which has one reply"));
            return Err(error.hint(
                "expect_any([...]) takes alternatives; a list is for `data` and `bdat` over LMTP",
            ));
        }
        let speech = self.protocol.speech();
        if !spoken.contains(&speech) {
            let owners: Vec<_> = spoken.iter().map(ToString::to_string).collect();
            let error = Error::usage(format!(
                "`{name}` is a verb of {}, and this session speaks {speech}",
                owners.join(" and ")
            ));
            let error = error.with_session(format!("{}, {}", self.id, self.peer));
            return Err(error.hint("connect by the scheme of the protocol, or write it out with send(...) and expect(...)"));
        }
        let wanted = expecting.unwrap_or_else(|| usual.into_pattern())?;
        Ok(Verb { wait, wanted: self.pattern(wanted)?, keep })
    }

    /// Sends a line and holds the reply against what the verb wants.
    async fn ask(&mut self, line: impl AsRef<[u8]>, verb: &Verb) -> Result<Reply> {
        self.send_line(line.as_ref(), verb.wait).await?;
        let reply = self.answer(verb).await?;
        self.conclude(reply, verb)
    }

    /// The next whole reply, whatever it says.
    async fn answer(&mut self, verb: &Verb) -> Result<Bytes> {
        self.next_reply(&verb.wanted, verb.wait).await
    }

    /// Holds the reply that ends the verb against what it wants.
    fn conclude(&mut self, reply: Bytes, verb: &Verb) -> Result<Reply> {
        self.hold(reply, &verb.wanted, verb.wait)
    }
}
