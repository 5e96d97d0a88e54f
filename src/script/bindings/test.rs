//! The words that make a script a test: parameters, steps, checks.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use crate::error::{Error, Kind, Result};
use crate::script::bounds::beginning;
use crate::script::ended::Ended;
use crate::script::raise::{Raised, raise};
use crate::script::run::{self, Run};
use crate::script::unlike::unlike;
use crate::script::{native, plain, showing};
use crate::secrets;
use crate::transcript::What;
use crate::visible;
use rhai::plugin::{Dynamic, NativeCallContext, export_module};

pub(super) const INTRO: &str = "The first line of a script's first comment is its title. A line `// ignored: takes an hour` \
in that comment excludes the script from `cargo test`, unless ignored tests are asked for (`mailexpect run` runs it). A line \
`// serial: carol's maildrop` names something that no two scripts may use at once; several names are separated by commas. \
Scripts that have a name in common never run at the same time, not even in other workers, or in other runs of the same user \
on the machine (a lock on a file ensures this). `--partition` keeps all scripts of a name in one part. \
The names of a setup or a teardown are held while it runs.\n\n`print(...)` writes \
to the report. A script fails if it met no expectation and no assertion. Scripts are sandboxed: they have access only to \
files, environment variables and processes that their caller has granted, and they cannot run, recurse or allocate without a \
limit.";

/// The longest title of a step, in bytes; the rest is cut off.
const TITLE: usize = 1 << 10;

/// Converts the value that the caller set to the type of the default.
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

/// Counts a check that passed. A script fails if it checked nothing, so these checks count like
/// those of expectations.
pub(super) fn count() {
    if let Ok(run) = Run::current() {
        run.count_check();
    }
}

/// Returns the value of a parameter that is a file: text, or a blob if the file is not UTF-8.
fn of_file(run: &Run, name: &str) -> Option<Dynamic> {
    let bytes = run.settings().files.get(name)?;
    if let Some(path) = run.settings().params.get(name) {
        run.values.note_param(run.scope().order(), name, path);
    }
    Some(match std::str::from_utf8(bytes) {
        Ok(text) => text.replace("\r\n", "\n").into(),
        Err(_) => Dynamic::from_blob(bytes.clone()),
    })
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
    /// Returns the value given by `--set name=value`. Some parameters have a value without `--set`:
    /// `smtp`, `submission`, `submissions`, `lmtp`, `imap`, `imaps`, `pop3`, `pop3s` and `sieve`
    /// are URLs of the embedded server, `ca` is its CA, and `user` and `password` log in there. If
    /// `--set` named another server, `ca` is `()`, which the TLS options treat as absent. Any other
    /// name without a value is an error.
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

    /// Returns the value given by `--set name=value`, or else the default. If the default is a
    /// number or a truth value, the value has to be of the same type. `--set name=@mail.eml` gives
    /// the content of the file: text, whose line ends become CRLF when it is sent, or a blob if it
    /// is not UTF-8.
    ///
    /// ```rhai
    /// let client = param("client", "client.example");
    /// assert_eq(client, "client.example");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn param(ctx: NativeCallContext, name: &str, default: Dynamic) -> Result<Dynamic, Raised> {
        let run = Run::current().map_err(|error| raise(&ctx, error))?;
        // The default stands in the script, whatever was given in its place.
        if secrets::is_secret_name(name) {
            run.keep_secret(&default.to_string());
        }
        if let Some(value) = of_file(&run, name) {
            return Ok(value);
        }
        if let Some(value) = run.settings().params.get(name) {
            run.values.note_param(run.scope().order(), name, value);
            return typed(name, value, &default).map_err(|error| raise(&ctx, error));
        }
        run.values.note_param(run.scope().order(), name, &default);
        Ok(default)
    }

    /// Returns the last value of the `setup.rhai` for the script's folder: text, numbers, truth
    /// values, and lists and maps of these. `setup.rhai` runs once, before the scripts of its
    /// folder and of the folders below that have no `setup.rhai` of their own. `teardown.rhai` runs
    /// once after them. What the setup knows of its value counts for them too: secrets are masked,
    /// also those that only have the name of one, and the values of `unique` and `free_port` are
    /// tokens in goldens.
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
        let Some(fixture) = run.fixture.given() else {
            let error = Error::usage("there is no setup.rhai for this script");
            return Err(raise(
                &ctx,
                error.hint("it has to be in the script's folder, or in one above"),
            ));
        };
        Ok(plain::to(fixture))
    }

    /// Begins a step. A failure names the step in which it happened.
    ///
    /// ```rhai
    /// step("greeting");
    /// connect().expect(220);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn step(ctx: NativeCallContext, title: &str) -> Result<(), Raised> {
        let run = Run::current().map_err(|error| raise(&ctx, error))?;
        let title = beginning(title, TITLE);
        run.steps.begin(&title);
        run.transcript.note(What::Step(title));
        Ok(())
    }

    /// Fails the script with the message unless the condition holds.
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
            Err(raise(
                &ctx,
                Error::new(Kind::Assert, visible::escape(visible::shortened(message).as_bytes())),
            ))
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
        let unlike = unlike(&got, &expected);
        if unlike.is_none() && native::equal(&ctx, &got, &expected)? {
            count();
            return Ok(());
        }
        let [shown_got, shown_expected] =
            [&got, &expected].map(|value| showing::shown(&ctx, value));
        let error = Error::new(Kind::Assert, "the values are not equal");
        let mut error = error.with_expected(shown_expected).with_got(shown_got);
        if let Some(why) = unlike {
            error = error.hint(why);
        }
        Err(raise(&ctx, error))
    }

    /// Ends the script here as skipped: neither passed nor failed.
    ///
    /// ```rhai
    /// if param("full", false) == false {
    ///     skip("only with --set full=true");
    /// }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn skip(ctx: NativeCallContext, reason: &str) -> Result<(), Raised> {
        Err(run::end(&ctx, Ended::Skipped(visible::shortened(reason))))
    }

    /// Fails always: a script has no pause of a fixed length, because it would hide what the script
    /// waits for. Expect the event with a deadline, or use `expect_silence("2s")`.
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

    /// Fails always: a script cannot end early as passed. `skip(reason)` ends it as skipped, and
    /// `return` leaves a function.
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
