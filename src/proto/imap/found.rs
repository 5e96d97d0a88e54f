//! What is found in commands as they are sent.

use std::ops::Range;

/// What the server owes for something that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// A continuation, for which a literal waits (RFC 3501 section 4.3).
    Continuation(Vec<u8>),
    /// A continuation, or the end of the command: after AUTHENTICATE, a SASL response, or IDLE.
    Step(Vec<u8>),
    /// The end of a command.
    End { tag: Vec<u8>, is_logout: bool },
}

impl Wants {
    pub(super) fn tag(&self) -> &[u8] {
        match self {
            Self::Continuation(tag) | Self::Step(tag) | Self::End { tag, .. } => tag,
        }
    }
}

/// What was found in bytes that were sent.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) wants: Vec<Wants>,
    pub(super) secret: Vec<Range<usize>>,
    /// The tags and the names of the commands that end in these bytes.
    pub(super) commands: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Found {
    pub(super) fn mark(&mut self, span: Range<usize>) {
        match self.secret.last_mut() {
            Some(last) if last.end == span.start => last.end = span.end,
            _ if span.is_empty() => {}
            _ => self.secret.push(span),
        }
    }
}
