//! An index of runs of six bytes. It finds parts of secrets in one pass over a text, however many
//! secrets there are.

use std::hash::BuildHasher as _;
use std::sync::LazyLock;

use zeroize::Zeroizing;

use super::coarse::Coarse;

/// The minimum length of a part of a secret that is searched for. Shorter parts do not reveal the
/// secret.
pub(super) const PART: usize = 6;

/// The bits that hold a run of six bytes, in lower case.
const GRAM: u64 = (1 << (8 * PART)) - 1;
/// The bit that marks a slot as taken.
const TAKEN: u64 = 1 << 63;

/// The number of runs in the table, which then takes 16 MiB. Further runs are held by a set that
/// takes less room and takes some other texts for secrets.
const MOST: usize = 1 << 19;

/// Set if the run begins a form and the base64 digit before it shares bits with the form.
pub(super) const SHARES_BEFORE: u64 = 1 << 48;
/// Set if the run ends a form and the base64 digit after it shares bits with the form.
pub(super) const SHARES_AFTER: u64 = 1 << 49;

/// A hash table with open addressing. At most a quarter of the slots are taken, so that most
/// lookups of an unknown run read one slot. The table is zeroed when it is dropped, which tables of
/// the standard library are not.
#[derive(Clone, Default)]
pub(super) struct Grams {
    slots: Zeroizing<Vec<u64>>,
    taken: usize,
    /// The runs for which the table has no room.
    others: Coarse,
}

/// A random seed: without knowing it, nobody can choose runs that all hash to the same slot.
static SEED: LazyLock<u64> =
    LazyLock::new(|| std::collections::hash_map::RandomState::new().hash_one(0));

impl Grams {
    /// Adds all runs of a form, unless there is no room for any.
    pub(super) fn add(&mut self, form: &[u8], shares: u64) {
        if self.is_full() {
            return;
        }
        let last = form.len().saturating_sub(PART);
        let mut gram = 0;
        for (at, byte) in form.iter().enumerate() {
            gram = slide(gram, *byte);
            let Some(start) = (at + 1).checked_sub(PART) else { continue };
            let before = if start == 0 { shares & SHARES_BEFORE } else { 0 };
            let after = if start == last { shares & SHARES_AFTER } else { 0 };
            self.insert(gram, before | after);
        }
    }

    /// The flags of a run; `None` if no secret contains it.
    pub(super) fn get(&self, gram: u64) -> Option<u64> {
        if self.slots.is_empty() {
            return None;
        }
        let slot = self.slots[self.find(gram)];
        if slot != 0 {
            return Some(slot & !GRAM);
        }
        self.others.may_hold(gram).then_some(SHARES_BEFORE | SHARES_AFTER)
    }

    /// Whether there is no room for further runs.
    pub(super) fn is_full(&self) -> bool {
        self.others.is_full()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    fn insert(&mut self, gram: u64, shares: u64) {
        if self.taken < MOST && 4 * (self.taken + 1) > self.slots.len() {
            let slots = Zeroizing::new(vec![0; (2 * self.slots.len()).max(64)]);
            let old = std::mem::replace(&mut self.slots, slots);
            for slot in old.iter().filter(|slot| **slot != 0) {
                let at = self.find(slot & GRAM);
                self.slots[at] = *slot;
            }
        }
        let at = self.find(gram);
        if self.slots[at] == 0 {
            if self.taken >= MOST {
                return self.others.insert(gram);
            }
            self.taken += 1;
        }
        self.slots[at] |= gram | shares | TAKEN;
    }

    /// The slot of a run, or the free slot for it.
    fn find(&self, gram: u64) -> usize {
        let mask = self.slots.len() - 1;
        let hash = (gram ^ *SEED).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = usize::try_from(hash >> 32).unwrap_or_default() & mask;
        while self.slots[at] != 0 && self.slots[at] & GRAM != gram {
            at = (at + 1) & mask;
        }
        at
    }
}

/// The run of six bytes that ends with `byte`, after the run `gram`.
pub(super) fn slide(gram: u64, byte: u8) -> u64 {
    (gram << 8 | u64::from(byte.to_ascii_lowercase())) & GRAM
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gram(text: &[u8]) -> u64 {
        text.iter().fold(0, |gram, byte| slide(gram, *byte))
    }

    #[test]
    fn every_run_of_a_form_is_found_in_any_case() {
        let mut grams = Grams::default();
        let form: Vec<u8> = (0..5000_u32).flat_map(u32::to_be_bytes).collect();
        grams.add(&form, SHARES_BEFORE);
        assert!(form.windows(PART).all(|run| grams.get(gram(run)).is_some()));
        grams.add(b"Secret", 0);
        assert!(grams.get(gram(b"sECRET")).is_some() && grams.get(gram(b"secre-")).is_none());
        assert!(Grams::default().get(gram(b"secret")).is_none());
    }

    #[test]
    fn a_run_without_room_in_the_table_is_found() {
        let mut grams = Grams::default();
        let form: Vec<u8> = (0..170_000_u32).flat_map(u32::to_be_bytes).collect();
        grams.add(&form, 0);
        assert_eq!((grams.taken, grams.slots.len()), (MOST, 4 * MOST));
        assert!(form.windows(PART).step_by(99).all(|run| grams.get(gram(run)).is_some()));
        assert!(grams.get(gram(b"secret")).is_none() && !grams.is_full());
    }

    #[test]
    fn the_ends_of_a_form_are_marked() {
        let mut grams = Grams::default();
        grams.add(b"abcdefgh", SHARES_BEFORE | SHARES_AFTER);
        let shares = |run: &[u8]| grams.get(gram(run)).unwrap() & !TAKEN;
        assert_eq!(
            (shares(b"abcdef"), shares(b"bcdefg"), shares(b"cdefgh")),
            (SHARES_BEFORE, 0, SHARES_AFTER)
        );
    }
}
