//! Golden transcripts: the recorded transcript of a script, with which each later run is compared.
//!
//! The golden of `scripts/relay.rhai` is `scripts/snapshots/relay.snap`, in insta's format: insta
//! reads it, and `cargo insta review` and `mailexpect review` accept changes to it. A script
//! without a golden is not compared with anything.

mod file;
mod header;
mod info;
mod known;
mod numbers;
#[cfg(feature = "cli")]
mod pending;
mod policy;
mod secret;
mod sections;
mod size;
mod skipped;
#[cfg(feature = "cli")]
mod stale;
mod text;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use numbers::Names;
#[cfg(feature = "cli")]
pub(crate) use pending::Pending;
#[cfg(feature = "cli")]
pub(crate) use policy::is_ci;
pub(crate) use policy::{Goldens, Policy};
use skipped::Kept;
#[cfg(feature = "cli")]
pub(crate) use stale::{Stale, unreferenced};
#[cfg(feature = "cli")]
pub(crate) use text::text;

use crate::error::{Error, Result};
use crate::outcome::{Difference, Golden, Outcome, Verdict};
use crate::redaction::Redaction;

impl Goldens {
    /// Reads a file as a golden and reduces its text as a comparison does.
    #[cfg(feature = "fuzz")]
    pub(crate) fn read(path: &std::path::Path) -> Result<()> {
        let recorded = file::read(path)?;
        let reduced = |recorded: file::Recorded| text::reduced(&recorded.text, &recorded.redaction);
        recorded.map(reduced).transpose().map(drop)
    }

    /// Compares the transcript of a run that passed with its golden, if there is one or if one is
    /// to be made.
    pub(crate) fn hold(&self, outcome: &mut Outcome) {
        // Of a script that skips its rest, nothing is written, so a golden that is to be overwritten
        // stays as it is.
        let is_skipped = matches!(outcome.verdict, Verdict::Skipped(_))
            && !outcome.cases.is_empty()
            && !(self.force_pass || self.policy.writes(false));
        if self.policy != Policy::Ignore && (outcome.failed_by_cases || is_skipped) {
            return self.hold_cases(outcome);
        }
        if self.policy == Policy::Ignore || !matches!(outcome.verdict, Verdict::Passed) {
            return;
        }
        match self.compare(outcome) {
            Ok(Held::As(golden)) => outcome.golden = golden,
            Ok(Held::Differs(difference, cases)) => {
                let (golden, old) = (&difference.golden, difference.old.as_deref());
                let (old, new) = (old.unwrap_or_default(), &difference.new);
                let is_marked = sections::mark(outcome, golden, (old, new), &cases);
                if is_marked && !outcome.cases.is_empty() {
                    outcome.failed_by_cases = true;
                }
                outcome.verdict = Verdict::Differs(Box::new(difference));
            }
            Err(error) => outcome.verdict = Verdict::Failed(Box::new(error.into())),
        }
    }

    /// Compares the cases that passed with their sections of the golden, if there is one, for a
    /// script in which other cases failed, or which skipped its rest. Nothing is written, because
    /// the failed cases and the rest have nothing to write.
    fn hold_cases(&self, outcome: &mut Outcome) {
        let there = Files::of(&outcome.path, self.target.as_deref()).there();
        let run = outcome.redaction.as_deref().cloned().unwrap_or_default();
        let said = there.and_then(|there| {
            let Some((path, golden)) = there else { return Ok(None) };
            Ok(Some((path, Said::beside(golden, outcome, &run)?)))
        });
        match said {
            Ok(Some((path, said))) => {
                let old = said.old.unwrap_or_default();
                sections::mark(outcome, &path, (&old, &said.shown), &said.cases);
                outcome.fail_by_cases();
            }
            Ok(None) => {}
            // An unreadable golden is not the fault of any case.
            Err(error) => outcome.beside.push(error.into()),
        }
    }

    fn compare(&self, outcome: &Outcome) -> Result<Held> {
        let place = Files::of(&outcome.path, self.target.as_deref());
        let there = if self.policy.records() { place.own_there()? } else { place.there()? };
        if there.is_none() && !self.policy.makes_new() {
            return Ok(Held::As(Golden::None));
        }
        let run = outcome.redaction.as_deref().cloned().unwrap_or_default();
        let (path, said) = match there {
            Some((path, golden)) if self.policy.records() => {
                let names = Names::of(outcome, &run);
                let text = text::redacted(outcome, &run)?;
                let kept = Kept::of(outcome, &golden.text, text, &names);
                let old = if golden.redaction.keeps_as(&run) { golden.text } else { String::new() };
                (path, Said::whole(Some(old), kept, run, &names))
            }
            Some((path, golden)) => (path, Said::beside(golden, outcome, &run)?),
            None => {
                let names = Names::of(outcome, &run);
                let kept = Kept::of(outcome, "", text::redacted(outcome, &run)?, &names);
                (place.own(), Said::whole(None, kept, run, &names))
            }
        };
        secret::check_text(&said.new, &outcome.secrets)?;
        secret::check_regexes(&said.redaction, &outcome.secrets)?;
        file::refer(&path)?;
        if said.old.as_deref().is_some_and(|old| file::is_same(old, &said.shown)) {
            if self.policy.writes_pending() {
                file::forget_pending(&path);
            }
            return Ok(Held::As(Golden::Same(path)));
        }
        self.settle(outcome, path, said)
    }

    /// Writes the golden or the pending file as the policy says, for a transcript that differs from
    /// the golden or has none.
    fn settle(&self, outcome: &Outcome, path: PathBuf, said: Said) -> Result<Held> {
        let title = outcome.title.as_deref();
        let snapshot = file::render(&outcome.path, title, &said.redaction, &said.new);
        // A golden that could not be read again is not written.
        header::check(&snapshot).map_err(|why| {
            let error = Error::unwritable(format_args!("the golden {}", path.display()), why);
            error.hint("make the title, and the regexes of redact(...), fewer or shorter")
        })?;
        let is_new = said.old.is_none();
        if self.policy.writes(is_new) {
            file::write(&path, &snapshot)?;
            file::forget_pending(&path);
            return Ok(Held::As(if is_new {
                Golden::Recorded(path)
            } else {
                Golden::Updated(path)
            }));
        }
        let pending = self.policy.leaves_pending(is_new).then(|| file::pending(&path));
        let written = pending.as_ref().map_or(Ok(()), |pending| file::write(pending, &snapshot));
        let unwritten = written.err().map(|error| error.message().to_owned());
        match pending.filter(|_| unwritten.is_none()) {
            Some(pending) if self.force_pass => Ok(Held::As(Golden::Pending(pending))),
            None if self.force_pass => Ok(Held::As(Golden::None)),
            pending => {
                let (old, new) = (said.old, said.shown);
                let difference = Difference { golden: path, old, new, pending, unwritten };
                Ok(Held::Differs(difference, said.cases))
            }
        }
    }
}

/// The transcript of a run beside its golden.
struct Said {
    /// The golden, reduced to what is compared; `None` if there is none.
    old: Option<String>,
    /// The transcript, reduced to what is compared.
    shown: String,
    /// The text that would be written as the golden.
    new: String,
    /// The redaction that the golden would be written with.
    redaction: Redaction,
    /// For each section of the transcript, in order, the place of its case in the outcome.
    cases: Vec<Option<usize>>,
}

impl Said {
    /// A transcript that is compared as it is written, up to its numbers.
    fn whole(old: Option<String>, kept: Kept, redaction: Redaction, names: &Names) -> Self {
        let shown =
            old.as_deref().map(|old| numbers::as_in(old, &kept.text, names, &HashSet::new()));
        let shown = shown.unwrap_or_else(|| kept.text.clone());
        Self { old, shown, new: kept.text, redaction, cases: kept.cases }
    }

    /// Compares a transcript with a golden under the redaction that the golden was made with. If
    /// the run leaves out more, by a lower strictness or by more redactions, both texts are reduced
    /// in the same way.
    fn beside(golden: file::Recorded, outcome: &Outcome, run: &Redaction) -> Result<Self> {
        let file::Recorded { text: old, redaction: made, .. } = golden;
        let redaction = made.clone().with_additions_of(run);
        let names = Names::of(outcome, &redaction);
        let kept = Kept::of(outcome, &old, text::redacted(outcome, &redaction)?, &names);
        if redaction.keeps_as(&made) {
            return Ok(Self::whole(Some(old), kept, redaction, &names));
        }
        let old = text::reduced(&old, &redaction)?;
        let shown = text::reduced(&kept.text, &redaction)?;
        let shown = numbers::as_in(&old, &shown, &names, &HashSet::new());
        Ok(Self { old: Some(old), shown, new: kept.text, redaction, cases: kept.cases })
    }
}

/// The result of a comparison.
enum Held {
    As(Golden),
    /// The difference, and the place of the case for each section of the transcript.
    Differs(Difference, Vec<Option<usize>>),
}

/// The files in which the goldens of a script are kept.
struct Files {
    folder: PathBuf,
    script: String,
    target: Option<String>,
}

impl Files {
    fn of(script: &Path, target: Option<&str>) -> Self {
        let folder = script.parent().unwrap_or(Path::new("")).join(FOLDER);
        let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { folder, script: name, target: target.map(str::to_owned) }
    }

    /// The golden for this target only, or the shared one if there is no target.
    fn own(&self) -> PathBuf {
        match &self.target {
            Some(target) => self.folder.join(format!("{}@{target}.{EXTENSION}", self.script)),
            None => self.shared(),
        }
    }

    fn shared(&self) -> PathBuf {
        self.folder.join(format!("{}.{EXTENSION}", self.script))
    }

    /// The existing golden and its content: the target's own if there is one, else the shared one.
    fn there(&self) -> Result<Option<(PathBuf, file::Recorded)>> {
        match self.own_there()? {
            None if self.target.is_some() => self.read(self.shared()),
            found => Ok(found),
        }
    }

    fn own_there(&self) -> Result<Option<(PathBuf, file::Recorded)>> {
        self.read(self.own())
    }

    /// Reads a golden of this script.
    ///
    /// # Errors
    /// Also usage, if the file is the golden of another script: `a@b.rhai`, and `a.rhai` for the
    /// target `b`, have the same one.
    fn read(&self, path: PathBuf) -> Result<Option<(PathBuf, file::Recorded)>> {
        let Some((path, golden)) = read(path)? else { return Ok(None) };
        let stem = |path: &Path| Some(path.file_stem()?.to_str()?.to_owned());
        let (kept, source) = (stem(&path), golden.source.as_deref());
        let other = source.filter(|source| {
            let stem = stem(Path::new(source)).filter(|stem| *stem != self.script);
            let is_its_golden = stem.zip(kept).is_some_and(|(stem, kept)| {
                kept.strip_prefix(&stem)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
            });
            is_its_golden && self.folder.with_file_name(source).exists()
        });
        let Some(other) = other else { return Ok(Some((path, golden))) };
        let error = Error::usage(format!("{} is the golden of {other}", path.display()));
        Err(error.hint(
            "give one of the scripts another name: what follows `@` in the name of a golden is a target",
        ))
    }
}

/// The golden at a path; `None` if there is no file. A file that cannot be examined counts as
/// existing: to ignore it would let a run pass that was compared with nothing.
fn read(path: PathBuf) -> Result<Option<(PathBuf, file::Recorded)>> {
    let found = path.symlink_metadata().map_err(|error| error.kind());
    if matches!(
        found,
        Err(ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename)
    ) {
        return Ok(None);
    }
    // To ignore another test's snapshot would let a run pass that was compared with nothing.
    if let Some(golden) = file::read(&path)? {
        return Ok(Some((path, golden)));
    }
    let why = "is the snapshot of some other test: its source is no script";
    let error = Error::usage(format!("{} {why}", path.display()));
    Err(error.hint("give the script, or its folder, another name"))
}

/// The folder beside the scripts that holds the goldens.
const FOLDER: &str = "snapshots";

/// The file name extension of goldens, the same as insta's.
const EXTENSION: &str = "snap";

/// The entries of a folder, sorted by name.
#[cfg(feature = "cli")]
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<PathBuf> =
        read.map_err(|error| Error::unreadable(folder.display(), error))?;
    entries.sort();
    Ok(entries)
}

/// Calls `seen` for each file in a folder of goldens, at or below `folder`. Hidden folders and
/// build folders are left out, and links are not followed.
#[cfg(feature = "cli")]
fn each_file(folder: &Path, seen: &mut impl FnMut(&Path) -> Result<()>) -> Result<()> {
    for entry in entries(folder)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if entry.is_dir() && !entry.is_symlink() {
            if !name.starts_with('.') && !["target", "node_modules"].contains(&&*name) {
                each_file(&entry, seen)?;
            }
        } else if folder.ends_with(FOLDER) {
            seen(&entry)?;
        }
    }
    Ok(())
}

/// The name of the script that a golden belongs to, and the target if the golden has one.
#[cfg(feature = "cli")]
fn named(golden: &Path) -> Option<(&str, Option<&str>)> {
    let name = golden.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    Some(name.rsplit_once('@').map_or((name, None), |(script, target)| (script, Some(target))))
}

/// The name of a target, if it can be part of a file name.
///
/// # Errors
/// Usage for a name that cannot be.
#[cfg(feature = "cli")]
pub(crate) fn checked_target(name: &str) -> Result<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain) {
        return Ok(name);
    }
    let error = Error::usage(format!(
        "`{}` cannot be the name of a target",
        crate::visible::escape(name.as_bytes())
    ));
    Err(error.hint(
        "it becomes part of a file's name: use letters, digits, dots, dashes and underscores",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_golden_that_is_there_and_cannot_be_read_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let golden = folder.path().join("a.snap");
        assert!(read(golden.clone()).unwrap().is_none());
        std::fs::write(folder.path().join(FOLDER), "").unwrap();
        assert!(read(folder.path().join(FOLDER).join("a.snap")).unwrap().is_none());
        std::os::unix::fs::symlink("gone", &golden).unwrap();
        let error = read(golden).unwrap_err();
        assert!(error.is_usage() && error.message().contains("cannot read the golden"), "{error}");
    }
}
