//! The words of the language, one file for each topic. A binding converts the arguments, calls the
//! library, and turns its error into an exception of the script.
//!
//! The doc comments of the words are the reference manual: `mailexpect reference` prints them.

mod argument;
mod asked;
mod auth;
mod background;
mod bounded;
mod call;
mod capabilities;
mod cases;
mod caught;
mod chapters;
mod connecting;
mod expect;
mod faults;
mod files;
mod find;
mod golden;
mod imap;
mod listening;
mod logs;
mod message;
mod message_size;
mod metric;
mod names;
mod octets;
mod own;
mod pattern;
mod pop3;
mod port;
mod processes;
mod reply;
mod same;
mod send;
mod serve_options;
mod serving;
mod session;
mod shared;
mod shown;
mod sieve;
mod smtp;
mod standard;
mod test;
mod text;
mod tls;
mod together;
mod trying;
mod unlike;
mod verb;

pub(super) use chapters::{Group, groups, vocabulary};

pub(super) use super::handle::Handle;
pub(super) use super::operate::wait;
