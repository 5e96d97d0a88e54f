//! The server's side of a protocol: a line in, an answer out. No I/O and no clock.

use std::fmt;

use super::conduct::Conduct;
use super::question::Decision;
pub(super) use super::said::{Next, Said};

/// The server's side of one connection.
pub(super) trait Dialogue: fmt::Debug + Send {
    /// The fault that happens before TLS and the greeting; nothing is sent.
    fn connect(&mut self) -> Said {
        Said::nothing()
    }

    /// The greeting.
    fn greeting(&mut self) -> Said;

    /// The reply to a client that has been silent for too long, before the server closes.
    fn idle(&mut self) -> Said;

    /// The next line that is answered, with its secrets masked and with its line end, for messages
    /// about the line.
    fn shown(&mut self, _masked: &[u8]) {}

    /// The answer to a line, which comes without its line end.
    fn line(&mut self, text: &[u8]) -> Said;

    /// The answer to a command that must succeed whatever its arguments are, because a rule accepts
    /// the command.
    fn line_granted(&mut self, text: &[u8]) -> Said {
        self.line(text)
    }

    /// Whether [`Dialogue::line`] also takes invalid lines, exactly as received.
    fn takes_any_line(&self) -> bool {
        false
    }

    /// The answer to an invalid line.
    fn malformed(&mut self, why: &str) -> Said;

    /// The answer to the content or literal that was asked for; `None` if it was larger than
    /// [`Dialogue::largest`].
    fn octets(&mut self, octets: Option<Vec<u8>>) -> Said;

    /// The answer to content or a literal for which no memory was left.
    fn crowded(&mut self) -> Said;

    /// The TLS handshake has succeeded; returns what the server says then.
    fn secured(&mut self) -> Said;

    /// The connection has ended.
    fn closed(&mut self) {}

    /// The answer in place of a long one for which no memory is left; `None` if the protocol has
    /// none, and the connection is closed.
    fn unaffordable(&mut self) -> Option<Said> {
        None
    }

    /// The decision to wait for after [`Next::Ask`].
    fn decision(&mut self) -> Option<Decision> {
        None
    }

    /// The answer, according to the decision.
    fn decided(&mut self, _conduct: &Conduct) -> Said {
        Said::nothing()
    }

    /// What the server tells the client without being asked, if there is anything to tell now.
    fn news(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// The most bytes of a line that a client may send, with its line end.
    fn longest_line(&self) -> usize {
        4096
    }

    /// The most bytes of a message.
    fn largest(&self) -> usize {
        LARGEST
    }
}

/// An answer of this many bytes is given even if clients have not taken too many others.
pub(super) const SHORT: usize = 16 << 10;
/// The most bytes of a message (RFC 1870).
pub(super) const LARGEST: usize = 10_485_760;
/// The most bytes of a literal or string from a client that has not logged in.
pub(super) const LARGEST_OF_STRANGERS: usize = 64 << 10;
