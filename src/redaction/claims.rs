//! Decides which rule may replace which part of a line: the first that claims it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::rule::Label;

/// Spans of a line that do not overlap.
#[derive(Debug, Default)]
pub(super) struct Claims<'a> {
    /// Keyed by the start of the span: its end, and the label that replaces it; `None` if the span
    /// stays unchanged.
    taken: BTreeMap<usize, (usize, Option<&'a Label>)>,
}

impl<'a> Claims<'a> {
    /// Claims a span, unless a part of it is claimed already.
    pub(super) fn claim(&mut self, span: Range<usize>, label: Option<&'a Label>) {
        let before = self.taken.range(..span.end).next_back();
        if !span.is_empty() && before.is_none_or(|(_, (end, _))| *end <= span.start) {
            self.taken.insert(span.start, (span.end, label));
        }
    }

    /// The spans to replace, in order.
    pub(super) fn replaced(&self) -> impl Iterator<Item = (Range<usize>, &'a Label)> {
        self.taken.iter().filter_map(|(start, (end, label))| Some((*start..*end, (*label)?)))
    }
}
