//! Who may replace what of a line: the first to claim it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::rule::Label;

/// Spans of a line that do not overlap.
#[derive(Debug, Default)]
pub(super) struct Claims<'a> {
    /// By where they start: where they end, and by what they are replaced; `None` for what stays.
    taken: BTreeMap<usize, (usize, Option<&'a Label>)>,
}

impl<'a> Claims<'a> {
    /// Takes a span, unless some of it is taken already.
    pub(super) fn claim(&mut self, span: Range<usize>, label: Option<&'a Label>) {
        let before = self.taken.range(..span.end).next_back();
        if !span.is_empty() && before.is_none_or(|(_, (end, _))| *end <= span.start) {
            self.taken.insert(span.start, (span.end, label));
        }
    }

    /// What is to be replaced, in its order.
    pub(super) fn replaced(&self) -> impl Iterator<Item = (Range<usize>, &'a Label)> {
        self.taken.iter().filter_map(|(start, (end, label))| Some((*start..*end, (*label)?)))
    }
}
