//! The goldens of `mailexpect run`: redaction, policy, and the list of those without a script.

use std::path::PathBuf;

use super::options;
use super::screen::Screen;
use crate::error::{Error, Result};
use crate::golden::{self, Goldens, Policy, Stale};
use crate::outcome::ExitCode;
use crate::project::Project;
use crate::redaction::Redaction;
use crate::report::Human;

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

/// Lists the goldens at or below these paths whose script or target is gone.
pub(super) fn report_unreferenced(
    paths: &[PathBuf],
    project: &Project,
    screen: &mut Screen,
) -> Result<ExitCode> {
    let targets = project.targets();
    let stale = golden::unreferenced(paths, targets.as_deref())?;
    let shown: Vec<_> =
        stale.iter().map(|Stale { golden, why }| (golden.as_path(), *why)).collect();
    screen.show(&Human::unreferenced(&shown));
    Ok(if stale.is_empty() { ExitCode::Passed } else { ExitCode::Failed })
}
