//! The end of a script or of a case: runs the deferred closures, in any event.

use std::time::Duration;

use rhai::{Dynamic, EvalAltResult, NativeCallContext};

use super::coroutine;
use super::ended::Ended;
use super::failure::{self, End};
use super::library::Library;
use super::raise::Raised;
use super::run::{self, Run};
use super::scope::Scope;
use crate::error::Error;
use crate::outcome::Failure;
use crate::transcript::About;

/// How long deferred closures may run after the script's deadline, or after Ctrl-C.
pub(super) const AFTER_A_STOP: Duration = Duration::from_millis(400);
/// The most time of a script's deadline that is kept for deferred closures.
const MOST_KEPT: Duration = Duration::from_secs(10);

/// Returns how much of a script's deadline is kept for deferred closures: a fifth.
pub(super) fn kept_of(deadline: Duration) -> Duration {
    (deadline / 5).min(MOST_KEPT)
}

/// Runs the deferred closures of the whole script, the last one first. Returns their failures. Call
/// this on the script's own stack.
pub(super) fn run(
    context: &NativeCallContext<'_>,
    run: &Run,
    scope: &Scope,
    library: &Library,
) -> Vec<Failure> {
    let ended = run.ending.reason();
    let failures = run_all(context, run, scope, library);
    // The script's own end counts, whatever happened in the closures.
    run.ending.set(ended);
    failures
}

/// Does the same for a case or an attempt.
///
/// # Errors
/// The end of the script, if it was stopped in one of the closures.
pub(super) fn run_within(
    context: &NativeCallContext<'_>,
    run: &Run,
    scope: &Scope,
    library: &Library,
) -> Result<Vec<Failure>, Raised> {
    let ended = run.ending.reason();
    let failures = run_all(context, run, scope, library);
    if let Some(stopped @ Ended::Stopped(..)) = run.ending.reason() {
        return Err(run::end(context, stopped));
    }
    run.ending.set(ended);
    Ok(failures)
}

fn run_all(
    context: &NativeCallContext<'_>,
    run: &Run,
    scope: &Scope,
    library: &Library,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    while let Some((closure, spot)) = run.ending.deferred.pop(scope) {
        let is_stopped = matches!(run.ending.reason(), Some(Ended::Stopped(..)));
        if is_stopped && run.ending.deferred.is_pardoned() {
            coroutine::pardon();
        }
        let source = spot.source().unwrap_or_default().to_owned();
        let place = library.place(&source, spot.position());
        let line = place.as_ref().map_or(0, |place| place.line);
        run.note(About::Deferred, format!("line {line}"));
        let called: Result<Dynamic, Raised> = closure.call_within_context(context, ());
        if let Err(raised) = called {
            failures.push(failed(raised, &source, library));
        }
    }
    failures
}

fn failed(raised: Raised, source: &str, library: &Library) -> Failure {
    let failure = match failure::end_of(raised, source, library) {
        End::Failed(failure) | End::Interrupted(failure) => failure,
        End::Skipped(_) => Error::usage("skip(...) in a closure that is deferred")
            .hint("a script is skipped before its end; return leaves the closure")
            .into(),
    };
    let step = Some("what was deferred".to_owned());
    Failure { step, ..failure }
}

/// Whether an error ends the script, so that the script cannot catch it.
pub(super) fn is_final(raised: &EvalAltResult) -> bool {
    matches!(raised.unwrap_inner(), EvalAltResult::ErrorTerminated(..))
}
