//! What redaction changed.

use std::fmt;
use std::ops::Range;

use crate::transcript::Event;
use crate::visible;

/// Events after redaction.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Redacted {
    /// The redacted events: as many as were given, in the same order.
    pub events: Vec<Event>,
    /// The replacements that were made, event by event.
    pub changes: Vec<Change>,
}

/// One replacement: which rule replaced which bytes by which.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The number of the event, from 0.
    pub event: usize,
    /// Where the replaced bytes stood in the event's bytes as they were given. For a line that was
    /// rearranged first, the span of the whole line. For a long run of bytes, offsets count the
    /// bytes of its head, then those of its tail, then those of what the base64 in its last line
    /// means.
    pub span: Range<usize>,
    /// The name of a preset or normaliser, `known` with the token, or a regex between backticks.
    pub rule: Box<str>,
    /// The bytes before the replacement.
    pub was: Box<[u8]>,
    /// The bytes that replaced them.
    pub now: Box<[u8]>,
}

impl Change {
    pub(super) fn new(
        event: usize,
        span: Range<usize>,
        rule: &str,
        was: &[u8],
        now: &[u8],
    ) -> Self {
        Self { event, span, rule: rule.into(), was: was.into(), now: now.into() }
    }
}

/// One line: the event and the span, the rule, the bytes before and after.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, span: Range { start, end }, rule, was, now } = self;
        let (was, now) = (visible::escape(was), visible::escape(now));
        write!(f, "event {event}, bytes {start}..{end}: {rule}: {was} -> {now}")
    }
}
