//! A set of runs of six bytes that takes the same room whatever it holds.

use zeroize::Zeroizing;

/// The words of the set: 8 MiB.
const WORDS: usize = 1 << 20;
/// The number of runs with which the set is full. Up to there, one in a thousand runs of other
/// texts is taken for a part of a secret.
const MOST: usize = 1 << 21;
/// The number of bits that a run sets in its word.
const BITS: u32 = 6;

/// A Bloom filter: it finds every run that it holds, and now and then one that it does not hold.
///
/// The places of the bits do not depend on a random seed, so that two runs of a script show the
/// same.
#[derive(Clone, Default)]
pub(super) struct Coarse {
    words: Zeroizing<Vec<u64>>,
    taken: usize,
}

impl Coarse {
    pub(super) fn insert(&mut self, gram: u64) {
        if self.words.is_empty() {
            self.words = Zeroizing::new(vec![0; WORDS]);
        }
        let (word, bits) = place(gram);
        self.taken += usize::from(self.words[word] & bits != bits);
        self.words[word] |= bits;
    }

    pub(super) fn may_hold(&self, gram: u64) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let (word, bits) = place(gram);
        self.words[word] & bits == bits
    }

    /// Whether further runs would make too many other texts look like secrets.
    pub(super) fn is_full(&self) -> bool {
        self.taken >= MOST
    }
}

/// The word of a run, and its bits in it.
fn place(gram: u64) -> (usize, u64) {
    // The finalizer of MurmurHash3: each bit of the run changes each bit of the hash.
    let hash = (gram ^ gram >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    let hash = hash ^ hash >> 33;
    let bits = (0..BITS).fold(0, |bits, number| bits | 1 << (hash >> (6 * number) & 63));
    (usize::try_from(hash >> 40).unwrap_or_default() % WORDS, bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_found_and_few_others() {
        let mut coarse = Coarse::default();
        assert!(!coarse.may_hold(7));
        let held = 0..100_000_u64;
        held.clone().for_each(|number| coarse.insert(number << 20));
        held.clone().for_each(|number| coarse.insert(number << 20));
        assert!(held.clone().all(|number| coarse.may_hold(number << 20)));
        let others = held.filter(|number| coarse.may_hold(number << 20 | 1)).count();
        assert!(others < 10, "{others}");
        assert!(!coarse.is_full() && coarse.taken > 99_990, "{}", coarse.taken);
    }
}
