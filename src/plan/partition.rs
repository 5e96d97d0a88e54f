//! Splits the scripts into parts, for several machines that share a run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::script::serial_names;

/// One of several parts into which the scripts are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    by: By,
    /// The number of this part, from 1.
    number: u64,
    of: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Scripts go to the parts in turn, so that the sizes of parts differ by one script at most.
    Slice,
    /// A hash of the path decides, so that a script stays in its part if others are added or
    /// removed.
    Hash,
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(by, part)| {
            let by = match by {
                "slice" => By::Slice,
                "hash" => By::Hash,
                _ => return None,
            };
            let (number, of) = part.split_once('/')?;
            Some(Self { by, number: number.parse().ok()?, of: of.parse().ok()? })
        });
        let parsed = parsed.filter(|part| (1..=part.of).contains(&part.number));
        parsed.ok_or_else(|| {
            "a partition is slice:M/N or hash:M/N with M from 1 to N, such as slice:1/4".to_owned()
        })
    }
}

impl Partition {
    /// The scripts of this part, in order.
    pub(crate) fn of(self, scripts: Vec<PathBuf>) -> Vec<PathBuf> {
        let mut turn = 0;
        // Scripts that must not run at the same time are in the same part, because the parts may
        // run on different machines.
        let groups = Groups::of(&scripts);
        let mut serial: BTreeMap<&str, u64> = BTreeMap::new();
        let is_ours = |script: &PathBuf| {
            let name = groups.name(script);
            let next = match (self.by, &name) {
                (By::Slice, _) => turn,
                (By::Hash, Some(name)) => hash(Path::new(*name), b""),
                (By::Hash, None) => hash(script, b""),
            };
            turn += 1;
            let part = name.map_or(next, |name| *serial.entry(name).or_insert(next));
            part % self.of == self.number - 1
        };
        scripts.into_iter().filter(is_ours).collect()
    }
}

/// The names of serial scripts, in sets. Two names are in the same set if a script has both, or if
/// other names link them.
struct Groups {
    names: Vec<BTreeSet<String>>,
    /// One name of each script that has any.
    of: BTreeMap<PathBuf, String>,
}

impl Groups {
    fn of(scripts: &[PathBuf]) -> Self {
        let mut groups = Self { names: Vec::new(), of: BTreeMap::new() };
        for script in scripts {
            let mut own: BTreeSet<_> = serial_names(script).into_iter().collect();
            let Some(first) = own.first().cloned() else { continue };
            groups.of.insert(script.clone(), first);
            groups.names.retain(|known| {
                let is_linked = !known.is_disjoint(&own);
                if is_linked {
                    own.extend(known.iter().cloned());
                }
                !is_linked
            });
            groups.names.push(own);
        }
        groups
    }

    /// Returns one name that stands for the set of this script; `None` if the script has no name.
    fn name(&self, script: &Path) -> Option<&str> {
        let own = self.of.get(script)?;
        let group = self.names.iter().find(|names| names.contains(own))?;
        group.first().map(String::as_str)
    }
}

/// Sorts the scripts in an order that depends only on the seed and is the same on every machine.
pub(crate) fn shuffle(scripts: &mut [PathBuf], seed: u64) {
    scripts.sort_by_cached_key(|script| hash(script, &seed.to_be_bytes()));
}

/// A number that depends only on the path and the salt.
fn hash(path: &Path, salt: &[u8]) -> u64 {
    let digest = Sha256::new().chain_update(salt).chain_update(path.as_os_str().as_encoded_bytes());
    digest.finalize().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripts() -> Vec<PathBuf> {
        (0..100).map(|n| PathBuf::from(format!("scripts/{n:03}.rhai"))).collect()
    }

    #[test]
    fn the_parts_together_are_all_scripts_each_once() {
        for by in ["slice", "hash"] {
            let part = |n: usize| format!("{by}:{n}/4").parse::<Partition>().unwrap().of(scripts());
            let parts = [1, 2, 3, 4].map(part);
            assert!(parts.iter().all(|part| part.len() > 10), "{by}");
            let mut all = parts.concat();
            all.sort();
            assert_eq!(all, scripts(), "{by}");
        }
    }

    #[test]
    fn a_script_stays_in_its_hash_part_if_others_go() {
        let part: Partition = "hash:2/3".parse().unwrap();
        let few: Vec<_> = scripts().into_iter().step_by(2).collect();
        let kept: Vec<_> =
            part.of(scripts()).into_iter().filter(|script| few.contains(script)).collect();
        assert_eq!(part.of(few.clone()), kept);
    }

    #[test]
    fn scripts_that_are_linked_by_names_stay_together() {
        let folder = tempfile::tempdir().unwrap();
        let all = [("a", "x, y"), ("b", "z"), ("c", "y,z"), ("d", "other"), ("e", "z")];
        let paths = all.map(|(file, names)| {
            let path = folder.path().join(file).with_extension("rhai");
            std::fs::write(&path, format!("// A script.\n// serial: {names}\n")).unwrap();
            path
        });
        for by in ["slice", "hash"] {
            let part =
                |n: usize| format!("{by}:{n}/3").parse::<Partition>().unwrap().of(paths.to_vec());
            let parts = [1, 2, 3].map(part);
            assert_eq!(parts.concat().len(), paths.len());
            let linked = [&paths[0], &paths[1], &paths[2], &paths[4]];
            let of_first = parts.iter().find(|part| part.contains(&paths[0])).unwrap();
            assert!(linked.iter().all(|path| of_first.contains(path)), "{by}: {parts:?}");
        }
    }

    #[test]
    fn a_seed_decides_the_order() {
        let shuffled = |seed| {
            let mut all = scripts();
            shuffle(&mut all, seed);
            all
        };
        assert_eq!(shuffled(7), shuffled(7));
        assert_ne!(shuffled(7), shuffled(8));
        assert_ne!(shuffled(7), scripts());
    }

    #[test]
    fn a_text_that_is_no_partition_is_refused() {
        for text in ["", "slice:0/4", "slice:5/4", "count:1/2", "hash:1", "slice:1/0"] {
            assert!(text.parse::<Partition>().is_err(), "{text}");
        }
    }
}
