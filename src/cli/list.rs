//! `mailexpect list`.

use super::args;
use super::screen::Screen;
use crate::error::Result;
use crate::outcome::ExitCode;
use crate::plan;
use crate::report::Human;
use crate::script::{Runner, Settings};

pub(super) fn list(args: &args::List, screen: &mut Screen) -> Result<ExitCode> {
    let scripts = plan::scripts(&args.paths.paths)?;
    let runner = Runner::new(Settings::default());
    for script in &scripts {
        screen.show(&Human::default().listed(script, &runner.check(script)));
    }
    Ok(ExitCode::Passed)
}
