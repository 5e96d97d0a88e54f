//! Turns the errors of Rhai that end a script into failures with their places.
#![allow(clippy::boxed_local, reason = "Rhai's errors are boxed")]

use rhai::{Dynamic, EvalAltResult, ParseError};

use super::coroutine::{self, Stop};
use super::ended::Ended;
use super::library::Library;
use super::near;
use super::raise::{Caught, Raised, Spot};
use super::rhai_error::{holds_too_much, out_of_bounds, uncapitalised, wrong};
use super::run::Run;
use super::vocabulary;
use crate::error::{Error, Kind};
use crate::outcome::{Failure, Place, Verdict};
use crate::{room, visible};

/// The message if a script, or its end, took longer than it may.
pub(super) const OUT_OF_TIME: &str = "the deadline of the whole script ran out";

/// The end of a script that did not run through.
pub(super) enum End {
    Failed(Failure),
    Interrupted(Failure),
    Skipped(String),
}

/// Turns the error of Rhai into a failure with its place.
pub(super) fn end_of(raised: Raised, script: &str, library: &Library) -> End {
    let mut source = script.to_owned();
    let mut calls = Vec::new();
    let mut raised = raised;
    let root = loop {
        match *raised {
            // The position belongs to the caller, the source to the function that was called.
            EvalAltResult::ErrorInFunctionCall(name, callee, inner, position) => {
                calls.push((called(&name), library.place(&source, position)));
                if !callee.is_empty() {
                    source = callee;
                }
                raised = inner;
            }
            EvalAltResult::ErrorInModule(name, inner, position) => {
                calls.push((format!("import of {name}"), library.place(&source, position)));
                source = name;
                raised = inner;
            }
            root => break root,
        }
    };
    calls.reverse();
    let calls: Vec<_> =
        calls.into_iter().filter_map(|(name, place)| Some((name, place?))).collect();
    // Rhai does not say where a variable was found locked. The call around it is near.
    let place = library.place(&source, root.position());
    let place = place.or_else(|| calls.first().map(|(_, place): &(String, Place)| place.clone()));
    let (error, place) = match root {
        EvalAltResult::ErrorTerminated(token, _) => {
            match token.try_cast::<Ended>().unwrap_or(Ended::StackShort) {
                Ended::AttemptCut(caught) | Ended::AnswerFailed(caught) => {
                    at_its_place(&caught, &source, library)
                }
                ended => return end_of_all(ended, place).called(calls),
            }
        }
        EvalAltResult::ErrorRuntime(value, _) => match value.clone().try_cast::<Caught>() {
            Some(caught) if room::is_end(caught.error()) => {
                let stop = coroutine::stopped().unwrap_or(Stop::Deadline);
                return end_of_all(Ended::Stopped(stop, None), place).called(calls);
            }
            Some(caught) => at_its_place(&caught, &source, library),
            None => (thrown(&value), place),
        },
        other => (wrong(&other), place),
    };
    let error = with_advice(error, place.as_ref(), library);
    End::Failed(Failure { error, place, calls, step: None })
}

fn at_its_place(caught: &Caught, source: &str, library: &Library) -> (Error, Option<Place>) {
    let source = caught.spot().source().unwrap_or(source);
    (caught.error().clone(), library.place(source, caught.position()))
}

/// Adds a hint from the script's own text to the error of an unexpected reply, if there is such a
/// hint and the error has none yet.
fn with_advice(error: Error, place: Option<&Place>, library: &Library) -> Error {
    let advice = || {
        let (place, got) = (place?, error.got()?);
        let unit = library.get(&place.file)?;
        near::advice(unit.ast().ok()?, (place.line, place.column), got)
    };
    let is_open = error.is_mismatch() && error.next_step().is_none();
    match is_open.then(advice).flatten() {
        Some(advice) => error.hint(advice),
        None => error,
    }
}

/// Turns an error that passes through a script into the error that the script catches: our own
/// error, or an error with the same parts for one of Rhai. `source` is the source of the call.
///
/// # Errors
/// The error itself, if a script cannot catch it.
pub(super) fn caught(raised: Raised, source: Option<&str>) -> Result<Caught, Raised> {
    let mut source = source.map(str::to_owned);
    let mut inner = &*raised;
    loop {
        match inner {
            EvalAltResult::ErrorInFunctionCall(_, callee, next, _) => {
                if !callee.is_empty() {
                    source = Some(callee.clone());
                }
                inner = next;
            }
            EvalAltResult::ErrorInModule(name, next, _) => {
                source = Some(name.clone());
                inner = next;
            }
            _ => break,
        }
    }
    let spot = || Spot::at(source.as_deref(), inner.position());
    match inner {
        EvalAltResult::ErrorTerminated(..) => Err(raised),
        EvalAltResult::ErrorRuntime(value, _) => match value.clone().try_cast::<Caught>() {
            Some(caught) if room::is_end(caught.error()) => Err(raised),
            Some(caught) => Ok(caught),
            None => Ok(Caught::new(thrown(value), spot())),
        },
        other => Ok(Caught::new(wrong(other), spot())),
    }
}

/// Makes the end for an error that a script cannot catch, with its place.
pub(super) fn end_of_all(ended: Ended, place: Option<Place>) -> End {
    let failed = |error| Failure { error, place, calls: Vec::new(), step: None };
    match ended {
        Ended::Skipped(reason) => End::Skipped(reason),
        Ended::Stopped(stop, waiting) => {
            let error = waiting.map_or_else(|| Error::new(Kind::Timeout, ""), |error| *error);
            match stop {
                Stop::Interrupt => End::Interrupted(failed(error.say("interrupted"))),
                Stop::Deadline => {
                    let error = error.say(OUT_OF_TIME);
                    End::Failed(failed(error.hint("give it longer with --deadline")))
                }
                Stop::Abandoned => {
                    End::Failed(failed(error.say("another branch of the script failed")))
                }
                Stop::Memory => End::Failed(failed(holds_too_much())),
            }
        }
        Ended::AttemptCut(caught) | Ended::AnswerFailed(caught) => {
            End::Failed(failed(caught.error().clone()))
        }
        Ended::StackShort => End::Failed(failed(out_of_bounds("it calls too deep"))),
    }
}

impl End {
    fn called(self, calls: Vec<(String, Place)>) -> Self {
        match self {
            Self::Failed(failure) => Self::Failed(Failure { calls, ..failure }),
            Self::Interrupted(failure) => Self::Interrupted(Failure { calls, ..failure }),
            skipped @ Self::Skipped(_) => skipped,
        }
    }
}

/// Makes the failure of a script that does not parse.
pub(super) fn unparsable(wrong: &ParseError, script: &str, library: &Library) -> Failure {
    let message = uncapitalised(&visible::shortened(wrong.err_type()));
    let text = library.get(script);
    let text = text.as_ref().map(|unit| unit.text.as_str()).unwrap_or_default();
    let error = Error::usage(message);
    let error = match vocabulary::advice_for_syntax(wrong.err_type(), text) {
        Some(advice) => error.hint(advice),
        None => error,
    };
    Failure { error, place: library.place(script, wrong.position()), calls: Vec::new(), step: None }
}

/// Makes the failure of a session at the end of its script, with the place that used the session
/// last.
pub(super) fn at_the_end(error: Error, last: Option<Spot>, library: &Library) -> Failure {
    let place = last.and_then(|spot| library.place(spot.source()?, spot.position()));
    Failure { place, ..error.into() }
}

/// Returns the verdict after deferred closures have run. A failure of theirs never replaces another
/// failure.
pub(super) fn failed_beside(verdict: Verdict, beside: &mut Vec<Failure>) -> Verdict {
    if beside.is_empty() || matches!(verdict, Verdict::Failed(_) | Verdict::Interrupted(_)) {
        return verdict;
    }
    Verdict::Failed(Box::new(beside.remove(0)))
}

fn called(name: &str) -> String {
    if name.starts_with("anon$") {
        return "a closure".to_owned();
    }
    let name = visible::quoted(name);
    // The name of a branch of `together` has a blank; no function's name has one.
    if name.contains(' ') { name } else { format!("`{name}`") }
}

/// Turns a value that a script threw into an error.
fn thrown(value: &Dynamic) -> Error {
    let map = value.as_map_ref().ok();
    let message = map.and_then(|map| map.get("message").cloned());
    let value = message.unwrap_or_else(|| value.clone());
    if value.is_unit() {
        return Error::new(Kind::Assert, "the script threw an error");
    }
    let mut value = visible::shortened(&value);
    if let Ok(run) = Run::current() {
        run.secrets().mask_text(&mut value);
    }
    Error::new(Kind::Assert, format!("the script threw: {value}"))
}
