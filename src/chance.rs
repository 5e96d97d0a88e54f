//! Random decisions that can be repeated: they depend only on a seed, and on the numbers that name
//! what they are for.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fastrand::Rng;

/// The seed of random decisions, which also knows whether any were made.
#[derive(Clone, Default)]
pub(crate) struct Seed(Arc<Held>);

#[derive(Default)]
struct Held {
    /// The seed. If none was given, it is taken from the system's random numbers when it is first
    /// needed.
    value: OnceLock<u64>,
    used: AtomicBool,
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seed").field(&self.0.value.get()).finish()
    }
}

impl Seed {
    /// Makes a seed of the given number.
    pub(crate) fn of(value: u64) -> Self {
        Self(Arc::new(Held { value: value.into(), used: AtomicBool::new(false) }))
    }

    /// Returns the seed as a number. If none was given, the system chooses a number that is short
    /// enough for a user to type.
    pub(crate) fn value(&self) -> u64 {
        *self.0.value.get_or_init(|| {
            let mut bytes = [0; 4];
            // If the system gives no random numbers, the seed is 0; the report shows it like any
            // other seed.
            let _ = getrandom::fill(&mut bytes);
            u32::from_le_bytes(bytes).into()
        })
    }

    /// Returns the seed if any random decision was made.
    pub(crate) fn used(&self) -> Option<u64> {
        self.0.used.load(Ordering::Relaxed).then(|| self.value())
    }

    /// Returns separate dice for the purpose that these numbers name. Other dice of the same seed
    /// do not change what they throw.
    pub(crate) fn dice(&self, of: &[u64]) -> Dice {
        Dice { seed: self.clone(), of: of.into(), thrown: None }
    }
}

/// Mixes numbers into one; no numbers into 0.
#[cfg(feature = "script")]
pub(crate) fn mixed(numbers: &[u32]) -> u64 {
    let mixed = |all: u64, number: &u32| Rng::with_seed(all ^ u64::from(*number)).u64(..);
    numbers.iter().fold(0, mixed)
}

/// A sequence of random decisions.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    seed: Seed,
    of: Box<[u64]>,
    /// The generator. It is made at the first throw, because until then the seed does not count as
    /// used.
    thrown: Option<Rng>,
}

impl Dice {
    /// Decides whether something with this probability, from 0 to 1, happens.
    pub(crate) fn falls(&mut self, chance: f64) -> bool {
        self.rng().f64() < chance
    }

    /// Returns a random time, at most this long.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        if most.is_zero() {
            return most;
        }
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.rng().u64(..=most))
    }

    /// Returns this number of random bytes.
    #[cfg(feature = "script")]
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.rng().fill(&mut bytes);
        bytes
    }

    fn rng(&mut self) -> &mut Rng {
        let Self { seed, of, thrown } = self;
        thrown.get_or_insert_with(|| {
            seed.0.used.store(true, Ordering::Relaxed);
            let mixed = |mut rng: Rng, of: &u64| Rng::with_seed(rng.u64(..) ^ of);
            of.iter().fold(Rng::with_seed(seed.value()), mixed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thrown(seed: u64, of: &[u64]) -> Vec<bool> {
        let mut dice = Seed::of(seed).dice(of);
        (0..64).map(|_| dice.falls(0.5)).collect()
    }

    #[test]
    fn the_same_seed_has_the_same_fall_and_another_one_another() {
        assert_eq!(thrown(7, &[1, 2]), thrown(7, &[1, 2]));
        assert_ne!(thrown(7, &[1, 2]), thrown(8, &[1, 2]));
        assert_ne!(thrown(7, &[1, 2]), thrown(7, &[2, 1]));
    }

    #[test]
    fn a_chance_falls_as_often_as_it_says() {
        let mut dice = Seed::of(1).dice(&[]);
        let fell = (0..10_000).filter(|_| dice.falls(0.1)).count();
        assert!((900..1100).contains(&fell), "{fell}");
        assert!((0..100).all(|_| !dice.falls(0.0) && dice.falls(1.0)));
        let most = Duration::from_millis(3);
        assert!((0..100).all(|_| dice.up_to(most) <= most));
        assert_eq!(dice.up_to(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn a_seed_is_told_of_only_if_something_was_left_to_it() {
        let seed = Seed::default();
        let mut dice = seed.dice(&[3]);
        assert_eq!(seed.used(), None);
        dice.falls(0.5);
        assert_eq!(seed.used(), Some(seed.value()));
    }
}
