//! Decides which rule may replace which part of a line: the first that claims it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::rule::Label;

/// Spans of a line that do not overlap.
#[derive(Debug, Default)]
pub(super) struct Claims<'a> {
    /// Keyed by the start of the span.
    taken: BTreeMap<usize, Taken<'a>>,
}

#[derive(Debug)]
struct Taken<'a> {
    end: usize,
    /// The label that replaces the span; `None` if the span stays unchanged.
    label: Option<&'a Label>,
    /// Whether the span is a masked secret, which may be a part of a longer value.
    is_mask: bool,
}

impl<'a> Claims<'a> {
    /// Claims a span, unless a part of it is claimed already. Masked secrets are no obstacle if the
    /// span is longer than they are: a value that is made up anew each time may contain a part of a
    /// secret by chance.
    pub(super) fn claim(&mut self, span: Range<usize>, label: Option<&'a Label>) {
        self.take(span, label, false);
    }

    /// Claims the span of a masked secret, which stays unchanged.
    pub(super) fn claim_mask(&mut self, span: Range<usize>) {
        self.take(span, None, true);
    }

    fn take(&mut self, span: Range<usize>, label: Option<&'a Label>, is_mask: bool) {
        let before = self.taken.range(..span.end).rev();
        let within: Vec<_> = before.take_while(|(_, taken)| taken.end > span.start).collect();
        let is_part = |(start, taken): &(&usize, &Taken<'_>)| {
            let mask = **start..taken.end;
            taken.is_mask && span.start <= mask.start && mask.end <= span.end && mask != span
        };
        if span.is_empty() || !within.iter().all(is_part) {
            return;
        }
        let masks: Vec<_> = within.into_iter().map(|(start, _)| *start).collect();
        for mask in masks {
            self.taken.remove(&mask);
        }
        self.taken.insert(span.start, Taken { end: span.end, label, is_mask });
    }

    /// The spans to replace, in order.
    pub(super) fn replaced(&self) -> impl Iterator<Item = (Range<usize>, &'a Label)> {
        self.taken.iter().filter_map(|(start, taken)| Some((*start..taken.end, taken.label?)))
    }
}
