//! Commands that a script runs next to its dialogues.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use std::time::Duration;

use rhai::Map;
use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use tokio::time::{Instant, timeout_at};

use super::argument::{self, check_known, deadline, text_of};
use super::session::words_of;
use super::{Handle, call, wait};
use crate::error::{Error, Kind, Result, Waited};
use crate::pattern::Pattern;
use crate::reply::Reply;
use crate::script::output;
use crate::script::programs::Running;
use crate::script::raise::{Raised, Spot, raise};
use crate::script::run::Run;
use crate::transcript::About;
use crate::transport::Program;
use crate::visible;

pub(super) const INTRO: &str = "With `--allow-run` a script may run commands: a tool, or the client or the server under test. \
A command is split into words at blanks, or given as a list; there is no shell. A command runs in a process group of its own, \
and all processes of the group end with the command. So do processes that it has started and \
that have left the group (`setsid`), as long as the command runs. A daemon that has detached itself is not ended: start a \
server in the foreground, or let `defer(...)` run the command that stops it. The transcript shows how a command ended where \
the script waited for it, or at the script's end. A command that failed \
fails the script, unless the script has looked at how it ended. A command that still runs at the script's end is stopped, but \
only after it has run for the grace time (`--grace`, 1 s), so that a command that fails at its start is always noticed.";

/// The most bytes of a command's output that an error shows.
const SHOWN: usize = 1000;

/// The options of a command.
struct Given {
    stdin: Option<Vec<u8>>,
    variables: Vec<(String, String)>,
    timeout: Duration,
}

impl Given {
    fn of(run: &Run, options: Map) -> Result<Self> {
        let timeout = run.timeout();
        let mut given = Self { stdin: None, variables: Vec::new(), timeout };
        for (name, value) in options {
            check_known(&name, &["stdin", "env", "timeout"])?;
            match name.as_str() {
                "stdin" => given.stdin = Some(argument::bytes(value, "the input of a command")?),
                "timeout" => given.timeout = deadline(&value)?,
                _ => given.variables = variables(value)?,
            }
        }
        Ok(given)
    }
}

fn variables(value: Dynamic) -> Result<Vec<(String, String)>> {
    let wrong =
        || Error::usage("the option `env` is a map of variables").hint("env: #{TZ: \"UTC\"}");
    let map = value.try_cast::<Map>().ok_or_else(wrong)?;
    map.into_iter().map(|(name, value)| Ok((name.to_string(), text_of(&value)?))).collect()
}

fn options_of(value: &Map) -> Result<Duration> {
    value.keys().try_for_each(|name| check_known(name, &["timeout"]))?;
    let run = Run::current()?;
    value.get("timeout").map_or_else(|| Ok(run.timeout()), deadline)
}

fn start(ctx: &NativeCallContext<'_>, command: Dynamic, given: &Given) -> Result<Running> {
    let run = Run::current()?;
    run.may_start()?;
    let words = match command.as_immutable_string_ref() {
        Ok(text) => text.split_whitespace().map(str::to_owned).collect(),
        Err(_) => words_of(command.clone())?,
    };
    // The words are joined, escaped and masked.
    argument::may_copy(3 * words.iter().map(String::len).sum::<usize>())?;
    let mut shown = visible::escape(words.join(" ").as_bytes());
    run.secrets().mask_text(&mut shown);
    run.note(About::Ran, shown.as_str());
    let program = Program::start(&words, &given.variables, given.stdin.clone());
    let program = program.map_err(|error| {
        Error::new(Kind::Io, format!("the command `{shown}` cannot be started: {error}")).hint(
            "the words are parted at blanks and there is no shell; a list keeps blanks in words",
        )
    })?;
    let running = Running::new(shown, (Spot::of(ctx), run.steps.title()), program);
    run.peers.programs.add(run.scope(), running)
}

/// Waits until the command exits. Stops the command, with an error, if it is still running after
/// `within`.
async fn to_its_end(run: &Run, running: &Running, within: Duration) -> Result<()> {
    let began = Instant::now();
    if let Ok(ended) = timeout_at(began + within, running.ended(&run.transcript)).await {
        return ended.map(drop);
    }
    running.stop(&run.transcript).await?;
    let message = format!("the command `{}` has not ended in time", running.command());
    let took = Waited { elapsed: began.elapsed(), allowed: within };
    let error = Error::new(Kind::Timeout, message).with_expected("its end");
    let error = error.with_got(written(run, running)).with_waited(took);
    Err(error.hint("give it longer with #{timeout: \"1m\"}"))
}

/// Returns the output of a command as an error shows it.
fn written(run: &Run, running: &Running) -> String {
    let mut text = visible::excerpt(&running.output().first(), SHOWN);
    run.secrets().mask_text(&mut text);
    if text.is_empty() { "nothing".to_owned() } else { text }
}

async fn exits(run: &Run, running: &Running, code: i64, within: Duration) -> Result<()> {
    running.see();
    to_its_end(run, running, within).await?;
    let status = running.ended(&run.transcript).await?;
    if status.code().map(i64::from) == Some(code) {
        run.count_check();
        return Ok(());
    }
    let error = running.ended_wrong(&run.transcript, "ended in another way than it had to", status);
    Err(error.with_expected(format!("exit status: {code}")))
}

/// Waits until the output of a command matches the pattern.
async fn writes(run: &Run, running: &Running, pattern: Pattern, within: Duration) -> Result<Reply> {
    let began = Instant::now();
    let found = output::expect(running, &pattern, began + within).await.map_err(|error| {
        let took = Waited { elapsed: began.elapsed(), allowed: within };
        let error = error.with_expected(pattern.to_string()).with_got(written(run, running));
        error.with_waited(took)
    })?;
    run.count_check();
    Ok(found)
}

fn no_status(status: i64) -> Error {
    Error::usage(format!("{status} is no exit status")).hint("an exit status is from 0 to 255")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Runs a command until it exits. The options are `stdin` (its input, text or a blob; without
    /// this option the input is empty), `env` (a map of environment variables, added to those of
    /// this process) and `timeout` (how long the command may take).
    ///
    /// ```rhai,ignore
    /// let swaks = run("swaks --server 127.0.0.1 --to test-user@example.com", #{timeout: "20s"});
    /// swaks.expect_exit(0);
    /// assert(swaks.output.contains("250 "));
    /// run("sort", #{stdin: "b\na\n", env: #{LC_ALL: "C"}}).expect_exit(0);
    /// ```
    #[rhai_fn(name = "run", return_raw)]
    pub fn run_with(
        ctx: NativeCallContext,
        command: Dynamic,
        options: Map,
    ) -> Result<Running, Raised> {
        let ran = wait(&ctx, async {
            let run = Run::current()?;
            let given = Given::of(&run, options)?;
            let running = super::start(&ctx, command, &given)?;
            to_its_end(&run, &running, given.timeout).await?;
            Ok(running)
        })?;
        ran.map_err(|error: Error| raise(&ctx, error))
    }

    #[rhai_fn(name = "run", return_raw)]
    pub fn run(ctx: NativeCallContext, command: Dynamic) -> Result<Running, Raised> {
        run_with(ctx, command, Map::new())
    }

    /// Starts a command and lets it run: the client or the server that is under test. At the end of
    /// the script, all processes of the command's process group get SIGTERM. The processes that
    /// are left are killed after the command has exited, at the latest 2 s later. The options are
    /// those of `run`.
    ///
    /// ```rhai,ignore
    /// let port = free_port();
    /// let server = start(`./server --port ${port}`);
    /// wait_ready(`smtp://127.0.0.1:${port}`);
    /// ```
    #[rhai_fn(name = "start", return_raw)]
    pub fn start_with(
        ctx: NativeCallContext,
        command: Dynamic,
        options: Map,
    ) -> Result<Running, Raised> {
        let started =
            Run::current().and_then(|run| super::start(&ctx, command, &Given::of(&run, options)?));
        started.map_err(|error| raise(&ctx, error))
    }

    #[rhai_fn(name = "start", return_raw)]
    pub fn start(ctx: NativeCallContext, command: Dynamic) -> Result<Running, Raised> {
        start_with(ctx, command, Map::new())
    }

    /// Waits until a command exits, and fails unless its exit status is the given one.
    #[rhai_fn(name = "expect_exit", return_raw)]
    pub fn expect_exit(
        ctx: NativeCallContext,
        started: &mut Running,
        status: i64,
    ) -> Result<(), Raised> {
        expect_exit_with(ctx, started, status, Map::new())
    }

    #[rhai_fn(name = "expect_exit", return_raw)]
    pub fn expect_exit_with(
        ctx: NativeCallContext,
        started: &mut Running,
        status: i64,
        options: Map,
    ) -> Result<(), Raised> {
        let running = started.clone();
        let exited = wait(&ctx, async {
            let run = Run::current()?;
            exits(&run, &running, status, options_of(&options)?).await
        })?;
        exited.map_err(|error: Error| raise(&ctx, error))
    }

    /// The same for a session of `pipe`: waits until the command closes its output and exits. It may
    /// follow `expect_close()`. Without it, the exit status has to be 0.
    ///
    /// ```rhai,ignore
    /// let s = pipe("sendmail -bs", #{protocol: "smtp"});
    /// s.expect(421);
    /// s.expect_exit(75);
    /// ```
    #[rhai_fn(name = "expect_exit", return_raw)]
    pub fn expect_exit_of_session(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: i64,
    ) -> Result<(), Raised> {
        expect_exit_of_session_with(ctx, session, status, Map::new())
    }

    #[rhai_fn(name = "expect_exit", return_raw)]
    pub fn expect_exit_of_session_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: i64,
        options: Map,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            let call = call::call(&options, &["timeout", "after"])?;
            let status = i32::try_from(status).map_err(|_| no_status(status))?;
            session.expect_exit(status).with(call).await
        })
    }

    /// Waits until what a command writes to stdout matches the pattern, and returns the match as
    /// `expect` does. The pattern sees everything that the command has written since its start. Of
    /// more than 2 MiB that were not searched at once, the first and the last MiB are kept. A match
    /// that the next byte could still extend is held back for 200 ms. If it begins after the first
    /// MiB, its `before` is empty.
    ///
    /// ```rhai,ignore
    /// let server = start("./server --port 0");
    /// let port = server.expect_output(re(`listening on port (\d+)`))[1];
    /// ```
    #[rhai_fn(name = "expect_output", return_raw)]
    pub fn expect_output(
        ctx: NativeCallContext,
        started: &mut Running,
        pattern: Dynamic,
    ) -> Result<Reply, Raised> {
        expect_output_with(ctx, started, pattern, Map::new())
    }

    #[rhai_fn(name = "expect_output", return_raw)]
    pub fn expect_output_with(
        ctx: NativeCallContext,
        started: &mut Running,
        pattern: Dynamic,
        options: Map,
    ) -> Result<Reply, Raised> {
        let running = started.clone();
        let found = wait(&ctx, async {
            let pattern = argument::pattern(pattern)?;
            let run = Run::current()?;
            writes(&run, &running, pattern, options_of(&options)?).await
        })?;
        found.map_err(|error: Error| raise(&ctx, error))
    }

    /// Stops a command and all processes of its process group: sends SIGTERM, and kills the
    /// processes that are left after the command has exited, at the latest 2 s later. How the
    /// command exited is not judged.
    #[rhai_fn(name = "stop", return_raw)]
    pub fn stop(ctx: NativeCallContext, started: &mut Running) -> Result<(), Raised> {
        let running = started.clone();
        let stopped =
            wait(&ctx, async { running.stop(&Run::current()?.transcript).await.map(drop) })?;
        stopped.map_err(|error: Error| raise(&ctx, error))
    }

    /// What a command has written to stdout so far, as text, up to the first MiB.
    #[rhai_fn(get = "output", pure)]
    pub fn output(started: &mut Running) -> String {
        text(started.output().first())
    }

    /// What a command has written to stderr so far, as text, up to the first 64 KiB.
    #[rhai_fn(get = "errors", pure)]
    pub fn errors(started: &mut Running) -> String {
        text(started.errors().first())
    }

    /// The exit status of a command; `()` if a signal ended it. Waits until the command exits.
    #[rhai_fn(get = "exit", return_raw)]
    pub fn exit(ctx: NativeCallContext, started: &mut Running) -> Result<Dynamic, Raised> {
        let running = started.clone();
        running.see();
        let ended = wait(&ctx, async {
            let run = Run::current()?;
            to_its_end(&run, &running, run.timeout()).await?;
            running.ended(&run.transcript).await
        })?;
        let status = ended.map_err(|error: Error| raise(&ctx, error))?;
        Ok(status.code().map_or(Dynamic::UNIT, |code| i64::from(code).into()))
    }
}
