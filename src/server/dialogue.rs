//! The server's side of a protocol: a line in, an answer out. No input, no output, no clock.

use std::fmt;

use super::conduct::Conduct;
use super::question::Decision;
pub(super) use super::said::{Next, Said};

/// One connection's side of a protocol.
pub(super) trait Dialogue: fmt::Debug + Send {
    /// What goes wrong before TLS and the greeting: nothing is said.
    fn connect(&mut self) -> Said {
        Said::nothing()
    }

    /// What is said first.
    fn greeting(&mut self) -> Said;

    /// What is said to a client that has been silent for too long, before the server closes.
    fn idle(&mut self) -> Said;

    /// The answer to a line without its end.
    fn line(&mut self, text: &[u8]) -> Said;

    /// The answer to a command that has to be granted, whatever it is: a rule says so.
    fn line_granted(&mut self, text: &[u8]) -> Said {
        self.line(text)
    }

    /// Whether lines that are none are given to [`Dialogue::line`], as they came.
    fn takes_any_line(&self) -> bool {
        false
    }

    /// The answer to a line that is none.
    fn malformed(&mut self, why: &str) -> Said;

    /// The answer to the content or the literal that was asked for; `None` if it was larger than
    /// [`Dialogue::largest`].
    fn octets(&mut self, octets: Option<Vec<u8>>) -> Said;

    /// The answer to content or a literal that there was no room for.
    fn crowded(&mut self) -> Said;

    /// TLS has been put on; what the server says then.
    fn secured(&mut self) -> Said;

    /// The connection has come to its end.
    fn closed(&mut self) {}

    /// What is being decided, after [`Next::Ask`].
    fn decision(&mut self) -> Option<Decision> {
        None
    }

    /// What the server says, since this was decided.
    fn decided(&mut self, _conduct: &Conduct) -> Said {
        Said::nothing()
    }

    /// What the server has to tell without being asked, just now.
    fn news(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// The longest line that a client may send, its end counted.
    fn longest_line(&self) -> usize {
        4096
    }

    /// The most octets of a message.
    fn largest(&self) -> usize {
        LARGEST
    }
}

/// The largest message (RFC 1870).
pub(super) const LARGEST: usize = 10_485_760;
/// The largest command of somebody who has not logged in.
pub(super) const LARGEST_OF_STRANGERS: usize = 64 << 10;
