//! Logs of servers, followed while a dialogue runs: what is kept of their lines, the files that they
//! are written to, and what their lines say.

mod lines;
mod mail;
mod tail;

pub(crate) use lines::{Lines, Splitter};
pub(crate) use mail::{Fate, Subject, advice};
pub(crate) use tail::Tail;
