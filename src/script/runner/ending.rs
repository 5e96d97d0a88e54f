//! The end of a script: by itself, by its deadline or by an interrupt; and the failures of its
//! sessions, listeners and commands that show only then.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rhai::{Dynamic, NativeCallContext};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{Runner, after};
use crate::error::{Error, Kind};
use crate::outcome::{Failure, Verdict};
use crate::script::coroutine::{Coroutine, Stop};
use crate::script::failure::{self, End};
use crate::script::finally;
use crate::script::program::Program;
use crate::script::run::Run;

/// Waits until the script's deadline. If the script has deferred closures by then, waits less, so
/// that they have some of the time.
async fn time_is_up(run: &Run, deadline: Instant, kept: Duration) {
    clock_shows(deadline - kept).await;
    if run.ending.deferred.is_empty() {
        clock_shows(deadline).await;
    }
}

/// Waits until a moment. A timer of the runtime tells of it only after the runtime had a turn, which
/// a script that is always ready does not give it, so the clock is asked first.
async fn clock_shows(moment: Instant) {
    let mut timer = pin!(sleep_until(moment));
    poll_fn(|cx| if Instant::now() >= moment { Poll::Ready(()) } else { timer.as_mut().poll(cx) })
        .await;
}

/// How a script ended, and the failures of its deferred closures.
pub(super) type Ran = (Result<(), End>, Vec<Failure>);

/// How a script ended that was stopped.
fn ended_by(stop: Stop, ran: Ran) -> Ran {
    match (ran, stop) {
        // It had failed, or passed, and was interrupted in its deferred closures.
        ((Err(End::Failed(failure)), beside), Stop::Interrupt) => {
            (Err(End::Interrupted(failure)), beside)
        }
        ((Ok(()), mut beside), Stop::Interrupt) if !beside.is_empty() => {
            (Err(End::Interrupted(beside.remove(0))), beside)
        }
        (ran, _) => ran,
    }
}

impl Runner {
    /// Runs the script until it ends, its deadline passes or it is interrupted.
    pub(super) async fn drive(
        &self,
        run: &Rc<Run>,
        program: Arc<Program>,
        interrupt: impl Future<Output = ()>,
    ) -> Ran {
        let (engine, library) = (Arc::clone(&self.shared.engine), Arc::clone(&self.library));
        let shared = Rc::clone(run);
        // The error of the script is dropped on the script's own stack, because a thrown value may
        // be nested deeply.
        let script = Coroutine::new(Rc::<Run>::clone(run), move || {
            let mut beside = Vec::new();
            let last = |context: &NativeCallContext<'_>, value: Option<&Dynamic>| {
                shared.fixture.end_with(value);
                let failed = shared.ending.take_failed_answer(&shared.whole);
                beside = finally::run(context, &shared, &shared.whole, &library);
                // No word waited for the server any more. A script that failed has its own failure.
                if let Some(failed) = failed.filter(|_| value.is_some()) {
                    let spot = Some(failed.spot().clone());
                    beside.insert(0, failure::at_the_end(failed.error().clone(), spot, &library));
                }
                shared.peers.questions.close();
            };
            let ended = program.run(&engine, last);
            let ended = ended.map_err(|raised| failure::end_of(raised, program.name(), &library));
            (ended, beside)
        });
        let deadline = after(self.deadline());
        let mut script = match script {
            Ok(script) => {
                pin!(script.allow(self.shared.settings.memory).until(deadline.into_std()))
            }
            Err(error) => {
                let error = Error::new(Kind::Io, format!("no stack for the script: {error}"));
                return (Err(End::Failed(error.into())), Vec::new());
            }
        };
        let kept = finally::kept_of(self.deadline());
        // A peer that always has data uses up what tokio lets one task do in a turn, and then every
        // timer and channel of the task would seem to be not ready yet.
        let stop = tokio::select! {
            biased;
            ended = guarded(script.as_mut()) => return ended,
            () = unconstrained(time_is_up(run, deadline, kept)) => Stop::Deadline,
            () = unconstrained(interrupt) => Stop::Interrupt,
        };
        script.stop(stop);
        let left = match stop {
            Stop::Deadline => deadline.saturating_duration_since(Instant::now()),
            _ => Duration::ZERO,
        };
        let ran = tokio::select! {
            biased;
            ended = guarded(script.as_mut()) => Some(ended),
            // This is no pause: it bounds how long the deferred closures of a stopped script may
            // run.
            () = unconstrained(sleep(left + finally::AFTER_A_STOP)) => None,
        };
        let ran = if let Some(ran) = ran {
            ran
        } else {
            script.stop(Stop::Deadline);
            guarded(script).await
        };
        ended_by(stop, ran)
    }

    /// Returns the verdict: the script's own end, then the failures of its sessions, listeners and
    /// commands, which are waited for until the script's deadline, or until it is interrupted.
    pub(super) async fn judge(
        &self,
        run: &Run,
        ended: Result<(), End>,
        deadline: Instant,
        interrupt: impl Future<Output = ()>,
    ) -> Verdict {
        let mut ended = match (ended, run.ending.reason()) {
            // A function of Rhai swallowed the error that ended the script.
            (Ok(()), Some(reason)) => Err(failure::end_of_all(reason, None)),
            (ended, _) => ended,
        };
        let mut failed = None;
        if ended.is_ok() {
            tokio::select! {
                biased;
                over = self.end(run, deadline) => failed = over,
                () = unconstrained(interrupt) => {
                    let error = Error::new(Kind::Timeout, "interrupted");
                    ended = Err(End::Interrupted(self.waiting(run, error)));
                }
            }
        }
        run.peers.close_listeners();
        // A script that failed does not wait for clients.
        run.peers.end_servers(Duration::ZERO).await;
        run.peers.programs.kill(&run.transcript).await;
        run.peers.leave_sessions(&run.whole);
        let with_step = |failure: Failure| Box::new(Failure { step: run.steps.title(), ..failure });
        match (ended, failed) {
            (Err(End::Skipped(reason)), _) => Verdict::Skipped(reason),
            (Err(End::Interrupted(failure)), _) => Verdict::Interrupted(with_step(failure)),
            (Err(End::Failed(failure)), _) => Verdict::Failed(with_step(failure)),
            (Ok(()), Some(failure)) => Verdict::Failed(Box::new(failure)),
            (Ok(()), None) if run.has_proved_nothing() => match run.table.skipped() {
                Some(reason) => Verdict::Skipped(reason),
                None => Verdict::Failed(Box::new(nothing_expected().into())),
            },
            (Ok(()), None) => match run.fixture.wrong_end() {
                Some(error) => Verdict::Failed(Box::new(error.into())),
                None => Verdict::Passed,
            },
        }
    }

    /// Ends a script that ran through. Returns its first failure.
    async fn end(&self, run: &Run, deadline: Instant) -> Option<Failure> {
        let failed = timeout_at(deadline, self.failed_at_the_end(run)).await;
        let failed = failed.unwrap_or_else(|_| Some(self.waiting(run, late())));
        if failed.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            run.peers.end_servers(run.grace().min(left)).await;
        }
        failed
    }

    /// Ends the sessions, listeners and commands of a script. Returns the first failure.
    async fn failed_at_the_end(&self, run: &Run) -> Option<Failure> {
        if let Some((error, handle)) = run.peers.end_sessions(&run.whole).await {
            let failure = failure::at_the_end(error, handle.last(), &self.library);
            return Some(Failure { step: handle.step(), ..failure });
        }
        if let Some(failure) = self.unaccepted(run).await {
            return Some(failure);
        }
        run.peers.close_listeners();
        let wrong = run.peers.programs.end(&run.transcript, run.grace()).await;
        wrong.map(|(error, spot, step)| {
            let failure = failure::at_the_end(error, Some(spot), &self.library);
            Failure { step, ..failure }
        })
    }

    /// Makes the failure of a script whose end did not come to its own end, at the place of the peer
    /// that was waited for.
    fn waiting(&self, run: &Run, error: Error) -> Failure {
        let (spot, step) = match run.peers.first_open(&run.whole) {
            Some(handle) => (handle.last(), handle.step()),
            None => run.peers.programs.first(),
        };
        Failure { step, ..failure::at_the_end(error, spot, &self.library) }
    }

    /// Returns the failure of the script's listeners at its end.
    async fn unaccepted(&self, run: &Run) -> Option<Failure> {
        let (error, listening) = run.peers.end_listeners().await?;
        let used = listening.used();
        let (spot, step) = used.map_or((None, None), |used| (Some(used.spot), used.step));
        let failure = failure::at_the_end(error, spot, &self.library);
        Some(Failure { step, ..failure })
    }
}

/// The error if the deadline ran out while the end waited.
fn late() -> Error {
    Error::new(Kind::Timeout, failure::OUT_OF_TIME).hint(
        "the end of a script waits for its peers to close, and for commands to fail: give it longer with --deadline, or shorten the wait with --grace",
    )
}

/// Polls the script and turns a panic of this crate into a failure of the script, so that the run
/// goes on and the transcript is shown.
fn guarded(mut script: Pin<&mut Coroutine<Ran>>) -> impl Future<Output = Ran> {
    poll_fn(move |cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| script.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| {
            let error = Error::new(Kind::Io, "a word of the script language panicked")
                .hint("that is a mistake of ours: please report it");
            Poll::Ready((Err(End::Failed(error.into())), Vec::new()))
        })
    })
}

fn nothing_expected() -> Error {
    Error::new(Kind::Vacuous, "the script expects nothing at all")
        .hint("a script that passes must have proved something: add an expect")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_looked_at_before_the_runtime_had_a_turn() {
        let runtime = crate::runtime::current_thread().unwrap();
        runtime.block_on(async {
            let moment = Instant::now() + Duration::from_millis(2);
            let mut shown = pin!(clock_shows(moment));
            let mut is_shown =
                async || poll_fn(|cx| Poll::Ready(shown.as_mut().poll(cx).is_ready())).await;
            let is_early = is_shown().await;
            while Instant::now() < moment {
                std::hint::spin_loop();
            }
            // On a slow machine, the moment had passed at the first look.
            assert!(is_early || is_shown().await);
        });
    }

    #[test]
    fn a_panic_is_a_failure_of_the_script_and_not_of_the_run() {
        let runtime = crate::runtime::current_thread().unwrap();
        let script = Coroutine::new(Rc::new(()), || -> Ran { panic!("on purpose") }).unwrap();
        let (Err(End::Failed(failure)), _) = runtime.block_on(guarded(pin!(script))) else {
            panic!("not a failure")
        };
        assert!(failure.error.message().contains("panicked"), "{}", failure.error);
    }
}
