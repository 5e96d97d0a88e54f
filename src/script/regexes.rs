//! The regexes of scripts, compiled once for all runs that share them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::pattern::Pattern;

/// So many are remembered; a script that makes them up as it goes does not fill the memory.
const MOST: usize = 1000;
/// A longer one is not remembered.
const LONGEST: usize = 1 << 10;

/// Compiled regexes by their source.
#[derive(Debug, Default)]
pub(super) struct Regexes(Mutex<HashMap<Box<str>, Pattern>>);

impl Regexes {
    /// The regex of that source, compiled now or before.
    pub(super) fn get(&self, source: &str) -> Result<Pattern> {
        // A panic elsewhere leaves the map whole: patterns are put in at once or not at all.
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
    fn what_is_remembered_is_bounded() {
        let regexes = Regexes::default();
        for n in 0..MOST + 10 {
            regexes.get(&format!("x{n}")).unwrap();
        }
        regexes.get(&"x".repeat(LONGEST + 1)).unwrap();
        assert!(regexes.get("(").is_err());
        assert_eq!(regexes.0.lock().unwrap().len(), MOST);
    }
}
