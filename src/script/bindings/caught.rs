//! The errors that scripts catch.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use crate::script::raise::Caught;
use rhai::plugin::{Dynamic, export_module};

pub(super) const INTRO: &str = "A failure of a word can be caught: `try { s.expect(250); } catch (e) { print(e.got); }`. The \
deadline of the whole script, Ctrl-C, `skip` and the limits of the sandbox cannot be caught. An error of Rhai itself, such as \
an index outside of a list or a division by zero, has the same parts. Parts that do not apply are `()`. A value that the \
script throws is caught unchanged: `throw \"mine\"` as text.";

fn optional(part: Option<&str>) -> Dynamic {
    part.map_or(Dynamic::UNIT, |part| part.to_owned().into())
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// The kind of the failure: `mismatch`, `timeout`, `closed`, `out-of-step`, `malformed`,
    /// `too-long`, `unexpected`, `tls`, `injected`, `vacuous`, `refused` (nothing listens),
    /// `filtered` (nothing answers, as behind a firewall), `unreachable` (there is no route, or the
    /// peer never sent anything), `unresolved` (the name has no address), `lookup` (a look-up
    /// failed, so that nothing is known about the name), `assert`, `usage`, `io` or `busy`.
    ///
    /// ```rhai
    /// let s = connect();
    /// try { s.expect(554); } catch (e) { assert_eq(e.kind, "mismatch"); }
    /// ```
    #[rhai_fn(get = "kind", pure)]
    pub fn kind(error: &mut Caught) -> String {
        error.error().kind().name().to_owned()
    }

    /// What happened, in one line.
    #[rhai_fn(get = "message", pure)]
    pub fn message(error: &mut Caught) -> String {
        error.error().message().to_owned()
    }

    /// What was expected.
    #[rhai_fn(get = "expected", pure)]
    pub fn expected(error: &mut Caught) -> Dynamic {
        optional(error.error().expected())
    }

    /// What came instead.
    #[rhai_fn(get = "got", pure)]
    pub fn got(error: &mut Caught) -> Dynamic {
        optional(error.error().got())
    }

    /// How long the word waited, in seconds.
    #[rhai_fn(get = "waited", pure)]
    pub fn waited(error: &mut Caught) -> Dynamic {
        error.error().waited().map_or(Dynamic::UNIT, |waited| waited.elapsed.as_secs_f64().into())
    }

    /// The last line that was sent before the failure, with secrets masked.
    #[rhai_fn(get = "sent", pure)]
    pub fn sent(error: &mut Caught) -> Dynamic {
        optional(error.error().sent())
    }

    /// The name of the session and its peer.
    #[rhai_fn(get = "session", pure)]
    pub fn session(error: &mut Caught) -> Dynamic {
        optional(error.error().session())
    }

    /// What to try next, if that is known.
    #[rhai_fn(get = "hint", pure)]
    pub fn hint(error: &mut Caught) -> Dynamic {
        optional(error.error().next_step())
    }

    /// The file in which the word that failed was called.
    #[rhai_fn(get = "file", pure)]
    pub fn file(error: &mut Caught) -> String {
        error.file().to_owned()
    }

    /// The line in which the word that failed was called.
    #[rhai_fn(get = "line", pure)]
    pub fn line(error: &mut Caught) -> i64 {
        error.position().line().map_or(0, |line| i64::try_from(line).unwrap_or(i64::MAX))
    }

    /// The column at which the word that failed was called.
    #[rhai_fn(get = "column", pure)]
    pub fn column(error: &mut Caught) -> i64 {
        error.position().position().map_or(0, |column| i64::try_from(column).unwrap_or(i64::MAX))
    }

    #[rhai_fn(name = "to_string", pure)]
    pub fn caught_to_string(error: &mut Caught) -> String {
        error.error().to_string()
    }

    #[rhai_fn(name = "to_debug", pure)]
    pub fn caught_to_debug(error: &mut Caught) -> String {
        error.error().to_string()
    }
}
