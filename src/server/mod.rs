//! Servers that a script can talk to without any mail server installed.
//!
//! SMTP (RFC 5321) and submission (RFC 6409), mail kept in memory.
//!
//! # Layout
//!
//! ```text
//! conversation  bytes in, replies out: puts the parts below together
//! input         where a command line ends, where a message ends
//! dialogue      the state machine: a command line in, an answer out
//! verb          the names of commands
//! path          the arguments of MAIL and RCPT
//! auth          PLAIN and LOGIN
//! answer        a reply, and what the connection does behind it
//! mail          accepted mail, in memory
//! date          the date of a Received field
//! recorder      what goes into the transcript, secrets masked
//! ```

mod answer;
mod auth;
mod conversation;
mod date;
mod dialogue;
mod input;
mod mail;
mod path;
mod recorder;
mod verb;

pub use mail::Mail;
