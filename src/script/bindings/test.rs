//! What makes a script a test: parameters, steps, checks.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use crate::error::{Error, Kind, Result};
use crate::script::bounds::beginning;
use crate::script::ended::Ended;
use crate::script::plain;
use crate::script::raise::{Raised, raise};
use crate::script::run::{self, Run};
use crate::secrets;
use crate::transcript::What;
use crate::visible;
use rhai::plugin::{Dynamic, NativeCallContext, export_module};

pub(super) const INTRO: &str = "The first line of a script's first comment is its title; \
a line `// ignored: takes an hour` further down in that comment keeps it out of `cargo test` unless ignored tests are asked for (`mailexpect \
run` runs it). A line `// serial: carol's maildrop` there names what no two scripts may use at once: scripts that have a name in common \
never run at the same time, also in other workers, and in other runs of the same user on the machine (by a lock on a file); \
`--partition` keeps all scripts of a name in one part. `print(...)` goes to the report. A script fails if nothing that it expected came and no assertion of it held. Scripts are sandboxed: they have no access to files, to the environment or to processes that their caller did \
not grant, and they cannot run, recurse or allocate without bound.";

/// The longest title of a step.
const TITLE: usize = 1 << 10;

/// The value set by the caller, in the type of the default.
fn typed(name: &str, value: &str, default: &Dynamic) -> Result<Dynamic> {
    let shown = if secrets::is_secret_name(name) { "[SECRET]" } else { value };
    let wrong =
        |kind| Error::usage(format!("the parameter `{name}` is `{shown}`, and has to be {kind}"));
    if default.is_int() {
        return value
            .parse::<i64>()
            .map(Into::into)
            .map_err(|_| wrong("an integer, as its default is"));
    }
    if default.is_float() {
        return value
            .parse::<f64>()
            .map(Into::into)
            .map_err(|_| wrong("a number, as its default is"));
    }
    if default.is_bool() {
        return value
            .parse::<bool>()
            .map(Into::into)
            .map_err(|_| wrong("true or false, as its default is"));
    }
    Ok(value.into())
}

/// Counts a check that held: a script that only has these proves something, too.
pub(super) fn count() {
    if let Ok(run) = Run::current() {
        run.count_check();
    }
}

/// The value of a parameter that is a file: text, or a blob if it is none.
fn of_file(run: &Run, name: &str) -> Option<Dynamic> {
    let bytes = run.settings.files.get(name)?;
    if let Some(path) = run.settings.params.get(name) {
        run.note_param(name, path);
    }
    Some(match std::str::from_utf8(bytes) {
        Ok(text) => text.replace("\r\n", "\n").into(),
        Err(_) => Dynamic::from_blob(bytes.clone()),
    })
}

fn shown(value: &Dynamic) -> String {
    if value.is_string() { format!("{:?}", value.to_string()) } else { format!("{value:?}") }
}

fn no_exit() -> Error {
    Error::usage("there is no exit")
        .hint("skip(\"reason\") leaves a script as skipped; return leaves a function")
}

fn no_sleep(duration: &str) -> Error {
    let error = Error::usage(format!("there is no sleep, not even for {duration}"));
    error.hint("wait for what you expect, with a deadline: expect(220, #{timeout: \"30s\"}); or say expect_silence(\"2s\")")
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// The value given by `--set name=value`. Without one, `smtp`, `submission`, `submissions`,
    /// `lmtp`, `imap`, `imaps`, `pop3`, `pop3s` and `sieve` are the embedded server, `ca` is its CA,
    /// and `user` and `password` log in there. If another server was named, `ca` is `()`, which to
    /// TLS is as if it was not there. Any other name is an error.
    ///
    /// ```rhai
    /// let s = connect(param("smtp"));
    /// s.expect(220);
    /// ```
    #[rhai_fn(name = "param", return_raw)]
    pub fn param_required(ctx: NativeCallContext, name: &str) -> Result<Dynamic, Raised> {
        if let Some(value) = Run::current().ok().and_then(|run| of_file(&run, name)) {
            return Ok(value);
        }
        let value = Run::current().and_then(|run| match run.param(name)? {
            None if name != "ca" => Err(run.no_value(name)),
            value => Ok(value),
        });
        value
            .map(|value| value.map_or(Dynamic::UNIT, Into::into))
            .map_err(|error| raise(&ctx, error))
    }

    /// The value given by `--set name=value`, or the default. Where the default is a number or a
    /// truth value, so is the value. `--set name=@mail.eml` gives what is in the file: text, whose
    /// line ends become CRLF when it is sent, or a blob if it is not UTF-8.
    ///
    /// ```rhai
    /// let client = param("client", "client.example");
    /// assert_eq(client, "client.example");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn param(ctx: NativeCallContext, name: &str, default: Dynamic) -> Result<Dynamic, Raised> {
        let run = Run::current().map_err(|error| raise(&ctx, error))?;
        if let Some(value) = of_file(&run, name) {
            return Ok(value);
        }
        if let Some(value) = run.settings.params.get(name) {
            run.note_param(name, value);
            return typed(name, value, &default).map_err(|error| raise(&ctx, error));
        }
        if secrets::is_secret_name(name) {
            run.keep_secret(&default.to_string());
        }
        run.note_param(name, &default.to_string());
        Ok(default)
    }

    /// What the `setup.rhai` of the script's folder ended with: text, numbers, truth values, and
    /// lists and maps of these. `setup.rhai` runs once before the scripts of its folder and of
    /// those below that have none of their own, `teardown.rhai` once after them.
    ///
    /// ```rhai,ignore
    /// // setup.rhai
    /// let port = free_port();
    /// #{ mailbox: unique("box"), port: port }
    /// // a.rhai
    /// let s = connect(param("imap"));
    /// s.select(fixture().mailbox);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn fixture(ctx: NativeCallContext) -> Result<Dynamic, Raised> {
        let run = Run::current().map_err(|error| raise(&ctx, error))?;
        let Some(fixture) = &run.fixture else {
            let error = Error::usage("no setup.rhai stands before this script");
            return Err(raise(&ctx, error.hint("it lies in the script's folder, or in one above")));
        };
        Ok(plain::to(fixture))
    }

    /// Begins a step: a failure names the step it happened in.
    ///
    /// ```rhai
    /// step("greeting");
    /// connect().expect(220);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn step(ctx: NativeCallContext, title: &str) -> Result<(), Raised> {
        let run = Run::current().map_err(|error| raise(&ctx, error))?;
        let title = beginning(title, TITLE);
        run.begin_step(&title);
        run.transcript.note(What::Step(title));
        Ok(())
    }

    /// Fails the script with that message unless the condition holds.
    ///
    /// ```rhai
    /// assert(1 < 2, "arithmetic has changed");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert(ctx: NativeCallContext, condition: bool, message: &str) -> Result<(), Raised> {
        if condition {
            count();
            Ok(())
        } else {
            let mut message = message.to_owned();
            if let Ok(run) = Run::current() {
                run.secrets().mask_text(&mut message);
            }
            Err(raise(&ctx, Error::new(Kind::Assert, visible::escape(message.as_bytes()))))
        }
    }

    /// Fails the script unless the condition holds.
    #[rhai_fn(name = "assert", return_raw)]
    pub fn assert_bare(ctx: NativeCallContext, condition: bool) -> Result<(), Raised> {
        assert(ctx, condition, "the assertion does not hold")
    }

    /// Fails the script unless both values are equal.
    ///
    /// ```rhai
    /// let s = connect();
    /// assert_eq(s.expect(220).code, 220);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_eq(
        ctx: NativeCallContext,
        got: Dynamic,
        expected: Dynamic,
    ) -> Result<(), Raised> {
        let equal = ctx.call_native_fn::<bool>("==", (got.clone(), expected.clone()))?;
        if equal {
            count();
            return Ok(());
        }
        let error = Error::new(Kind::Assert, "the values are not equal");
        Err(raise(&ctx, error.with_expected(shown(&expected)).with_got(shown(&got))))
    }

    /// Ends the script here as skipped, neither passed nor failed.
    ///
    /// ```rhai
    /// if param("full", false) == false {
    ///     skip("only with --set full=true");
    /// }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn skip(ctx: NativeCallContext, reason: &str) -> Result<(), Raised> {
        Err(run::end(&ctx, Ended::Skipped(reason.to_owned())))
    }

    /// There is no waiting for a time to pass: it would hide what is being waited for. Expect it,
    /// with a deadline, or say `expect_silence("2s")`.
    #[rhai_fn(return_raw)]
    pub fn sleep(ctx: NativeCallContext, duration: &str) -> Result<(), Raised> {
        Err(raise(&ctx, no_sleep(duration)))
    }

    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_seconds(ctx: NativeCallContext, duration: i64) -> Result<(), Raised> {
        Err(raise(&ctx, no_sleep(&duration.to_string())))
    }

    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_fraction(ctx: NativeCallContext, duration: f64) -> Result<(), Raised> {
        Err(raise(&ctx, no_sleep(&duration.to_string())))
    }

    /// There is no leaving a script as passed before its end: `skip(reason)` leaves it as skipped,
    /// and `return` a function.
    #[rhai_fn(return_raw)]
    pub fn exit(ctx: NativeCallContext) -> Result<(), Raised> {
        Err(raise(&ctx, no_exit()))
    }

    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit_with(ctx: NativeCallContext, value: Dynamic) -> Result<(), Raised> {
        let _ = value;
        Err(raise(&ctx, no_exit()))
    }
}
