//! Servers to talk to: small ones for which nothing has to be installed, and real ones as fixtures
//! of tests.
//!
//! [`Embedded`] is one that behaves well: SMTP (RFC 5321) on one port, submission (RFC 6409) on two
//! others, in clear and with TLS from the start, mail kept in memory.
//!
//! # Layout
//!
//! ```text
//! embedded      listens on a thread of its own; options and life cycle
//! connection    the bytes of one connection, in and out; the only other async part
//! conversation  bytes in, replies out: puts the parts below together
//! input         where a command line ends, where a message ends
//! dialogue      the state machine: a command line in, an answer out
//! verb          the names of commands
//! path          the arguments of MAIL and RCPT
//! auth          PLAIN, LOGIN, CRAM-MD5 and SCRAM-SHA-256
//! authority     the throw-away CA for TLS, made when first asked for
//! answer        a reply, and what the connection does behind it
//! mail          accepted mail, in memory
//! date          the date of a Received field
//! recorder      what goes into the transcript, secrets masked
//! ```
//!
//! [`Server`] is a real one, started as a process for the length of a test: `spawn/`.
//!
//! [`Replay`] is one that plays a dialogue which is written down, for examples and tests.

mod answer;
mod auth;
mod authority;
mod connection;
mod conversation;
mod date;
mod dialogue;
mod embedded;
mod input;
mod mail;
mod path;
mod recorder;
mod replay;
mod spawn;
#[cfg(test)]
mod tests;
mod verb;

pub use embedded::{Embedded, Options};
pub use mail::Mail;
pub use replay::{Departure, Replay};
#[cfg(feature = "script")]
pub(crate) use spawn::Ports;
pub use spawn::{Server, Spawn};
