//! Servers to talk to: small ones for which nothing has to be installed, and real ones as fixtures
//! of tests.
//!
//! [`Embedded`] is one that behaves well: SMTP, submission, LMTP, IMAP, POP3 and `ManageSieve`, a port
//! each, in clear and with TLS from the start, mail kept in memory.
//!
//! # Layout
//!
//! ```text
//! embedded      what is served; options, and what is asked afterwards
//! host          listens and serves on a thread of its own
//! overridden    a dialogue with rules before it: rules, conduct, spoil, on_demand, question
//! playback/     a recorded dialogue as a server
//! service       a row for each port: its scheme, and the dialogue after it
//! connection    the bytes of one connection, in and out; the only other async part
//! conversation  bytes in, replies out: puts the parts below together
//! input         where a command line ends, where a message ends
//! dialogue      what each protocol does: a line in, an answer out; said
//! smtp/         SMTP, submission and LMTP
//! imap/, pop3, sieve
//! auth          PLAIN, LOGIN, CRAM-MD5 and SCRAM-SHA-256
//! site          what all connections share
//! accounts      users and their passwords
//! mail          accepted mail, in memory
//! store/        mailboxes and Sieve scripts, in memory
//! date          the dates of messages
//! recorder      what goes into the transcript, secrets masked
//! ```
//!
//! [`Server`] is a real one, started as a process for the length of a test: `spawn/`.
//!
//! [`Replay`] is one that plays a dialogue which is written down, for examples and tests.

mod accounts;
mod auth;
mod conduct;
mod connection;
mod conversation;
mod date;
mod dialogue;
mod embedded;
mod host;
mod imap;
mod input;
mod listener;
mod mail;
mod on_demand;
mod overridden;
mod playback;
mod pop3;
mod question;
mod recorder;
mod replay;
mod rules;
mod said;
mod service;
mod sieve;
mod site;
mod smtp;
mod spawn;
mod spoil;
mod store;
#[cfg(test)]
mod tests;

pub use embedded::{Embedded, Options};
pub use listener::{Listener, ListenerOptions};
pub use mail::Mail;
pub use playback::{Departed, Player};
#[cfg(feature = "script")]
pub(crate) use question::{Asker, Question};
pub use replay::{Departure, Replay};
#[cfg(feature = "script")]
pub(crate) use spawn::Ports;
pub use spawn::{Server, Spawn};
