//! Selects and orders the scripts for `mailexpect run` and `list`.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::Args;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Kind, Result};
use crate::outcome::{Outcome, Verdict};
use crate::plan::{self, Filter, Partition};
use crate::script::Heading;
use crate::{suggest, visible};

/// The arguments.
#[derive(Args, Debug)]
#[command(next_help_heading = "Selection")]
pub(super) struct Selection {
    /// Run only the scripts that an expression selects: `--filter 'path(imap/) and not tag(slow)'`.
    /// Repeat to add more.
    #[arg(long, value_name = "EXPRESSION")]
    filter: Vec<String>,
    /// Run only scripts with this tag, from a line `// tags: smoke, imap` of the first comment.
    /// Repeat to add more.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Run one part of all scripts, each in turn (slice) or by its path (hash): `slice:1/4`.
    #[arg(long, value_name = "KIND:M/N")]
    partition: Option<Partition>,
    /// Run the scripts in an order that a number decides: `--shuffle 42`.
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,
    /// Run only the scripts that failed when they last ran from this folder.
    #[arg(long)]
    rerun_failed: bool,
}

impl Selection {
    /// The selected scripts of these paths, in the order in which they run.
    ///
    /// # Errors
    /// Usage for invalid paths and filters, and for a selection without scripts.
    pub(super) fn scripts(&self, paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let filters = self.filter.iter().map(|text| Filter::parse(text));
        let filters = filters.collect::<Result<Vec<_>>>()?;
        let mut scripts = plan::scripts(paths)?;
        let found = scripts.len();
        let all = if self.tag.is_empty() { Vec::new() } else { scripts.clone() };
        if !filters.is_empty() || !self.tag.is_empty() {
            scripts.retain(|script| self.selects(&filters, script));
        }
        if self.rerun_failed {
            let failed = failed_before()?;
            scripts.retain(|script| failed.contains(&absolute(script)));
        }
        if scripts.is_empty() {
            let error = Error::usage(format!("none of {found} scripts is selected"));
            return Err(match self.near_tag(&all) {
                _ if self.rerun_failed => {
                    error.hint("none of them failed when it last ran from this folder")
                }
                Some(near) => error.hint(format!("did you mean --tag {near}?")),
                None => error.hint("mailexpect list --verbose shows paths, titles and tags"),
            });
        }
        if let Some(partition) = self.partition {
            scripts = partition.of(scripts);
        }
        if let Some(seed) = self.shuffle {
            plan::shuffle(&mut scripts, seed);
        }
        Ok(scripts)
    }

    /// The known tag that is nearest to an unknown one.
    fn near_tag(&self, scripts: &[PathBuf]) -> Option<String> {
        let known: BTreeSet<_> =
            scripts.iter().flat_map(|script| Heading::of(script).tags).collect();
        let unknown = self.tag.iter().find(|tag| !known.contains(*tag))?;
        let near = suggest::nearest(unknown, known.iter().map(String::as_str))?;
        Some(visible::escape(near.as_bytes()))
    }

    fn selects(&self, filters: &[Filter], script: &Path) -> bool {
        let heading = Heading::of(script);
        let path = script.to_string_lossy();
        let by_tag =
            || self.tag.is_empty() || self.tag.iter().any(|tag| heading.tags.contains(tag));
        let by_filter =
            || filters.is_empty() || filters.iter().any(|filter| filter.selects(&path, &heading));
        by_tag() && by_filter()
    }
}

/// What a run changes in the list of the scripts that failed when they last ran from the current
/// folder. They are stored one path a line, in the user's state folder (XDG), so that nothing is
/// written beside the scripts.
#[derive(Debug, Default)]
pub(super) struct Failed {
    /// `None` if the environment names no state folder. Then nothing is stored.
    file: Option<PathBuf>,
    /// The scripts that failed in this run.
    of_this_run: BTreeSet<PathBuf>,
    /// The scripts that passed in this run, each time.
    passed: BTreeSet<PathBuf>,
}

/// The list for `--rerun-failed`.
///
/// # Errors
/// If the file exists and cannot be read.
fn failed_before() -> Result<BTreeSet<PathBuf>> {
    let Some(file) = state_file() else { return Ok(BTreeSet::new()) };
    read(&file).map_err(|error| {
        let said = format!("cannot read which scripts failed, {}: {error}", file.display());
        Error::new(Kind::Io, said).hint(
            "remove the file and run once without --rerun-failed, or set XDG_STATE_HOME to another folder",
        )
    })
}

impl Failed {
    /// The changes of a run that begins.
    pub(super) fn to_update() -> Self {
        Self { file: state_file(), ..Self::default() }
    }

    /// Records how a script ended. A script that failed on any target of this run counts as failed,
    /// and one that failed before stays in the list until it passes.
    pub(super) fn note(&mut self, outcome: &Outcome) {
        let script = absolute(&outcome.path);
        if !outcome.is_ok() {
            self.passed.remove(&script);
            self.of_this_run.insert(script);
        } else if matches!(outcome.verdict, Verdict::Passed) && !self.of_this_run.contains(&script)
        {
            self.passed.insert(script);
        }
    }

    /// Writes the file for the next run.
    ///
    /// # Errors
    /// If a script failed and the file cannot be written. Otherwise nothing is lost: a container
    /// often has the `HOME` of another user.
    pub(super) fn save(self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if self.of_this_run.is_empty() && !file.exists() {
            return Ok(());
        }
        match self.merge(file) {
            Err(error) if !self.of_this_run.is_empty() => Err(cannot_keep(file, &error)),
            _ => Ok(()),
        }
    }

    /// Makes the changes in the file. Another run from this folder may end at the same time, so the
    /// file is read only now, and the folder is locked until it is written.
    fn merge(&self, file: &Path) -> io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let folder = fs::File::open(folder)?;
        // Some network file systems have no locks. Then the last run wins.
        let _ = folder.lock();
        let mut scripts = match read(file) {
            // A damaged list is lost; the run begins a new one.
            Err(error) if error.kind() == ErrorKind::InvalidData => BTreeSet::new(),
            read => read?,
        };
        scripts.retain(|script| !self.passed.contains(script));
        scripts.extend(self.of_this_run.iter().cloned());
        let lines: Vec<_> = scripts.iter().map(|script| script.to_string_lossy()).collect();
        crate::file::replace(file, lines.join("\n").as_bytes())
    }
}

/// The scripts in the file of failed scripts; none if there is no file.
fn read(file: &Path) -> io::Result<BTreeSet<PathBuf>> {
    match crate::file::read_text(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeSet::new()),
        read => Ok(read?.lines().map(PathBuf::from).collect()),
    }
}

fn cannot_keep(file: &Path, error: &io::Error) -> Error {
    let said = format!("cannot keep which scripts failed in {}: {error}", file.display());
    Error::new(Kind::Io, said)
}

fn absolute(script: &Path) -> PathBuf {
    std::path::absolute(script).unwrap_or_else(|_| script.to_owned())
}

/// The file of failed scripts: `$XDG_STATE_HOME/mailexpect/failed-<hash of the current folder>`.
fn state_file() -> Option<PathBuf> {
    let set = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    let here = env::current_dir().ok()?;
    let hash = Sha256::digest(here.as_os_str().as_encoded_bytes());
    let name = u64::from_be_bytes(*hash.first_chunk()?);
    Some(state?.join("mailexpect").join(format!("failed-{name:016x}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_at_once_both_change_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/failed");
        let run = |scripts: &[(&str, bool)]| {
            let mut failed = Failed { file: Some(file.clone()), ..Failed::default() };
            for (script, is_ok) in scripts {
                let error = || Box::new(Error::usage("x").into());
                let verdict = if *is_ok { Verdict::Passed } else { Verdict::Failed(error()) };
                failed.note(&Outcome::new(Path::new(script), verdict));
            }
            failed
        };
        run(&[("/a", false), ("/b", false)]).save().unwrap();
        let (one, other) = (run(&[("/a", true), ("/c", false)]), run(&[("/d", false)]));
        other.save().unwrap();
        one.save().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "/b\n/c\n/d");
    }
}
