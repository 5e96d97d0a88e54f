//! `mailexpect list`: lists scripts.

use std::path::PathBuf;

use super::args;
use super::screen::Screen;
use crate::error::Result;
use crate::outcome::ExitCode;
use crate::report::Human;
use crate::script::{Heading, Runner, Settings, shipped};

pub(super) fn list(args: &args::List, screen: &mut Screen) -> Result<ExitCode> {
    let inside: Vec<_> = shipped::names().map(PathBuf::from).collect();
    let paths = if args.shipped { &inside } else { &args.paths.paths };
    let scripts = args.selection.scripts(paths)?;
    let runner = Runner::new(Settings::default());
    for script in &scripts {
        let heading = Heading::of(script);
        let params = args.verbose.then(|| runner.params(script));
        screen.show(&Human::listed(script, &heading, params.as_ref()));
    }
    Ok(ExitCode::Passed)
}
