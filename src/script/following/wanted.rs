//! What a word waits for in a log.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::yield_now;

use crate::logs::{Fate, Lines, Subject};
use crate::pattern::{Match, Pattern};

/// The greatest effort of a search without a look at the deadlines; see [`Pattern::effort`].
const AT_ONCE: usize = 1 << 20;

/// What a word waits for in a log.
pub(in crate::script) struct Wanted {
    /// The pattern that a line has to match. `None` if the delivery of the message is wanted.
    pub(in crate::script) pattern: Option<Pattern>,
    /// The message that a line has to be about.
    pub(in crate::script) subject: Option<Subject>,
    /// How long to wait.
    pub(in crate::script) within: Duration,
}

/// The lines among which a wanted one is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    Untaken,
}

/// A wanted line.
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) line: Bytes,
    pub(super) matched: Match,
}

impl Wanted {
    /// Returns the match if the line is wanted.
    fn fits(&self, line: &Bytes) -> Option<Match> {
        if self.subject.as_ref().is_some_and(|subject| !subject.is_in(line)) {
            return None;
        }
        match &self.pattern {
            Some(pattern) => pattern.within(line),
            None => matches!(self.fate(line), Some(Fate::Delivered | Fate::Refused))
                .then(Match::default),
        }
    }

    pub(super) fn fate(&self, line: &[u8]) -> Option<Fate> {
        self.subject.as_ref()?.fate(line)
    }

    /// Returns the first wanted line whose number is at least `number`. Between lines that take long
    /// to search, deadlines are looked at and other scripts get a turn.
    pub(super) async fn find(&self, lines: &Lines, number: u64, which: Which) -> Option<Found> {
        let mut effort = 0;
        for (number, line, is_taken) in lines.from(number) {
            if is_taken && which == Which::Untaken {
                continue;
            }
            effort += self.pattern.as_ref().map_or(0, |pattern| pattern.effort(line.len()));
            if effort > AT_ONCE {
                effort = 0;
                yield_now().await;
            }
            if let Some(matched) = self.fits(line) {
                return Some(Found { number, line: line.clone(), matched });
            }
        }
        None
    }

    /// Learns more identifiers of the message from the lines whose number is at least `number`.
    /// Returns whether it learned any; if so, earlier lines may be about the message too.
    pub(super) fn learn(&mut self, lines: &Lines, number: u64) -> bool {
        let Some(subject) = &mut self.subject else { return false };
        let mut learn = |number| lines.from(number).any(|(_, line, _)| subject.learn(line));
        let has_learned = learn(number);
        while has_learned && learn(0) {}
        has_learned
    }

    pub(super) fn refuted(&self) -> String {
        format!("no {}", self.shown().trim_start_matches("a "))
    }

    pub(super) fn shown(&self) -> String {
        let about = self.subject.as_ref().map(|subject| format!(" about {}", subject.shown()));
        let about = about.unwrap_or_default();
        match &self.pattern {
            Some(pattern) => format!("a line with {pattern}{about}"),
            None => format!("a delivery{about}"),
        }
    }
}
