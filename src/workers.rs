//! Running cases on workers: one thread for each core, and on each thread as many scripts at once
//! as needed.

mod attempts;

use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::error::{Error, Kind, Result};
use crate::golden::Goldens;
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::runtime;
use crate::script::Runner;
use crate::transport::ThreadUse;

/// A receiver of progress: it is called as each script begins and ends, for one script at a time,
/// on the thread that ran it.
pub(crate) trait Audience: Send + 'static {
    /// The run of this number begins.
    fn started(&mut self, _number: usize, _job: &Job) {}

    /// The run of this number has ended.
    fn ended(&mut self, number: usize, outcome: Outcome);

    /// The teardown of a folder has failed, after all runs. It is none of them.
    fn teardown_failed(&mut self, outcome: Outcome);

    /// The teardown of a folder has passed, after all runs.
    fn teardown_passed(&mut self, _: Outcome) {}
}

/// The runs to be made: each job several times, numbered from 0 in the order in which they begin.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) jobs: Vec<Job>,
    pub(crate) times: Times,
    /// How many scripts run at once, at most.
    pub(crate) at_once: usize,
    /// Cancels all scripts in progress.
    pub(crate) interrupt: Interrupt,
    pub(crate) rules: Rules,
}

/// A script to be run, and the target to run it against.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) script: PathBuf,
    pub(crate) against: Arc<Against>,
}

/// The target of a script, with what is needed to run and check it.
#[derive(Clone)]
pub(crate) struct Against {
    /// The target, if one was named.
    pub(crate) target: Option<Arc<str>>,
    pub(crate) runner: Arc<Runner>,
    /// The goldens that the transcripts of runs that passed are compared with.
    pub(crate) goldens: Arc<Goldens>,
}

/// How often all jobs are run, one round after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Times {
    /// All jobs run this number of times.
    Rounds(usize),
    /// Jobs run again until this time is up. No job begins after that.
    For(Duration),
    /// Jobs run again until something else ends the run.
    Endless,
}

/// When a script is run again, and when no further scripts are begun.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    /// How many times a script that failed is run again.
    pub(crate) retries: u32,
    /// Whether a script that passed only after a retry counts as failed.
    pub(crate) flaky_fails: bool,
    /// Whether no further script is begun after one has failed.
    pub(crate) fail_fast: bool,
    /// Whether a script is skipped if one of its parameters has no value.
    pub(crate) skip_incomplete: bool,
    /// The time limit for all scripts together.
    pub(crate) time: Option<Duration>,
}

/// The time that all runs took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) elapsed: Duration,
    /// The processor time of the workers, which leaves out the embedded server's.
    pub(crate) cpu: Duration,
    /// Whether the time limit was reached before all scripts had ended.
    pub(crate) timed_out: bool,
}

/// The number of cores. It is computed once, because asking takes a dozen system calls.
pub(crate) fn cores() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
    *CORES
}

/// The number of threads that run this many scripts at once. If there are more scripts than cores,
/// the scripts mostly wait for servers, and one core is left free: a server is often on the same
/// machine.
fn threads(at_once: usize, cores: usize) -> usize {
    if at_once > cores { cores.saturating_sub(1).max(1) } else { at_once }
}

/// Makes all runs, and returns the audience.
///
/// # Errors
/// If the system cannot create a thread or a runtime.
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
    // All lanes have ended, and they were the only other owners.
    let shared =
        Arc::into_inner(shared).ok_or_else(|| Error::new(Kind::Io, "a worker has not ended"))?;
    tear_down(&shared)?;
    let timed_out = shared.timed_out.load(Ordering::Relaxed);
    Ok((
        shared.audience.into_inner().unwrap_or_else(PoisonError::into_inner),
        Spent { elapsed: started.elapsed(), cpu, timed_out },
    ))
}

/// How long all teardowns may take after the run was interrupted.
const TEARDOWN: Duration = Duration::from_millis(400);
/// How long all teardowns may take after the time of the run is up.
const TEARDOWN_LATE: Duration = Duration::from_secs(2);

/// Runs the teardowns of the folders whose scripts have run.
fn tear_down<A: Audience>(shared: &Shared<A>) -> Result<()> {
    let runtime = runtime::current_thread()?;
    let since = OnceLock::new();
    let pressed = || async {
        shared.work.interrupt.pressed().await;
        let until = *since.get_or_init(tokio::time::Instant::now) + TEARDOWN;
        tokio::time::sleep_until(until).await;
    };
    let interrupt = || async {
        tokio::select! {
            () = pressed() => {}
            () = shared.time_is_up(TEARDOWN_LATE) => shared.timed_out.store(true, Ordering::Relaxed),
        }
    };
    for job in &shared.work.jobs {
        let torn = runtime.block_on(job.against.runner.tear_down(ThreadUse::Exclusive, interrupt));
        for mut outcome in torn {
            outcome.target.clone_from(&job.against.target);
            attempts::blame_time(shared, &mut outcome);
            if outcome.is_ok() {
                shared.audience().teardown_passed(outcome);
            } else {
                shared.audience().teardown_failed(outcome);
            }
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
    /// Ready when the time limit of the run is reached and `more` time has passed; pending for ever
    /// without a limit.
    async fn time_is_up(&self, more: Duration) {
        match self.work.rules.time {
            Some(time) => {
                let left = time.saturating_add(more).saturating_sub(self.started.elapsed());
                tokio::time::sleep(left).await;
            }
            None => std::future::pending().await,
        }
    }

    /// Whether scripts in progress have to be cancelled.
    fn is_cancelled(&self) -> bool {
        self.work.interrupt.is_pressed() || self.timed_out.load(Ordering::Relaxed)
    }

    /// Whether no further script may begin.
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

/// Runs the share of one thread: a number of lanes, each of which takes the next run when its last
/// one has ended. Returns the processor time that the thread took.
fn worker<A: Audience>(shared: &Arc<Shared<A>>, lanes: usize) -> Result<Duration> {
    let before = clock_gettime(ClockId::ThreadCPUTime);
    let runtime = runtime::current_thread()?;
    LocalSet::new().block_on(&runtime, async {
        let (press, pressed) = watch::channel(false);
        let first = shared.work.interrupt.pressed();
        let watched = Arc::clone(shared);
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = first => {}
                () = watched.time_is_up(Duration::ZERO) => watched.timed_out.store(true, Ordering::Relaxed),
            }
            // Dropped so that the lanes, once they have ended, leave no other owner of the shared
            // state.
            drop(watched);
            press.send_replace(true);
        });
        let thread = if lanes == 1 { ThreadUse::Exclusive } else { ThreadUse::Shared };
        let lanes: Vec<_> = (0..lanes)
            .map(|_| tokio::task::spawn_local(lane(Arc::clone(shared), thread, pressed.clone())))
            .collect();
        for lane in lanes {
            if let Err(panic) = lane.await {
                resume_unwind(panic.into_panic());
            }
        }
    });
    // A plain drop would wait for look-ups of hosts whose results are not needed any more.
    runtime.shutdown_background();
    let after = clock_gettime(ClockId::ThreadCPUTime);
    Ok(Duration::try_from(after - before).unwrap_or_default())
}

async fn lane<A: Audience>(
    shared: Arc<Shared<A>>,
    thread: ThreadUse,
    pressed: watch::Receiver<bool>,
) {
    let work = &shared.work;
    let count = work.count();
    while !shared.is_stopped() {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            break;
        }
        let job = &work.jobs[number % work.jobs.len()];
        shared.audience().started(number, job);
        let outcome = attempts::run(&shared, thread, job, &pressed).await;
        if !outcome.is_ok() {
            shared.has_failed.store(true, Ordering::Relaxed);
        }
        shared.audience().ended(number, outcome);
    }
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
