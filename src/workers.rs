//! Cases run on workers: a thread for each core, and on each as many scripts at once as there is to
//! do.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::duration;
use crate::error::{Error, Kind, Result};
use crate::golden::Goldens;
use crate::interrupt::Interrupt;
use crate::outcome::{ExitCode, Failure, Outcome, Verdict};
use crate::runtime;
use crate::script::Runner;
use crate::transport::Thread;

/// Nearer than the deadlines of operations usually are, and too far to cost anything.
const TICK: Duration = Duration::from_millis(500);

/// Hears of each script as it begins and ends, one at a time, on whichever thread it ran.
pub(crate) trait Audience: Send + 'static {
    /// The run of that number begins.
    fn started(&mut self, _number: usize, _job: &Job) {}

    /// The run of that number has ended.
    fn ended(&mut self, number: usize, outcome: Outcome);
}

/// Runs to be made: each job so many times, numbered from 0 in the order in which they begin.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) jobs: Vec<Job>,
    pub(crate) times: Times,
    /// How many at once, at most.
    pub(crate) at_once: usize,
    /// Cancels all scripts in progress.
    pub(crate) interrupt: Interrupt,
    pub(crate) rules: Rules,
}

/// A script that is to be run, and against what.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) script: PathBuf,
    pub(crate) against: Arc<Against>,
}

/// What a script is run against.
#[derive(Clone)]
pub(crate) struct Against {
    /// The target, if one was named.
    pub(crate) target: Option<Arc<str>>,
    pub(crate) runner: Arc<Runner>,
    /// What the transcripts of runs that passed are held against.
    pub(crate) goldens: Arc<Goldens>,
}

/// How often all jobs are run, one round after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Times {
    /// So many rounds.
    Rounds(usize),
    /// Until this time is up: no further job begins then.
    For(Duration),
    /// Until something else ends it.
    Endless,
}

/// When a script is run again, and when no more are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    /// How often a script that failed is run again.
    pub(crate) retries: u32,
    /// Whether a script that passed only when it was retried has failed.
    pub(crate) flaky_fails: bool,
    /// Whether no further script is begun after one has failed.
    pub(crate) fail_fast: bool,
    /// Whether a script is skipped if a parameter of it has no value.
    pub(crate) skip_incomplete: bool,
    /// How long all scripts together may take.
    pub(crate) time: Option<Duration>,
}

/// What all of it took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) elapsed: Duration,
    /// The processor time of the workers, so without the embedded server's.
    pub(crate) cpu: Duration,
    /// Whether the time of the run was up before all scripts had ended.
    pub(crate) timed_out: bool,
}

/// How many cores there are to work on. To ask takes a dozen calls of the system.
pub(crate) fn cores() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
    *CORES
}

/// How many threads run so many scripts at once. If there are more scripts than cores, they
/// mostly wait, and one core is left to what they wait for: it is often on the same machine.
fn threads(at_once: usize, cores: usize) -> usize {
    if at_once > cores { cores.saturating_sub(1).max(1) } else { at_once }
}

/// Makes all runs, and gives the audience back.
///
/// # Errors
/// If the system gives no thread or no runtime.
pub(crate) fn run<A: Audience>(work: Work, audience: A) -> Result<(A, Spent)> {
    let started = Instant::now();
    let at_once = work.at_once.clamp(1, work.count().max(1));
    let threads = threads(at_once, cores());
    let lanes = |thread: usize| (at_once + thread) / threads;
    let shared = Arc::new(Shared {
        work,
        started,
        next: AtomicUsize::new(0),
        has_failed: AtomicBool::new(false),
        timed_out: AtomicBool::new(false),
        audience: Mutex::new(audience),
    });
    let others: Vec<_> = (1..threads)
        .map(|thread| {
            let (shared, lanes) = (Arc::clone(&shared), lanes(thread));
            thread::Builder::new().spawn(move || worker(&shared, lanes))
        })
        .collect();
    let mut cpu = worker(&shared, lanes(0))?;
    for other in others {
        let other = other
            .map_err(|error| Error::new(Kind::Io, format!("no thread for a worker: {error}")))?;
        cpu += other.join().unwrap_or_else(|panic| resume_unwind(panic))?;
    }
    // All lanes have ended, and with them every other owner.
    let mut shared =
        Arc::into_inner(shared).ok_or_else(|| Error::usage("a worker has not ended"))?;
    tear_down(&mut shared)?;
    let timed_out = shared.timed_out.load(Ordering::Relaxed);
    Ok((
        shared.audience.into_inner().unwrap_or_else(PoisonError::into_inner),
        Spent { elapsed: started.elapsed(), cpu, timed_out },
    ))
}

/// Runs the teardowns of the folders whose scripts have run; those that fail are told as scripts of
/// their own.
fn tear_down<A: Audience>(shared: &mut Shared<A>) -> Result<()> {
    let runtime = runtime::current_thread()?;
    let mut number = shared.next.load(Ordering::Relaxed);
    for job in &shared.work.jobs {
        let torn = runtime.block_on(job.against.runner.tear_down(Thread::Own));
        for mut outcome in torn.into_iter().filter(|outcome| !outcome.is_ok()) {
            outcome.target.clone_from(&job.against.target);
            shared.audience().ended(number, outcome);
            number += 1;
        }
    }
    runtime.shutdown_background();
    Ok(())
}

struct Shared<A> {
    work: Work,
    started: Instant,
    /// The number of the next run.
    next: AtomicUsize,
    has_failed: AtomicBool,
    timed_out: AtomicBool,
    audience: Mutex<A>,
}

impl<A> Shared<A> {
    /// Ready when the time of the run is up, if it has one.
    async fn time_is_up(&self) {
        match self.work.rules.time {
            Some(time) => tokio::time::sleep(time.saturating_sub(self.started.elapsed())).await,
            None => std::future::pending().await,
        }
    }

    /// Whether scripts in progress are cancelled.
    fn is_cancelled(&self) -> bool {
        self.work.interrupt.is_pressed() || self.timed_out.load(Ordering::Relaxed)
    }

    /// Whether no further script is begun.
    fn is_stopped(&self) -> bool {
        let has_failed = self.work.rules.fail_fast && self.has_failed.load(Ordering::Relaxed);
        let is_over = match self.work.times {
            Times::For(time) => self.started.elapsed() >= time,
            Times::Rounds(_) | Times::Endless => false,
        };
        has_failed || is_over || self.is_cancelled()
    }

    fn audience(&self) -> MutexGuard<'_, A> {
        self.audience.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    fn count(&self) -> usize {
        match self.times {
            Times::Rounds(rounds) => self.jobs.len().saturating_mul(rounds),
            Times::For(_) | Times::Endless if self.jobs.is_empty() => 0,
            Times::For(_) | Times::Endless => usize::MAX,
        }
    }
}

/// One thread's share of it: so many scripts at once, each lane taking the next run when its last
/// one has ended. Gives the processor time it took.
fn worker<A: Audience>(shared: &Arc<Shared<A>>, lanes: usize) -> Result<Duration> {
    let before = clock_gettime(ClockId::ThreadCPUTime);
    let runtime = runtime::current_thread()?;
    LocalSet::new().block_on(&runtime, async {
        tokio::task::spawn_local(tick());
        let (press, pressed) = watch::channel(false);
        let first = shared.work.interrupt.pressed();
        let watched = Arc::clone(shared);
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = first => {}
                () = watched.time_is_up() => watched.timed_out.store(true, Ordering::Relaxed),
            }
            // The lanes own what this does as well, until they have ended.
            drop(watched);
            press.send_replace(true);
        });
        let thread = if lanes == 1 { Thread::Own } else { Thread::Shared };
        let lanes: Vec<_> = (0..lanes)
            .map(|_| tokio::task::spawn_local(lane(Arc::clone(shared), thread, pressed.clone())))
            .collect();
        for lane in lanes {
            if let Err(panic) = lane.await {
                resume_unwind(panic.into_panic());
            }
        }
    });
    // Dropped, it would wait for look-ups of hosts that nobody waits for any more.
    runtime.shutdown_background();
    let after = clock_gettime(ClockId::ThreadCPUTime);
    Ok(Duration::try_from(after - before).unwrap_or_default())
}

/// Always has the nearest timer of its thread, until that ends. The deadline of an operation that
/// were nearer than all others would make the runtime write to its own wake-up descriptor, at every
/// operation.
async fn tick() {
    loop {
        // Nobody waits for it: it is a timer to be there.
        tokio::time::sleep(TICK).await;
    }
}

async fn lane<A: Audience>(shared: Arc<Shared<A>>, thread: Thread, pressed: watch::Receiver<bool>) {
    let work = &shared.work;
    let count = work.count();
    while !shared.is_stopped() {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            break;
        }
        let job = &work.jobs[number % work.jobs.len()];
        shared.audience().started(number, job);
        let outcome = attempts(&shared, thread, job, &pressed).await;
        if !outcome.is_ok() {
            shared.has_failed.store(true, Ordering::Relaxed);
        }
        shared.audience().ended(number, outcome);
    }
}

/// Runs a script, again if it fails and may be retried.
async fn attempts<A>(
    shared: &Shared<A>,
    thread: Thread,
    Job { script, against }: &Job,
    pressed: &watch::Receiver<bool>,
) -> Outcome {
    let work = &shared.work;
    let mut failed = Vec::new();
    if let Some(reason) = incomplete(work, against, script) {
        let mut outcome = Outcome::new(script, Verdict::Skipped(reason));
        outcome.target.clone_from(&against.target);
        return outcome;
    }
    loop {
        let mut pressed = pressed.clone();
        let interrupt = async move {
            // An error would be that it is never pressed; whoever sends lives as long as the lanes.
            let _ = pressed.wait_for(|pressed| *pressed).await;
        };
        let mut outcome = against.runner.run_on(thread, script, interrupt).await;
        outcome.target.clone_from(&against.target);
        outcome.cases.iter_mut().for_each(|case| case.target.clone_from(&against.target));
        against.goldens.hold(&mut outcome);
        if let (Verdict::Interrupted(failure), Some(time), true) =
            (&mut outcome.verdict, work.rules.time, shared.timed_out.load(Ordering::Relaxed))
        {
            outcome.verdict = Verdict::Failed(Box::new(out_of_time(failure, time)));
        }
        // A script that is wrong stays so.
        let is_final = outcome.is_ok() || outcome.exit_code() == ExitCode::Wrong;
        if is_final || failed.len() >= work.rules.retries as usize || shared.is_cancelled() {
            outcome.failed_attempts = failed;
            if work.rules.flaky_fails && outcome.is_flaky() {
                outcome.verdict = Verdict::Failed(Box::new(flaky(&outcome)));
            }
            return outcome;
        }
        failed.push(outcome);
    }
}

/// Why a script is skipped that lacks parameters, if that is to be.
fn incomplete(work: &Work, against: &Against, script: &Path) -> Option<String> {
    if !work.rules.skip_incomplete {
        return None;
    }
    let lacking = against.runner.lacking(script);
    (!lacking.is_empty()).then(|| format!("no value for {}", lacking.join(", ")))
}

/// The failure of a script that the end of the run's time cut off.
fn out_of_time(failure: &Failure, time: Duration) -> Failure {
    let message = format!("the time of the run, {}, is up", duration::show(time));
    let error = Error::new(Kind::Timeout, message)
        .hint("give the run more time by --global-timeout, or look for the script that takes it");
    Failure { error, ..failure.clone() }
}

/// The failure of a script that passed only when it was retried, if that is one.
fn flaky(outcome: &Outcome) -> Failure {
    let number = outcome.failed_attempts.len();
    let last = outcome.failed_attempts.last().and_then(Outcome::failure);
    let message = format!("the script is flaky: it passed at attempt {}", number + 1);
    let error = Error::new(Kind::Mismatch, message);
    let error = error.hint("make it pass at the first attempt, or allow it: --flaky-result pass");
    last.map_or_else(
        || error.clone().into(),
        |last| Failure { error: error.clone(), ..last.clone() },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_left_to_what_many_scripts_wait_for() {
        assert_eq!([1, 2, 3, 50].map(|at_once| threads(at_once, 2)), [1, 2, 1, 1]);
        assert_eq!([1, 8, 50].map(|at_once| threads(at_once, 8)), [1, 8, 7]);
        assert_eq!(threads(50, 1), 1);
    }
}
