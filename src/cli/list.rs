//! `mailexpect list`.

use super::args;
use super::screen::Screen;
use crate::error::Result;
use crate::outcome::ExitCode;
use crate::report::Human;
use crate::script::{Heading, Runner, Settings};

pub(super) fn list(args: &args::List, screen: &mut Screen) -> Result<ExitCode> {
    let scripts = args.selection.scripts(&args.paths.paths)?;
    let runner = Runner::new(Settings::default());
    for script in &scripts {
        let heading = Heading::of(script);
        let params = args.verbose.then(|| runner.params(script));
        screen.show(&Human::listed(script, &heading, params.as_ref()));
    }
    Ok(ExitCode::Passed)
}
