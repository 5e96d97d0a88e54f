//! Runs the words that wait: the script is suspended until the operation has ended.

use rhai::{EvalAltResult, NativeCallContext, Position};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, timeout_at};

use super::coroutine::{self, Stop};
use super::ended::Ended;
use super::handle::{Handle, Taken};
use super::raise::{Caught, Raised, Spot, raise};
use super::run::{self, Run};
use crate::error::{Error, Kind, Result};
use crate::server::Question;
use crate::session::Session;

impl Handle {
    /// Reads or sets something without waiting.
    pub(super) fn with<T>(
        &self,
        context: &NativeCallContext<'_>,
        read: impl FnOnce(&mut Session) -> T,
    ) -> Result<T, Raised> {
        let mut taken = self.take().map_err(|error| raise(context, error))?;
        taken.session().map(read).map_err(|error| raise(context, error))
    }

    /// Runs an operation to its end, and suspends the script while the operation waits.
    pub(super) fn operate<T>(
        &self,
        context: &NativeCallContext<'_>,
        operation: impl AsyncFnOnce(&mut Session) -> Result<T>,
    ) -> Result<T, Raised> {
        let mut taken = self.take().map_err(|error| raise(context, error))?;
        self.note(context, Run::current().ok().and_then(|run| run.steps.current()));
        let before = taken.session().map_or(0, |session| session.expectations());
        let outcome = operated(context, &mut taken, operation);
        if let (Ok(session), Ok(run)) = (taken.session(), Run::current()) {
            run.scope().count(session.expectations().saturating_sub(before));
        }
        outcome
    }
}

/// Runs an operation of a session to its end.
fn operated<T>(
    context: &NativeCallContext<'_>,
    taken: &mut Taken,
    operation: impl AsyncFnOnce(&mut Session) -> Result<T>,
) -> Result<T, Raised> {
    // In a box, so that a script that waits holds little of its stack.
    let limit = Run::current().ok().and_then(|run| run.limit());
    let operation = Box::pin(async { operation(taken.session()?).await });
    let attended = attended(within(limit, operation)).inspect_err(|_| {
        // A closure that decides for a server failed, so this operation was cut off.
        drop(taken.session().ok().and_then(|session| session.cut_off()));
    })?;
    match attended {
        Ok(Some(outcome)) => outcome.map_err(|error| raise(context, error)),
        Ok(None) => {
            let waiting = taken.session().ok().and_then(|session| session.cut_off());
            attempt_is_cut(context, waiting)
        }
        Err(stop) => {
            let waiting = taken.session().ok().and_then(|session| session.cut_off()).map(Box::new);
            Err(run::end(context, Ended::Stopped(stop, waiting)))
        }
    }
}

/// Ends an attempt of `eventually` whose time is up, in an operation that was cut off. The attempt
/// cannot catch this: the server has not failed.
fn attempt_is_cut<T>(context: &NativeCallContext<'_>, waiting: Option<Error>) -> Result<T, Raised> {
    let waiting = waiting.unwrap_or_else(|| Error::new(Kind::Timeout, ""));
    let cut = Caught::new(waiting.say("the time for it to pass is up"), Spot::of(context));
    Err(run::end(context, Ended::AttemptCut(cut)))
}

/// Returns the output of a future, or `None` if the limit comes first.
async fn within<F: Future>(limit: Option<Instant>, future: F) -> Option<F::Output> {
    match limit {
        Some(limit) => timeout_at(limit, future).await.ok(),
        None => Some(future.await),
    }
}

/// Waits for a future. Meanwhile, closures of the script answer the questions of servers in the
/// background.
///
/// # Errors
/// The end of the script, or of the part that started the server, because a closure failed; the wait
/// for the future then ends.
fn attended<F: Future>(future: F) -> Result<Result<F::Output, Stop>, Raised> {
    let run = Run::current().ok().filter(|run| run.peers.questions.are_expected());
    let Some(run) = run else { return Ok(coroutine::wait(future)) };
    let mut future = Box::pin(future);
    loop {
        check_answers(&run)?;
        let either = async {
            tokio::select! {
                biased;
                output = &mut future => Either::Over(output),
                // `unconstrained`, because a peer that always has data uses up the task's turns:
                // see `Runner::drive`.
                question = unconstrained(run.peers.questions.next()) => Either::Asked(question),
            }
        };
        match coroutine::wait(either) {
            Ok(Either::Over(output)) => return check_answers(&run).map(|()| Ok(output)),
            Ok(Either::Asked(question)) => decide(&run, question)?,
            Err(stop) => return Ok(Err(stop)),
        }
    }
}

/// Answers the question of a server, within the part of the script that started the server. If the
/// closure fails, the failure waits for that part: any branch may be the one that answers.
///
/// # Errors
/// The end of the script.
fn decide(run: &Run, question: Question) -> Result<(), Raised> {
    let questions = &run.peers.questions;
    let Some(scope) = questions.scope(&question) else { return Ok(()) };
    let Err(raised) = run.within(&scope, || questions.decide(question, run.engine())) else {
        return Ok(());
    };
    let EvalAltResult::ErrorTerminated(token, _) = raised.unwrap_inner() else {
        return Err(raised);
    };
    match token.clone().try_cast() {
        Some(Ended::AnswerFailed(failed) | Ended::AttemptCut(failed)) => {
            run.ending.note_failed_answer(scope, failed);
            Ok(())
        }
        _ => Err(raised),
    }
}

/// Checks that no closure has failed for a server that was started around what waits now.
///
/// # Errors
/// The end of the part that started the server.
fn check_answers(run: &Run) -> Result<(), Raised> {
    let failed = run.ending.failed_answer(&run.scope());
    failed.map_or(Ok(()), |failed| Err(Ended::AnswerFailed(failed).raised(Position::NONE)))
}

/// The event that came first.
enum Either<T> {
    Over(T),
    Asked(Question),
}

/// Waits for a future. If the script has to stop during the wait, ends the script.
pub(super) fn wait<F: Future>(
    context: &NativeCallContext<'_>,
    future: F,
) -> Result<F::Output, Raised> {
    let limit = Run::current().ok().and_then(|run| run.limit());
    match attended(within(limit, future))? {
        Ok(Some(output)) => Ok(output),
        Ok(None) => attempt_is_cut(context, None),
        Err(stop) => Err(run::end(context, Ended::Stopped(stop, None))),
    }
}
