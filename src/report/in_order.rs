//! Brings texts into the order of the scripts, whichever script ends first.

use std::collections::BTreeMap;

/// Holds back the texts of scripts that ended before their turn.
#[derive(Debug, Default)]
pub(super) struct InOrder {
    next: usize,
    ahead: BTreeMap<usize, String>,
}

impl InOrder {
    /// Adds the text of a script. Returns the text that can be shown now.
    pub(super) fn next(&mut self, number: usize, text: String) -> String {
        self.ahead.insert(number, text);
        let mut shown = String::new();
        while let Some(text) = self.ahead.remove(&self.next) {
            shown.push_str(&text);
            self.next += 1;
        }
        shown
    }

    /// The texts still held back at the end, because a script before them did not run.
    pub(super) fn rest(&mut self) -> String {
        std::mem::take(&mut self.ahead).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_ahead_of_their_turn_wait_for_it_or_for_the_end() {
        let mut order = InOrder::default();
        assert_eq!(order.next(1, "b".to_owned()), "");
        assert_eq!(order.next(0, "a".to_owned()), "ab");
        assert_eq!(order.next(4, "e".to_owned()), "");
        assert_eq!(order.next(3, "d".to_owned()), "");
        assert_eq!(order.rest(), "de");
    }
}
