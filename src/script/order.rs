//! The order of what a script does, as if its branches ran one after the other. It is the same
//! whichever branch is quicker, so that what a run writes does not depend on time.

use std::cell::Cell;
use std::rc::Rc;

use crate::chance;

/// A place in the order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order(Box<[u32]>);

/// A branch of a script, or the script outside of all branches, as it goes on.
#[derive(Debug, Default)]
pub(super) struct Strand {
    /// The place of the branch; empty outside of all branches.
    path: Vec<u32>,
    /// How many calls of `together` have begun in this strand.
    togethers: Cell<u32>,
    /// How many places this strand has given out.
    places: Cell<u32>,
    /// How many random numbers and bytes this strand has drawn.
    drawn: Cell<u64>,
    /// How many listeners and servers of this strand use the seed.
    seeded: Cell<u64>,
}

impl Strand {
    /// Returns the next place.
    pub(super) fn next(&self) -> Order {
        let place = self.places.get();
        self.places.set(place + 1);
        // Even numbers stand between the calls of `together`, which have odd ones.
        let path = self.path.iter().copied();
        Order(path.chain([2 * self.togethers.get(), place]).collect())
    }

    /// Begins a call of `together`. Returns the strands of its branches.
    pub(super) fn branches(&self) -> impl Iterator<Item = Rc<Self>> {
        let together = self.togethers.get();
        self.togethers.set(together + 1);
        let path = [&self.path[..], &[2 * together + 1]].concat();
        (1..).map(move |branch| {
            let path = [&path[..], &[branch]].concat();
            Rc::new(Self { path, ..Self::default() })
        })
    }

    /// Returns the number of the next draw, among those of all branches.
    pub(super) fn next_draw(&self) -> u64 {
        self.number(&self.drawn)
    }

    /// Returns the number of the next listener or server, among those of all branches.
    pub(super) fn next_seeded(&self) -> u64 {
        self.number(&self.seeded)
    }

    fn number(&self, count: &Cell<u64>) -> u64 {
        let number = count.get();
        count.set(number + 1);
        chance::mixed(&self.path).wrapping_add(number)
    }
}

/// Values in the order of their places.
#[derive(Clone, Debug)]
pub(super) struct InOrder<T>(Vec<(Order, T)>);

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> InOrder<T> {
    pub(super) fn add(&mut self, order: Order, value: T) {
        let place = self.0.partition_point(|(before, _)| *before <= order);
        self.0.insert(place, (order, value));
    }

    /// Adds a value, unless an earlier one is the same or there are `most`. Of a value that comes
    /// several times, the earliest stays.
    pub(super) fn add_first(
        &mut self,
        order: Order,
        value: T,
        most: usize,
        is_same: impl Fn(&T) -> bool,
    ) {
        let same = self.0.iter().position(|(_, known)| is_same(known));
        if same.map_or(self.0.len() >= most, |place| self.0[place].0 <= order) {
            return;
        }
        same.map(|place| self.0.remove(place));
        self.add(order, value);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.0.iter().map(|(_, value)| value)
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = T> {
        self.0.into_iter().map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, place: usize) -> T {
        self.0.remove(place).1
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_the_branches_whichever_was_quicker() {
        let script = Strand::default();
        let mut all = InOrder::default();
        all.add(script.next(), 1);
        let branches: Vec<_> = script.branches().take(2).collect();
        all.add(branches[1].next(), 5);
        let nested: Vec<_> = branches[1].branches().take(2).collect();
        all.add(nested[1].next(), 7);
        all.add(nested[0].next(), 6);
        all.add(branches[0].next(), 3);
        all.add(branches[0].next(), 4);
        all.add(branches[1].next(), 8);
        all.add(script.next(), 9);
        all.add(script.branches().next().unwrap().next(), 10);
        assert_eq!(all.into_iter().collect::<Vec<_>>(), [1, 3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn draws_have_numbers_of_their_own_in_each_branch() {
        let script = Strand::default();
        let numbers = |strand: &Strand| [(); 3].map(|()| strand.next_draw());
        assert_eq!(numbers(&script), [0, 1, 2]);
        let mut all: Vec<_> = script.branches().take(9).map(|branch| numbers(&branch)).collect();
        let first = script.branches().next().unwrap();
        all.extend(first.branches().take(9).map(|branch| numbers(&branch)));
        let distinct: std::collections::BTreeSet<_> = all.iter().flatten().collect();
        assert_eq!(distinct.len(), 3 * 18);
    }
}
