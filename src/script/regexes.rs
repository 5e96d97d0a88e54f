//! The regexes of scripts. Each is compiled once for all runs that share this cache.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::pattern::Pattern;

/// The most regexes in the cache, so that a script that generates regexes does not fill the memory.
const MOST: usize = 1000;
/// The longest regex in the cache, in bytes.
const LONGEST: usize = 1 << 10;

/// Compiled regexes by their source.
#[derive(Debug, Default)]
pub(super) struct Regexes(Mutex<HashMap<Box<str>, Pattern>>);

impl Regexes {
    /// Returns the regex for a source, from the cache if it is there.
    pub(super) fn get(&self, source: &str) -> Result<Pattern> {
        // A panic elsewhere leaves the map intact, because a pattern is inserted in one step.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pattern) = known.get(source) {
            return Ok(pattern.clone());
        }
        let pattern = Pattern::regex(source)?;
        if known.len() < MOST && source.len() <= LONGEST {
            known.insert(source.into(), pattern.clone());
        }
        Ok(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remembered_regexes_are_bounded() {
        let regexes = Regexes::default();
        for n in 0..MOST + 10 {
            regexes.get(&format!("x{n}")).unwrap();
        }
        regexes.get(&"x".repeat(LONGEST + 1)).unwrap();
        assert!(regexes.get("(").is_err());
        assert_eq!(regexes.0.lock().unwrap().len(), MOST);
    }
}
