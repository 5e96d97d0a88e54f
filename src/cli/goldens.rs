//! The goldens of `mailexpect run`: redaction, policy, and the list of those without a script.

use std::path::PathBuf;

use super::options;
use crate::error::{Error, Kind, Result};
use crate::golden::{self, Goldens, Policy, Stale};
use crate::outcome::{Outcome, Verdict};
use crate::project::Project;
use crate::redaction::Redaction;

/// The redaction of a run: that of the project file, changed by the command line. A script may
/// change it further.
pub(super) fn redaction(
    project: &Project,
    target: Option<&str>,
    args: &options::Redacting,
) -> Result<Redaction> {
    let mut redaction = project.redaction(target)?;
    if let Some(strictness) = args.strictness {
        redaction = redaction.strictness(strictness);
    }
    let redaction =
        args.redact.iter().try_fold(redaction, |redaction, names| redaction.select(names))?;
    args.redact_regex
        .iter()
        .try_fold(redaction, |redaction, (token, regex)| redaction.regex(regex, token))
}

/// Chooses which goldens are compared, and which may be written.
pub(super) fn goldens(args: &options::Goldens, target: Option<&str>) -> Result<Goldens> {
    let mut goldens = Goldens::of_environment()?;
    if let Some(target) = target {
        goldens.target = Some(golden::checked_target(target)?.to_owned());
    }
    goldens.policy = match (args.record, args.update, args.check) {
        (true, _, _) => writing("--record", Policy::Record)?,
        (_, true, _) => writing("--update", Policy::Update)?,
        (_, _, true) => Policy::Check,
        _ => goldens.policy,
    };
    Ok(goldens)
}

fn writing(flag: &str, policy: Policy) -> Result<Policy> {
    if !golden::is_ci() {
        return Ok(policy);
    }
    let error = Error::usage(format!(
        "{flag} would write golden transcripts, but nothing is written if CI is set"
    ));
    Err(error.hint("record on a machine where the change can be reviewed; in CI, leave the option out to compare"))
}

/// A failed outcome for each golden at or below these paths whose script or target is gone, if the
/// options ask for them.
///
/// # Errors
/// If a folder cannot be read.
pub(super) fn unreferenced(
    asked: &options::Goldens,
    paths: &[PathBuf],
    project: &Project,
) -> Result<Vec<Outcome>> {
    if !asked.unreferenced {
        return Ok(Vec::new());
    }
    let targets = project.targets();
    let stale = golden::unreferenced(paths, targets.as_deref())?;
    let failed = |Stale { golden, why }: Stale| {
        let error = Error::new(Kind::Mismatch, format!("the golden is unreferenced: {why}"));
        let failure = Box::new(error.hint("delete it").into());
        Outcome::new(&golden, Verdict::Failed(failure))
    };
    Ok(stale.into_iter().map(failed).collect())
}
