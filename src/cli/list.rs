//! `mailexpect list`.

use super::args;
use super::screen::Screen;
use crate::outcome::ExitCode;
use crate::plan;
use crate::report::Human;
use crate::script::{Runner, Settings};

pub(super) fn list(args: &args::List, screen: &mut Screen) -> ExitCode {
    let scripts = match plan::scripts(&args.paths.paths) {
        Ok(scripts) => scripts,
        Err(error) => {
            screen.complain(&error);
            return error.exit_code();
        }
    };
    let runner = Runner::new(Settings::default());
    for script in &scripts {
        screen.show(&Human::default().listed(script, &runner.check(script)));
    }
    ExitCode::Passed
}
