//! Logs of servers, followed while a dialogue runs: the lines that are kept, the files that they
//! are read from, and what they say about messages.

mod fate;
mod lines;
mod mail;
mod tail;

pub(crate) use fate::Fate;
pub(crate) use lines::{Lines, Splitter};
pub(crate) use mail::{Subject, advice};
pub(crate) use tail::Tail;
