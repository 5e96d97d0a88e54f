//! The numbers that messages had before any of them was expunged (RFC 3501 section 7.4.1).

/// The largest block. A removed number moves those after it in its block, and the starts of the
/// blocks after that one; a mailbox of millions of messages has about as many blocks as this.
const BLOCK: usize = 2048;

/// The messages that were removed from a mailbox so far, by their original numbers.
#[derive(Debug, Default)]
pub(crate) struct Expunged {
    /// The original numbers in order, in blocks that are never empty.
    blocks: Vec<Vec<u64>>,
    /// How many numbers there are before each block.
    starts: Vec<usize>,
}

impl Expunged {
    /// Removes the message that has this number now, and returns the number that it had before any
    /// message was removed.
    pub(crate) fn remove(&mut self, number: u32) -> u64 {
        let number = u64::from(number);
        // Each message that was removed earlier and stood before this one has lowered its number by
        // one. The place of an earlier one says how many others stood before it.
        let stood_before = |earlier: u64, place: usize| earlier - place as u64 <= number;
        let block = partition(self.blocks.len(), |block| {
            stood_before(self.blocks[block][0], self.starts[block])
        });
        let Some(at) = block.checked_sub(1) else {
            self.insert(0, 0, number);
            return number;
        };
        let (start, numbers) = (self.starts[at], &self.blocks[at]);
        let low = partition(numbers.len(), |place| stood_before(numbers[place], start + place));
        let original = number + (start + low) as u64;
        self.insert(at, low, original);
        original
    }

    fn insert(&mut self, block: usize, place: usize, number: u64) {
        let Some(numbers) = self.blocks.get_mut(block) else {
            self.blocks.push(vec![number]);
            self.starts.push(0);
            return;
        };
        numbers.insert(place, number);
        self.starts[block + 1..].iter_mut().for_each(|start| *start += 1);
        if numbers.len() > BLOCK {
            let second = numbers.split_off(BLOCK / 2);
            self.blocks.insert(block + 1, second);
            self.starts.insert(block + 1, self.starts[block] + BLOCK / 2);
        }
    }
}

/// Returns how many of `length` places, which come first, are as wanted.
fn partition(length: usize, is_wanted: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low.midpoint(high);
        if is_wanted(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds the number by going through a mailbox of numbered messages.
    fn slowly(expunged: &[u32]) -> Vec<u64> {
        let most = expunged.iter().max().map_or(0, |most| *most as usize) + expunged.len();
        let mut mailbox: Vec<u64> = (1..=most as u64).collect();
        expunged.iter().map(|number| mailbox.remove(*number as usize - 1)).collect()
    }

    #[test]
    fn numbers_are_those_before_all_removals() {
        let mut state = 1_u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            1 + (state >> 8) % below
        };
        for (count, below) in [(0, 1), (3, 1), (100, 5), (9000, 2), (9000, 6000)] {
            let expunged: Vec<u32> = (0..count).map(|_| random(below)).collect();
            let mut all = Expunged::default();
            let found: Vec<u64> = expunged.iter().map(|number| all.remove(*number)).collect();
            assert_eq!(found, slowly(&expunged), "{count} of {below}");
        }
        let descending: Vec<u32> = (1..9000).rev().collect();
        let mut all = Expunged::default();
        assert!(descending.iter().all(|number| all.remove(*number) == u64::from(*number)));
    }
}
