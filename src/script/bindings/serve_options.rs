//! The options of `serve`.

use std::num::NonZeroU32;

use rhai::{Dynamic, FnPtr, Map, NativeCallContext};

use super::argument::{boolean, check_known, duration, text_of};
use super::{asked, faults, listening};
use crate::error::{Error, Result};
use crate::script::failure;
use crate::script::questions::Reading;
use crate::script::run::Run;
use crate::server::Options;
use crate::session::Fault;

/// The options that are not names of commands.
const OPTIONS: [&str; 6] = ["users", "limit", "certificate", "on_demand", "read_rate", "faults"];

/// Applies the options of a script to a server. A key in capitals is a command, and its value the
/// answers to that command.
pub(super) fn read(
    ctx: &NativeCallContext<'_>,
    mut server: Options,
    options: &Map,
) -> Result<Options> {
    for (name, value) in options {
        server = match name.as_str() {
            "users" => users(server, value)?,
            "limit" => limit(server, value)?,
            "read_rate" => with_rate(server, value)?,
            "faults" => faults::faults(value)?.into_iter().try_fold(server, Options::fault)?,
            "on_demand" => server.on_demand(boolean(name, value)?),
            "certificate" => server.flaw(listening::flaw(value)?),
            command if command == command.to_ascii_uppercase() => {
                answers(ctx, server, command, value)?
            }
            other => {
                check_known(other, &OPTIONS)?;
                server
            }
        };
    }
    Ok(server)
}

fn users(mut server: Options, value: &Dynamic) -> Result<Options> {
    let run = Run::current()?;
    let users = value.as_map_ref().map_err(|_| {
        Error::usage("the option `users` is a map of names and passwords")
            .hint("users: #{\"kim@example.com\": param(\"password\")}")
    })?;
    for (name, password) in users.iter() {
        let password = text_of(password)?;
        run.keep_secret(&password);
        server = server.user(name.as_str(), password);
    }
    Ok(server)
}

/// Reads the option `limit`: with `[20, "1m"]`, at most 20 connections are accepted in a minute,
/// and the server turns further ones away.
fn limit(server: Options, value: &Dynamic) -> Result<Options> {
    let wrong = || {
        Error::usage("the option `limit` is a number of connections and a time")
            .hint("limit: [20, \"1m\"]")
    };
    let pair = value.as_array_ref().map_err(|_| wrong())?;
    let [count, window] = &pair[..] else { return Err(wrong()) };
    let count = count.as_int().ok().and_then(|count| usize::try_from(count).ok());
    Ok(server.limit(count.ok_or_else(wrong)?, duration(window)?))
}

/// Limits how many octets a second the server reads from each client. With 0, it reads nothing
/// after the greeting.
fn with_rate(server: Options, value: &Dynamic) -> Result<Options> {
    match NonZeroU32::new(faults::rate(value)?) {
        Some(rate) => Ok(server.read_rate(rate)),
        None => server.fault(Fault::new().at("GREETING").read_rate(0)),
    }
}

/// Sets the answers to a command. A closure decides each time. The values of a list are used once
/// each, in turn, and after the last the server behaves well. Any other value is the answer every
/// time.
fn answers(
    ctx: &NativeCallContext<'_>,
    server: Options,
    command: &str,
    value: &Dynamic,
) -> Result<Options> {
    if let Some(closure) = value.clone().try_cast::<FnPtr>() {
        let run = Run::current()?;
        let questions = &run.peers.questions;
        let reading =
            Reading { question: asked::shown, answer: faults::answer, failure: failure::caught };
        let (asker, decider) = questions.add(ctx, run.scope(), closure, reading);
        return server.ask(command, asker, decider);
    }
    if let Ok(turns) = value.as_array_ref() {
        let turns = turns.iter().map(faults::answer).collect::<Result<Vec<_>>>()?;
        return server.answer(command, turns);
    }
    server.always(command, faults::answer(value)?)
}
