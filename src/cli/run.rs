//! `mailexpect run`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use super::args;
use super::interrupt::on_interrupt;
use super::screen::Screen;
use crate::error::{Error, Kind, Result};
use crate::outcome::{ExitCode, Verdict};
use crate::plan;
use crate::report::{Human, Tally};
use crate::script::{Runner, Settings};

pub(super) fn run(args: args::Run, screen: &mut Screen) -> ExitCode {
    run_all(args, screen).unwrap_or_else(|error| {
        screen.complain(&error);
        error.exit_code()
    })
}

fn run_all(args: args::Run, screen: &mut Screen) -> Result<ExitCode> {
    let scripts = plan::scripts(&args.paths.paths)?;
    let settings =
        Settings { params: params(args.set)?, timeout: args.timeout, deadline: args.deadline, allow_run: args.allow_processes };
    let human = Human { verbose: args.verbose };
    let runner = Runner::new(settings.clone());
    plan::check_params(&runner, &scripts, &settings.params)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::new(Kind::Io, format!("no runtime: {error}")))?;
    let started = Instant::now();
    let mut tally = Tally::default();
    let interrupted = Arc::new(Notify::new());
    let told = Arc::clone(&interrupted);
    on_interrupt(move || told.notify_one());
    runtime.block_on(async {
        for script in &scripts {
            let outcome = runner.run(script, interrupted.notified()).await;
            screen.show(&human.outcome(&outcome));
            tally.add(&outcome);
            if matches!(outcome.verdict, Verdict::Interrupted(_)) {
                break;
            }
        }
    });
    screen.show(&tally.line(started.elapsed()));
    Ok(tally.exit_code())
}

/// The values of parameters; the same name twice is a slip.
pub(super) fn params(set: Vec<(String, String)>) -> Result<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    for (name, value) in set {
        if params.insert(name.clone(), value).is_some() {
            return Err(Error::usage(format!("the parameter `{name}` is set twice")));
        }
    }
    Ok(params)
}
