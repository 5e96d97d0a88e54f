//! Closures of one script that run concurrently, each on a coroutine of its own.
//!
//! One word of the script waits for all branches, and its wait polls them. A branch runs until one
//! of its words waits; then the next branch runs that has something to do. Between two waits, a
//! branch is never interrupted for another branch, so its changes to a shared list are atomic for
//! the others. If a branch has to give other *scripts* their turn in the middle of its work, the
//! other branches wait too.
//!
//! What a branch records goes to its own part of the transcript. The parts are appended in the
//! order of the branches, at each barrier and at the end; a case or an attempt that goes on over a
//! barrier is appended when it has ended. So the transcript does not depend on which branch was
//! quicker.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, NativeCallContext};

use super::branch::{Barrier, Branch};
use super::coroutine::{self, Coroutine, Stop, TURN};
use super::ended::Ended;
use super::raise::{Raised, raise};
use super::run::{self, Run};
use super::scope::Scope;
use crate::error::{Error, Kind};
use crate::transcript::{Part, Transcript};

/// The most polls of a branch that has to stop. A stopped branch waits for nothing any more, and a
/// word that does much work checks every few milliseconds whether it has to stop. So a branch ends
/// long before this number of polls.
const LAST_POLLS: usize = 1000;

/// Remembers that a branch has something to do, and wakes the task that polls all branches.
struct Wakeup {
    is_due: AtomicBool,
    all: Arc<Mutex<Option<Waker>>>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_due.store(true, Ordering::Release);
        let waker = self.all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A branch, from its beginning to its end.
struct Running {
    coroutine: Pin<Box<Coroutine<Result<Dynamic, Raised>>>>,
    branch: Rc<Branch>,
    wakeup: Arc<Wakeup>,
    part: Part,
    /// The result of its closure, after it has ended.
    value: Option<Dynamic>,
}

impl Running {
    /// Runs the branch until it waits. What it records goes to its own part.
    fn poll(&mut self, transcript: &Transcript, waker: &Waker) -> Poll<Result<Dynamic, Raised>> {
        transcript.exchange(&mut self.part);
        let back = Back { transcript, part: &mut self.part };
        let polled = self.coroutine.as_mut().poll(&mut Context::from_waker(waker));
        drop(back);
        polled
    }
}

/// Restores the destination of events when it is dropped, also after a panic.
struct Back<'a> {
    transcript: &'a Transcript,
    part: &'a mut Part,
}

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.transcript.exchange(self.part);
    }
}

/// All branches of one call of `together`.
struct Branches {
    all: Vec<Running>,
    barrier: Rc<Barrier>,
    transcript: Transcript,
    waker: Arc<Mutex<Option<Waker>>>,
    /// The branch that ran last.
    last: usize,
}

/// Runs closures concurrently and returns their results.
///
/// # Errors
/// The error of the branch that failed first; the other branches are stopped.
pub(super) fn together(
    context: &NativeCallContext<'_>,
    functions: Vec<FnPtr>,
) -> Result<Array, Raised> {
    let run = Run::current().map_err(|error| raise(context, error))?;
    run.peers.share_thread(&run.whole);
    let mut branches = Branches::new(context, &run, functions)?;
    // In a box, so that a script that waits holds little of its stack.
    let ended = coroutine::wait(Box::pin(poll_fn(|cx| branches.poll(cx))));
    let failed = match ended {
        Ok(Ok(())) => None,
        Ok(Err((place, raised))) => {
            branches.stop(Stop::Abandoned);
            Some((place, raised))
        }
        Err(stop) => Some(match branches.stop(stop) {
            Some(first) => first,
            None => return Err(run::end(context, Ended::Stopped(stop, None))),
        }),
    };
    branches.gather();
    let Some((place, raised)) = failed else {
        return Ok(branches
            .all
            .into_iter()
            .map(|branch| branch.value.unwrap_or_default())
            .collect());
    };
    let branch = &branches.all[place].branch;
    if let Some(step) = branch.step.take() {
        run.steps.resume(step);
    }
    Err(Box::new(EvalAltResult::ErrorInFunctionCall(
        format!("branch {}", branch.number),
        context.call_source().unwrap_or_default().to_owned(),
        raised,
        context.call_position(),
    )))
}

impl Branches {
    fn new(
        context: &NativeCallContext<'_>,
        run: &Run,
        functions: Vec<FnPtr>,
    ) -> Result<Self, Raised> {
        let (barrier, scope) = (Rc::<Barrier>::default(), run.scope());
        let (waker, outer) = (Arc::default(), run.transcript.branch());
        let mut all = Vec::with_capacity(functions.len());
        for ((place, function), strand) in
            functions.into_iter().enumerate().zip(scope.strand().branches())
        {
            let branch =
                Rc::new(Branch::new(place + 1, &barrier, Scope::of_branch(&scope, &strand)));
            let coroutine = spawn(context, run, &branch, function).map_err(|error| {
                let error = format!("no stack for branch {} of the script: {error}", place + 1);
                raise(context, Error::new(Kind::Io, error))
            })?;
            let wakeup = Wakeup { is_due: AtomicBool::new(true), all: Arc::clone(&waker) };
            all.push(Running {
                coroutine: Box::pin(coroutine),
                part: Part::of_branch(outer.branch(branch.number as u64)),
                branch,
                wakeup: Arc::new(wakeup),
                value: None,
            });
        }
        let transcript = run.transcript.clone();
        Ok(Self { last: all.len().saturating_sub(1), all, barrier, transcript, waker })
    }

    /// Polls the branches that have something to do. Ready after all have ended or one has failed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), (usize, Raised)>> {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        coroutine::mark_between_turns(false);
        let began = Instant::now();
        loop {
            if self.all.iter().all(|branch| branch.value.is_some()) {
                return Poll::Ready(Ok(()));
            }
            let Some(next) = self.next() else {
                if self.open_barrier() {
                    continue;
                }
                coroutine::mark_between_turns(self.is_between_turns());
                return Poll::Pending;
            };
            self.last = next;
            let branch = &mut self.all[next];
            branch.wakeup.is_due.store(false, Ordering::Release);
            let waker = Waker::from(Arc::clone(&branch.wakeup));
            match branch.poll(&self.transcript, &waker) {
                Poll::Ready(Ok(value)) => branch.value = Some(value),
                Poll::Ready(Err(raised)) => return Poll::Ready(Err((next, raised))),
                Poll::Pending => {}
            }
            if began.elapsed() >= TURN {
                // The runtime wakes us after other tasks had their turn.
                let _ = pin!(tokio::task::yield_now()).poll(cx);
                coroutine::mark_between_turns(self.is_between_turns());
                return Poll::Pending;
            }
        }
    }

    fn is_between_turns(&self) -> bool {
        let last = &self.all[self.last];
        last.value.is_none() && last.coroutine.is_between_turns()
    }

    /// Returns the branch to run next: the branch that was interrupted in the middle of its work,
    /// or else the next one that has something to do.
    fn next(&self) -> Option<usize> {
        let is_due = |place: &usize| {
            let branch = &self.all[*place];
            branch.value.is_none() && branch.wakeup.is_due.load(Ordering::Acquire)
        };
        if self.is_between_turns() {
            return Some(self.last).filter(is_due);
        }
        let count = self.all.len();
        (1..=count).map(|step| (self.last + step) % count).find(is_due)
    }

    /// Wakes the branches that wait at the barrier, if all branches wait there, or if some wait
    /// although a branch has ended. In the second case they fail.
    fn open_barrier(&mut self) -> bool {
        let ended = self.all.iter().position(|branch| branch.value.is_some());
        let is_there = |branch: &Running| branch.branch.is_at_barrier.get();
        let is_open = match ended {
            None => self.all.iter().all(is_there),
            Some(_) => self.all.iter().any(is_there),
        };
        if !is_open {
            return false;
        }
        if let Some(place) = ended {
            self.barrier.ended.set(Some(place + 1));
        } else {
            for branch in &mut self.all {
                self.transcript.append_ended(&mut branch.part);
            }
            self.barrier.passed.set(self.barrier.passed.get() + 1);
        }
        for branch in self.all.iter().filter(|branch| is_there(branch)) {
            branch.wakeup.is_due.store(true, Ordering::Release);
        }
        true
    }

    /// Stops the branches that still run. Returns the error of the first one that failed.
    fn stop(&mut self, stop: Stop) -> Option<(usize, Raised)> {
        let mut first = None;
        for (place, branch) in self.all.iter_mut().enumerate() {
            if branch.value.is_some() || !branch.coroutine.is_running() {
                continue;
            }
            branch.coroutine.stop(stop);
            for _ in 0..LAST_POLLS {
                if let Poll::Ready(ended) = branch.poll(&self.transcript, Waker::noop()) {
                    first = first.or_else(|| Some((place, ended.err()?)));
                    break;
                }
            }
        }
        first
    }

    /// Appends what the branches recorded to the transcript, one branch after the other.
    fn gather(&mut self) {
        for branch in &mut self.all {
            self.transcript.append(&mut branch.part);
        }
    }
}

/// Makes a coroutine that calls the closure.
fn spawn(
    context: &NativeCallContext<'_>,
    run: &Run,
    branch: &Rc<Branch>,
    function: FnPtr,
) -> std::io::Result<Coroutine<Result<Dynamic, Raised>>> {
    #[expect(deprecated, reason = "Rhai's name for what may change")]
    let stored = context.store_data();
    let engine = Arc::clone(run.engine());
    Coroutine::branch(Rc::<Branch>::clone(branch), move || {
        #[expect(deprecated, reason = "Rhai's name for what may change")]
        let context = stored.create_context(&engine);
        function.call_within_context(&context, ())
    })
}
