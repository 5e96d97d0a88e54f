//! The random decisions of a script, all from one seed.

use std::cell::Cell;

use crate::chance::{Dice, Seed};

/// The seed of a script, and how many decisions have used it. Each decision depends on the seed and
/// on its own number only.
#[derive(Default)]
pub(in crate::script) struct Draws {
    seed: Seed,
    /// How many listeners and servers use the seed.
    seeded: Cell<u64>,
    /// How many random numbers and bytes the script has drawn.
    drawn: Cell<u64>,
}

impl Draws {
    /// Makes the draws of the seed that the caller has set, or of one that the system chooses.
    pub(super) fn of(seed: Option<u64>) -> Self {
        Self { seed: seed.map_or_else(Seed::default, Seed::of), ..Self::default() }
    }

    /// Returns the seed for the random decisions of the next listener or server, and its number.
    pub(in crate::script) fn seeded(&self) -> (Seed, u64) {
        let number = self.seeded.get();
        self.seeded.set(number + 1);
        (self.seed.clone(), number)
    }

    /// Returns the source of the next random number or bytes that the script draws.
    pub(in crate::script) fn dice(&self) -> Dice {
        /// Keeps draws apart from listeners and servers.
        const DRAWS: u64 = u64::MAX;
        let number = self.drawn.get();
        self.drawn.set(number + 1);
        self.seed.dice(&[DRAWS, number])
    }

    /// Returns the seed if any random decision was made.
    pub(in crate::script) fn used(&self) -> Option<u64> {
        self.seed.used()
    }
}
