//! Failures that are expected, closures that are tried again, and closures that run at the end of a
//! script in any case.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use std::fmt::Write as _;
use std::time::Duration;

use rhai::FnPtr;
use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use tokio::time::Instant;

use super::{argument, wait};
use crate::error::{Error, Kind};
use crate::script::failure;
use crate::script::finally::{self, is_final};
use crate::script::library::Library;
use crate::script::raise::{Caught, Raised, Spot, raise};
use crate::script::run::Run;
use crate::script::scope::Scope;
use crate::transcript::About;
use crate::{duration, suggest};

pub(super) const INTRO: &str = "`fails` requires a failure, and `eventually` and `retry` try again until something succeeds, \
because scripts have no sleep. A golden transcript contains only the attempt that passed. A closure that was given to `defer` \
runs at the end of the script, or of the case in `cases`, whatever happened.";

/// The pause after the first attempt, and the longest pause, to which the pauses grow.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// The limits of repeated attempts.
struct Attempts {
    /// The most attempts.
    most: u64,
    /// The deadline of all attempts together.
    until: Option<Instant>,
    /// The length of each pause. Without it, the pauses grow.
    every: Option<Duration>,
    /// These limits in words, for errors.
    words: String,
}

impl Attempts {
    /// Calls the closure until it does not fail. The deadline also cuts off operations within an
    /// attempt.
    fn run(&self, ctx: &NativeCallContext<'_>, closure: &FnPtr) -> Result<Dynamic, Raised> {
        let run = Run::current().map_err(|error| raise(ctx, error))?;
        let library = Library::of_call(ctx);
        let mut last: Option<Caught> = None;
        let mut pause = self.every.unwrap_or(PAUSES.0);
        for number in 1_u64.. {
            run.note(About::Attempt, number.to_string());
            let attempt = Scope::within(&run.scope());
            attempt.set_limit(self.until.into_iter().chain(run.limit()).min());
            let called = run.within(&attempt, || closure.call_within_context::<Dynamic>(ctx, ()));
            let failed = match called {
                Ok(value) => {
                    let Some(failed) = run.ending.take_failed_answer(&attempt) else {
                        run.note(About::AttemptPassed, number.to_string());
                        return Ok(value);
                    };
                    failed
                }
                Err(raised) => match run.ending.of_part(&raised, &attempt, self.until) {
                    Some(failed) => failed,
                    None => failure::caught(raised, ctx.call_source())?,
                },
            };
            let mut said = format!("{number}: {}", failed.error().message());
            // What is deferred may need sessions and time that the attempt no longer has.
            attempt.set_limit(run.limit());
            let deferred = || finally::run_within(ctx, &run, &attempt, &library);
            for beside in run.within(&attempt, deferred)? {
                let _ = write!(said, "; what was deferred: {}", beside.error.message());
            }
            run.peers.leave(&attempt, &run.transcript);
            run.note(About::AttemptFailed, said);
            if failed.error().is_lasting() {
                // A mistake in the script would fail each attempt in the same way.
                return Err(failed.raised());
            }
            let is_cut = self.is_over();
            let failed = if is_cut { last.unwrap_or(failed) } else { failed };
            if is_cut || number >= self.most {
                return Err(self.ran_out(&failed, number).raised());
            }
            last = Some(failed);
            // Nothing reports when another attempt would succeed, so the only way is to pause and
            // try again.
            let longest = self.until.map(|until| until.saturating_duration_since(Instant::now()));
            wait(ctx, tokio::time::sleep(longest.map_or(pause, |longest| longest.min(pause))))?;
            pause = self.every.unwrap_or((pause * 2).min(PAUSES.1));
        }
        Ok(Dynamic::UNIT)
    }

    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn ran_out(&self, last: &Caught, attempts: u64) -> Caught {
        let times = if attempts == 1 { "once" } else { &format!("{attempts} times") };
        let message = format!(
            "it was tried {times} {}, and failed at last: {}",
            self.words,
            last.error().message()
        );
        last.with(last.error().clone().say(&message))
    }
}

/// Calls the closure and returns its failure; `None` if it does not fail.
fn failure_of(ctx: &NativeCallContext<'_>, closure: &FnPtr) -> Result<Option<Caught>, Raised> {
    match closure.call_within_context::<Dynamic>(ctx, ()) {
        Ok(_) => Ok(None),
        Err(raised) if is_final(&raised) => Err(raised),
        Err(raised) => failure::caught(raised, ctx.call_source()).map(Some),
    }
}

fn unknown_kind(kind: &str) -> Error {
    let error = Error::usage(format!("there is no failure of kind `{kind}`"));
    let kinds = Kind::ALL.map(Kind::name);
    match suggest::nearest(kind, kinds) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("the kinds are {}", kinds.join(", "))),
    }
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Calls a closure that has to fail with the given kind of failure. Returns the failure, in the
    /// form that `catch` has (see Caught errors). Fails if the closure does not fail, or fails with
    /// another kind.
    ///
    /// ```rhai
    /// let s = connect();
    /// let e = fails("mismatch", || s.expect(554));
    /// assert_eq(e.expected, "554");
    /// assert(e.got.starts_with("220 "));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn fails(ctx: NativeCallContext, kind: &str, closure: FnPtr) -> Result<Caught, Raised> {
        if !Kind::ALL.iter().any(|known| known.name() == kind) {
            return Err(raise(&ctx, unknown_kind(kind)));
        }
        let Some(caught) = failure_of(&ctx, &closure)? else {
            let error = Error::new(Kind::Assert, "nothing failed, although a failure was required");
            return Err(raise(&ctx, error.with_expected(format!("a failure of kind {kind}"))));
        };
        let error = caught.error();
        if error.kind().name() != kind {
            let other =
                Error::new(Kind::Assert, "the failure is of another kind than the required one");
            let other = other.with_expected(format!("a failure of kind {kind}"));
            return Err(raise(&ctx, other.with_got(format!("{}: {error}", error.kind().name()))));
        }
        super::super::test::count();
        Ok(caught)
    }

    /// Calls a closure again and again until it does not fail, within the given time, and returns
    /// its result. When the time is up, the attempt in progress is cut off, which it cannot catch,
    /// and the script fails with the last failure before it. If an attempt fails, the sessions,
    /// listeners and servers that it opened are closed, and the commands that it started are killed;
    /// none of them is judged. A mistake in the script is not tried again; a file that cannot be
    /// read yet, or a port in use, is.
    ///
    /// ```rhai
    /// let tries = 0;
    /// let s = eventually("5s", || {
    ///     tries += 1;
    ///     assert(tries > 2, "not yet");
    ///     connect()
    /// });
    /// s.expect(220);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn eventually(
        ctx: NativeCallContext,
        time: Dynamic,
        closure: FnPtr,
    ) -> Result<Dynamic, Raised> {
        let time = argument::duration(&time).map_err(|error| raise(&ctx, error))?;
        let until = Instant::now().checked_add(time);
        let words = format!("within {}", duration::show(time));
        Attempts { most: u64::MAX, until, every: None, words }.run(&ctx, &closure)
    }

    /// Calls a closure until it does not fail, at most the given number of times, with a pause
    /// between attempts. Returns the closure's result. If every attempt fails, the script fails
    /// with the last failure.
    ///
    /// ```rhai
    /// let tries = 0;
    /// retry(5, "10ms", || {
    ///     tries += 1;
    ///     assert(tries == 3, "not yet");
    /// });
    /// assert_eq(tries, 3);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn retry(
        ctx: NativeCallContext,
        times: i64,
        every: Dynamic,
        closure: FnPtr,
    ) -> Result<Dynamic, Raised> {
        let every = argument::duration(&every).map_err(|error| raise(&ctx, error))?;
        let most = u64::try_from(times).ok().filter(|times| *times > 0);
        let most = most.ok_or_else(|| {
            raise(&ctx, Error::usage(format!("{times} attempts are none: give 1 or more")))
        })?;
        let words = format!("with {} between", duration::show(every));
        Attempts { most, until: None, every: Some(every), words }.run(&ctx, &closure)
    }

    /// Runs a closure at the end of the script, or of the case in `cases`, whatever happened: it
    /// passed, failed, was skipped, ran out of time or was interrupted. In an attempt of
    /// `eventually` or `retry` that fails, the closure runs at the end of the attempt. The last one
    /// that was deferred runs first. What fails in it is shown beside the script's own failure, and
    /// fails a script that had none; after an attempt that failed, it is only in the transcript. The last fifth of the script's deadline is kept for them, at most
    /// 10 s; after Ctrl-C, all of them together have 400 ms. In a `for` loop a closure shares the
    /// variable of the loop, which has its last value by then: the script does not start, and says
    /// to give each closure its own.
    ///
    /// ```rhai
    /// let s = connect();
    /// defer(|| s.quit());
    /// s.expect(220);
    /// s.ehlo("client.example");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn defer(ctx: NativeCallContext, closure: FnPtr) -> Result<(), Raised> {
        let run = Run::current().map_err(|error| raise(&ctx, error))?;
        run.ending
            .deferred
            .push(run.scope(), closure, Spot::of(&ctx))
            .map_err(|error| raise(&ctx, error))
    }
}
