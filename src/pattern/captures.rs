//! The groups of a regex's match.

use std::ops::Range;

use regex_automata::Input;
use regex_automata::meta;
use regex_automata::util::captures;
use regex_automata::util::primitives::NonMaxUsize;

/// The groups of a match, as ranges of the searched bytes.
#[derive(Clone, Debug)]
pub(crate) struct Captures(captures::Captures);

impl Captures {
    /// The leftmost match, and which of the patterns it belongs to.
    pub(super) fn find(regex: &meta::Regex, input: &Input<'_>) -> Option<(usize, Self)> {
        let mut groups = regex.create_captures();
        regex.search_captures(input, &mut groups);
        let pattern = groups.pattern()?.as_usize();
        Some((pattern, Self(groups)))
    }

    /// The same groups, of bytes of which the first `count` were dropped. None of them may begin
    /// there.
    pub(super) fn without_first(mut self, count: usize) -> Self {
        for slot in self.0.slots_mut() {
            *slot = slot.and_then(|at| NonMaxUsize::new(at.get().checked_sub(count)?));
        }
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.0.group_len()
    }

    pub(crate) fn get(&self, group: usize) -> Option<Range<usize>> {
        self.0.get_group(group).map(|span| span.range())
    }

    /// The range of the group of this name, if the group exists and took part in the match.
    pub(crate) fn named(&self, name: &str) -> Option<Range<usize>> {
        let pattern = self.0.pattern()?;
        let group = self.0.group_info().to_index(pattern, name)?;
        self.get(group)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.pattern().map_or_else(Vec::new, |pattern| {
            self.0.group_info().pattern_names(pattern).flatten().collect()
        })
    }
}
