//! `mailexpect diff`: how two servers answer one dialogue.

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::options::{self, Paths, Redacting};
use super::screen::Screen;
use super::targets::{self, Asked, Reach, Set};
use crate::error::{Error, Result};
use crate::golden::{self, Goldens};
use crate::interrupt::Interrupt;
use crate::outcome::{ExitCode, Outcome};
use crate::plan;
use crate::project::Project;
use crate::report::{Beside, Human, Side};
use crate::transcript::What;
use crate::workers::{self, Against, Audience, Job, Rules, Times, Work};

/// The arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 the servers answer alike, 1 they differ, 2 a script or the\ncommand line is wrong, 3 a server could not be reached.\n\nExample: mailexpect diff --target postfix --target exim scripts/relay.rhai"
)]
pub(super) struct Diff {
    #[command(flatten)]
    paths: Paths,
    /// Compare the servers of two targets of `mailexpect.toml`: give this option twice.
    #[arg(long, value_name = "NAME", value_delimiter = ',', required = true)]
    target: Vec<String>,
    /// Also show the lines that are the same.
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    redacting: Redacting,
}

pub(super) fn diff(args: &Diff, screen: &mut Screen) -> Result<ExitCode> {
    let scripts = plan::scripts(&args.paths.paths)?;
    let project = Project::of(Path::new("."))?;
    let targets = project.expand(&args.target)?;
    if targets.len() != 2 {
        let error =
            Error::usage(format!("diff compares two targets, and {} named", named(&targets)));
        return Err(error.hint("mailexpect diff --target postfix --target exim SCRIPT"));
    }
    let goldens = options::Goldens {
        target: targets,
        redacting: args.redacting.clone(),
        ..options::Goldens::default()
    };
    let set = Set::of(args.reach.set()?, screen)?;
    let asked = Asked {
        goldens: &goldens,
        cutting: None,
        at_once: workers::cores(),
        taped: false,
        scripts: &scripts,
        sources: None,
        skip_incomplete: false,
    };
    let against = targets::against(&args.reach, &asked, &project, &set, screen)?;
    targets::check_names(&against, &project, &scripts, &set, screen)?;
    let interrupt = Interrupt::listen()?;
    let beside = Beside { width: Screen::width(), whole: args.all };
    let mut worst = ExitCode::Passed;
    let mut is_any_compared = false;
    for script in &scripts {
        let jobs = against.iter().map(|against| {
            let goldens = Arc::new(Goldens::passed_over());
            let against = Arc::new(Against { goldens, ..(**against).clone() });
            Job { script: script.clone(), against }
        });
        let work = Work {
            jobs: jobs.collect(),
            times: Times::Rounds(1),
            at_once: 2,
            interrupt: interrupt.clone(),
            rules: Rules::default(),
        };
        let (both, _) = workers::run(work, Both::default())?;
        let [Some(left), Some(right)] = both.outcomes else { return Ok(ExitCode::Interrupted) };
        let (left, right) = (side(&left)?, side(&right)?);
        screen.show(&beside.table(script, &left, &right));
        let differ = if left.text == right.text { ExitCode::Passed } else { ExitCode::Failed };
        worst = worst.max(differ).max(left.code).max(right.code);
        is_any_compared |= left.has_session || right.has_session;
        for teardown in both.teardowns {
            screen.note(&Human::default().outcome(&teardown));
            // The servers may answer alike nevertheless.
            let code = Some(teardown.exit_code()).filter(|code| *code != ExitCode::Failed);
            worst = worst.max(code.unwrap_or(ExitCode::Passed));
        }
    }
    if !is_any_compared && worst == ExitCode::Passed {
        let error = Error::usage("nothing was compared: all scripts were skipped on both servers");
        return Err(error.hint("choose scripts that open a session with both servers"));
    }
    Ok(worst)
}

fn named(targets: &[String]) -> String {
    match targets {
        [] => "none is".to_owned(),
        [one] => format!("only `{one}` is"),
        more => format!("{} are", more.len()),
    }
}

/// The transcript of one server, reduced as a golden is. A failed expectation counts as passed
/// here, because the dialogue up to the failure is what is compared. A failure before any session
/// counts, because there is no dialogue.
fn side(outcome: &Outcome) -> Result<Side> {
    let has_session = outcome
        .transcript
        .iter()
        .any(|event| matches!(event.what, What::Connecting(_) | What::Accepted(_)));
    let code = match outcome.exit_code() {
        ExitCode::Failed if has_session => ExitCode::Passed,
        code => code,
    };
    Ok(Side {
        name: outcome.target.as_deref().unwrap_or_default().to_owned(),
        verdict: Beside::verdict(outcome),
        text: golden::text(outcome)?,
        code,
        has_session,
    })
}

/// Keeps the outcomes of both servers.
#[derive(Default)]
struct Both {
    outcomes: [Option<Outcome>; 2],
    /// The teardowns that failed.
    teardowns: Vec<Outcome>,
}

impl Audience for Both {
    fn ended(&mut self, number: usize, outcome: Outcome) {
        if let Some(place) = self.outcomes.get_mut(number) {
            *place = Some(outcome);
        }
    }

    fn teardown_failed(&mut self, outcome: Outcome) {
        self.teardowns.push(outcome);
    }
}
