//! Assigns replies to patterns when the replies may come in any order.

use std::collections::VecDeque;

/// Gives each reply a pattern of its own that it matches. To make room, moves earlier replies to
/// other patterns that they match too. So if there is a way to serve all patterns, it is found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assignment {
    /// For each reply: the patterns that it matches, and the pattern that it serves.
    replies: Vec<(Vec<usize>, usize)>,
    /// The reply that serves each pattern.
    served_by: Vec<Option<usize>>,
}

impl Assignment {
    /// Creates an assignment for this number of patterns, none of them served.
    pub(crate) fn new(patterns: usize) -> Self {
        Self { replies: Vec::new(), served_by: vec![None; patterns] }
    }

    /// Adds a reply that matches these patterns, and returns whether it could be given a pattern of
    /// its own. If not, the reply is dropped: a later reply never makes room for it.
    pub(crate) fn add(&mut self, fits: Vec<usize>) -> bool {
        let reply = self.replies.len();
        self.replies.push((fits, usize::MAX));
        // For each pattern, the reply that would take it over, found breadth first.
        let mut wanted_by = vec![None; self.served_by.len()];
        let mut queue = VecDeque::from([reply]);
        while let Some(wanting) = queue.pop_front() {
            for &pattern in &self.replies[wanting].0 {
                if wanted_by[pattern].is_some() {
                    continue;
                }
                wanted_by[pattern] = Some(wanting);
                let Some(serving) = self.served_by[pattern] else {
                    self.move_up(reply, pattern, &wanted_by);
                    return true;
                };
                queue.push_back(serving);
            }
        }
        self.replies.pop();
        false
    }

    /// Walks back from a free pattern to the new reply, and gives each pattern on the way to the
    /// reply that would take it over.
    fn move_up(&mut self, reply: usize, free: usize, wanted_by: &[Option<usize>]) {
        let mut pattern = free;
        while let Some(wanting) = wanted_by[pattern] {
            let left = std::mem::replace(&mut self.replies[wanting].1, pattern);
            self.served_by[pattern] = Some(wanting);
            if wanting == reply {
                return;
            }
            pattern = left;
        }
    }

    /// The reply that serves each pattern, in the order of the patterns.
    pub(crate) fn served_by(&self) -> &[Option<usize>] {
        &self.served_by
    }

    /// The patterns that one more reply could be given: patterns that no reply serves, and patterns
    /// whose reply could move to one of these.
    pub(crate) fn open(&self) -> Vec<usize> {
        let mut is_open: Vec<bool> = self.served_by.iter().map(Option::is_none).collect();
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for (fits, serves) in &self.replies {
                if !is_open[*serves] && fits.iter().any(|pattern| is_open[*pattern]) {
                    is_open[*serves] = true;
                    is_settled = false;
                }
            }
        }
        (0..is_open.len()).filter(|pattern| is_open[*pattern]).collect()
    }

    /// The patterns that no reply serves.
    pub(crate) fn unserved(&self) -> impl Iterator<Item = usize> {
        let served = self.served_by.iter().enumerate();
        served.filter(|(_, reply)| reply.is_none()).map(|(pattern, _)| pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_moved_to_other_patterns_if_that_makes_room() {
        let mut assignment = Assignment::new(3);
        assert!(assignment.add(vec![0, 1]));
        assert!(assignment.add(vec![0, 2]));
        assert!(assignment.add(vec![0]), "by a chain of moves");
        assert_eq!(assignment.served_by(), [Some(2), Some(0), Some(1)]);
        assert!(!assignment.add(vec![0, 1, 2]));
        assert_eq!(assignment.unserved().count(), 0);
    }

    #[test]
    fn a_need_that_no_way_serves_is_left() {
        let mut assignment = Assignment::new(2);
        assert!(assignment.add(vec![1]));
        assert!(!assignment.add(vec![1]) && !assignment.add(vec![]));
        assert_eq!(assignment.unserved().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_pattern_whose_reply_makes_room_is_open() {
        let mut assignment = Assignment::new(3);
        assert!(assignment.add(vec![0, 1]));
        assert_eq!(assignment.open(), [0, 1, 2]);
        assert!(assignment.add(vec![0]));
        assert_eq!(assignment.open(), [2], "nothing else has room");
    }

    #[test]
    fn a_long_chain_of_moves_needs_no_stack() {
        const COUNT: usize = 20_000;
        let mut assignment = Assignment::new(COUNT);
        for reply in 0..COUNT - 1 {
            assert!(assignment.add(vec![reply, reply + 1]));
        }
        assert!(assignment.add(vec![0]));
    }
}
