//! Tables of test cases: each row is a case of its own.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use std::time::Instant;

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, FnPtr, ImmutableString, Map};

use super::wait;
use crate::error::{Error, Kind};
use crate::outcome::{Failure, Verdict};
use crate::script::bounds::beginning;
use crate::script::ended::Ended;
use crate::script::failure::{self, End};
use crate::script::finally;
use crate::script::library::Library;
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;
use crate::script::scope::Scope;
use crate::script::table::Case;
use crate::secrets::is_secret_name;
use crate::transcript::About;
use crate::visible;

pub(super) const INTRO: &str = "A table is a list of rows, with a closure that is called with each row. Each row is a case of \
its own in all reports, in JUnit and JSON, and is a section of the golden transcript that is compared by itself. If a case \
fails, the others still run. In `cargo test` the script is one test, and its failure names the cases that failed.";

/// The most bytes that the name of a case has; the rest of a longer name is cut off.
const NAME: usize = 100;

/// How deep lists and maps may be nested for a value in them to name a case. Without a limit, the
/// recursion of [`naming`] could exhaust the stack.
const DEEPEST: usize = 8;

/// The value that names a case. In a map, it is the value of `name`, or else the first value whose
/// key is not the name of a secret. In a list, it is the first element. In a list or a map found in
/// this way, the search goes on. Any other value names the case itself. `None` if there is no such
/// value.
fn naming(row: &Dynamic, depth: usize) -> Option<Dynamic> {
    if depth > DEEPEST {
        return None;
    }
    if let Some(map) = row.read_lock::<Map>() {
        let mut public = map.iter().filter(|(name, _)| !is_secret_name(name));
        let named = map.get("name").and_then(|name| naming(name, depth + 1));
        return named.or_else(|| public.find_map(|(_, value)| naming(value, depth + 1)));
    }
    if let Some(list) = row.read_lock::<Array>() {
        return naming(list.first()?, depth + 1);
    }
    Some(row.clone())
}

/// The name of a case, with secrets masked.
fn name_of(ctx: &NativeCallContext<'_>, row: &Dynamic) -> Result<String, Raised> {
    let Some(value) = naming(row, 0) else { return Ok("(no name)".to_owned()) };
    let text = ctx.call_native_fn::<ImmutableString>("to_string", (value,))?;
    let mut text = visible::escape(beginning(&text, NAME).as_bytes());
    if let Ok(run) = Run::current() {
        run.secrets().mask_text(&mut text);
    }
    Ok(if text.is_empty() { "(empty)".to_owned() } else { text })
}

/// Runs one case, whose scope has begun, and what belongs to its end: the closures that it deferred,
/// and the check of the sessions that it opened.
fn case(
    ctx: &NativeCallContext<'_>,
    run: &Run,
    closure: &FnPtr,
    (number, row): (u32, Dynamic),
) -> Result<Case, Raised> {
    let library = Library::of_call(ctx);
    let (began, scope) = (Instant::now(), run.scope());
    let called = closure.call_within_context::<Dynamic>(ctx, (row,)).and_then(|_| {
        let failed = run.ending.take_failed_answer(&scope);
        failed.map_or(Ok(()), |failed| Err(failed.raised()))
    });
    let verdict = match called {
        Ok(()) => Verdict::Passed,
        Err(raised) => ended(ctx, run, raised, &library)?,
    };
    let mut beside = finally::run_within(ctx, run, &scope, &library)?;
    let verdict = match verdict {
        Verdict::Passed => judged(ctx, run, &scope, &library)?,
        other => {
            run.peers.leave_sessions(&scope);
            other
        }
    };
    let expectations = scope.proofs();
    let verdict = match verdict {
        Verdict::Passed if expectations == 0 => Verdict::Failed(Box::new(proves_nothing().into())),
        other => other,
    };
    let verdict = failure::failed_beside(verdict, &mut beside);
    Ok(Case { number, verdict, beside, expectations, elapsed: began.elapsed() })
}

/// The verdict of a case whose closure raised an error. `skip` ends only the case; any other error
/// that ends the whole script is returned as it is.
fn ended(
    ctx: &NativeCallContext<'_>,
    run: &Run,
    raised: Raised,
    library: &Library,
) -> Result<Verdict, Raised> {
    let is_own = run.ending.of_part(&raised, &run.scope(), None).is_some();
    if finally::is_final(&raised) && !is_own {
        let Some(Ended::Skipped(reason)) = run.ending.reason() else { return Err(raised) };
        run.ending.set(None);
        return Ok(Verdict::Skipped(reason));
    }
    let source = ctx.call_source().unwrap_or_default();
    Ok(match failure::end_of(raised, source, library) {
        End::Failed(failure) | End::Interrupted(failure) => {
            Verdict::Failed(Box::new(Failure { step: run.steps.title(), ..failure }))
        }
        End::Skipped(reason) => Verdict::Skipped(reason),
    })
}

/// The verdict of a case whose closure returned. The sessions that the case opened end here, and an
/// error at the end of one fails the case.
fn judged(
    ctx: &NativeCallContext<'_>,
    run: &Run,
    scope: &Scope,
    library: &Library,
) -> Result<Verdict, Raised> {
    let faulty = wait(ctx, run.peers.end_sessions(scope))?;
    Ok(faulty.map_or(Verdict::Passed, |(error, handle)| {
        let failure = failure::at_the_end(error, handle.last(), library);
        Verdict::Failed(Box::new(Failure { step: handle.step(), ..failure }))
    }))
}

fn proves_nothing() -> Error {
    Error::new(Kind::Vacuous, "the case expects nothing at all")
        .hint("a case that passes must have proved something: add an expect, or say skip(\"why\")")
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Calls a closure with each row of a table. If a row is a map with a `name`, that is the name
    /// of the case. Another map names its case by its first value, in the order of its keys, whose
    /// key is not the name of a secret, such as `password`. A list names its case by its first
    /// element, and any other row by its own value. A name that comes again gets a number. When a
    /// case ends, the sessions that it opened are checked and closed, and the closures that it
    /// deferred run. `skip` ends only the case that calls it. If some cases fail, the script goes
    /// on to its end, and then fails.
    ///
    /// ```rhai
    /// let senders = [
    ///     #{name: "plain", path: "<a@example.com>", code: 250},
    ///     #{name: "null", path: "<>", code: 250},
    ///     #{name: "no brackets", path: "a b", code: 501},
    /// ];
    /// cases(senders, |row| {
    ///     let s = connect();
    ///     s.expect(220);
    ///     s.ehlo("client.example");
    ///     s.send("MAIL FROM:" + row.path);
    ///     s.expect(row.code);
    /// });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn cases(ctx: NativeCallContext, rows: Array, closure: FnPtr) -> Result<(), Raised> {
        let run = Run::current().map_err(|error| raise(&ctx, error))?;
        if rows.is_empty() {
            let error = Error::new(Kind::Vacuous, "the table has no rows");
            return Err(raise(
                &ctx,
                error.hint("cases([...], |row| ...) proves nothing without one"),
            ));
        }
        if run.scope().is_in_case() {
            let error = Error::usage("a case cannot have cases of its own");
            return Err(raise(&ctx, error.hint("make one row of each pair")));
        }
        for row in rows {
            let (name, scope) = (name_of(&ctx, &row)?, Scope::of_case(&run.scope()));
            let number = run.table.begin(scope.order(), name.clone());
            run.note(About::Case(number), name.as_str());
            let case = || super::case(&ctx, &run, &closure, (number, row));
            let case = run.within(&scope, case);
            run.table.add(case?).map_err(|error| raise(&ctx, error))?;
            run.note(About::CaseEnded(number), name);
        }
        Ok(())
    }
}
