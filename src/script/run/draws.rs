//! The random decisions of a script, all from one seed.

use crate::chance::{Dice, Seed};
use crate::script::order::Strand;

/// The seed of a script. Each decision depends only on the seed, on the branch that makes it, and on
/// how many decisions the branch has made before.
#[derive(Default)]
pub(in crate::script) struct Draws {
    seed: Seed,
}

impl Draws {
    /// Makes the draws of the seed that the caller has set, or of one that the system chooses.
    pub(super) fn of(seed: Option<u64>) -> Self {
        Self { seed: seed.map_or_else(Seed::default, Seed::of) }
    }

    /// Returns the seed for the random decisions of the next listener or server of a branch, and its
    /// number.
    pub(in crate::script) fn seeded(&self, strand: &Strand) -> (Seed, u64) {
        (self.seed.clone(), strand.next_seeded())
    }

    /// Returns the source of the next random number or bytes that a branch draws.
    pub(in crate::script) fn dice(&self, strand: &Strand) -> Dice {
        /// Keeps draws apart from listeners and servers.
        const DRAWS: u64 = u64::MAX;
        self.seed.dice(&[DRAWS, strand.next_draw()])
    }

    /// Returns the seed if any random decision was made.
    pub(in crate::script) fn used(&self) -> Option<u64> {
        self.seed.used()
    }
}
