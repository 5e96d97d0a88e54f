//! `mailexpect check`: checks scripts without connecting.

use super::args;
use super::options::params;
use super::screen::Screen;
use super::sources::Sources;
use crate::error::Result;
use crate::outcome::ExitCode;
use crate::plan;
use crate::report::Human;
use crate::script::{Runner, Settings};

pub(super) fn check(args: args::Check, screen: &mut Screen) -> Result<ExitCode> {
    let sources = Sources::of(args.paths.paths, None)?;
    let scripts = plan::scripts(&sources.paths)?;
    let params = params(args.set)?;
    let runner = Runner::new(Settings::default());
    sources.give(&runner);
    runner.check_params(&scripts, &params)?;
    let mut wrong = 0;
    for script in &scripts {
        let survey = runner.check(script);
        wrong += usize::from(!survey.problems.is_empty());
        screen.show(&Human::survey(script, &survey));
    }
    screen.show(&Human::checked(scripts.len(), wrong));
    Ok(if wrong == 0 { ExitCode::Passed } else { ExitCode::Wrong })
}
