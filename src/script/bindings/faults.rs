//! Faults: what a server does wrong on purpose, as scripts describe it.

use rhai::{Array, Dynamic, Map};

use super::argument::{boolean, bytes, check_known, duration};
use crate::error::{Error, Result};
use crate::script::raise::kind;
use crate::session::{Fault, Then};

/// The options that say what goes wrong, and how often.
pub(super) const FAULT: [&str; 18] = [
    "after",
    "jitter",
    "drip",
    "cut",
    "then",
    "bare_lf",
    "nul",
    "wrong",
    "doubled",
    "missing",
    "endless",
    "literal",
    "uidvalidity",
    "inject",
    "garbage",
    "read_rate",
    "chance",
    "forge",
];
/// The options that say when a fault of a listener happens.
const WHEN: [&str; 4] = ["at", "connection", "number", "address"];

/// Reads the faults of a listener: a map, or a list of maps.
pub(super) fn faults(value: &Dynamic) -> Result<Vec<Fault>> {
    if let Some(all) = value.read_lock::<Array>() {
        return all.iter().map(of_listener).collect();
    }
    Ok(vec![of_listener(value)?])
}

fn of_listener(value: &Dynamic) -> Result<Fault> {
    let map = value.as_map_ref().map_err(|_| {
        Error::usage("the option `faults` is a map, or a list of maps")
            .hint("faults: #{at: \"RCPT\", number: 2, cut: 5}")
    })?;
    let known: Vec<_> =
        FAULT.iter().filter(|name| **name != "forge").chain(&WHEN).copied().collect();
    let mut fault = Fault::new();
    for (name, value) in map.iter() {
        check_known(name, &known)?;
        fault = match name.as_str() {
            "at" => fault.at(&value.to_string()),
            "connection" => fault.connection(place(name, value)?),
            "number" => fault.number(place(name, value)?),
            "address" => fault.address(value.to_string()),
            _ => with(fault, name, value)?,
        };
    }
    Ok(fault)
}

/// Adds one option to a fault.
pub(super) fn with(fault: Fault, name: &str, value: &Dynamic) -> Result<Fault> {
    Ok(match name {
        "after" => fault.after(duration(value)?),
        "jitter" => fault.jitter(duration(value)?),
        "drip" => fault.drip(duration(value)?),
        "cut" => fault.cut(count(name, value)?),
        "then" => fault.then(then(value)?),
        "bare_lf" => fault.bare_lf(boolean(name, value)?),
        "nul" => fault.nul(boolean(name, value)?),
        "wrong" => fault.wrong(line(value)?),
        "doubled" => fault.doubled(boolean(name, value)?),
        "missing" => fault.missing(boolean(name, value)?),
        "endless" => fault.endless(count(name, value)?),
        "literal" => fault.literal(value.as_int().map_err(|_| {
            Error::usage("the option `literal` is a number of octets, more or fewer")
                .hint("literal: 5; literal: -5")
        })?),
        "uidvalidity" => fault.uidvalidity(boolean(name, value)?),
        "inject" => fault.inject(bytes(value.clone(), "the option `inject`")?),
        "garbage" => fault.garbage(boolean(name, value)?),
        "read_rate" => fault.read_rate(rate(value)?),
        _ => fault.chance(chance(value)?),
    })
}

/// Reads a number of bytes a second.
pub(super) fn rate(value: &Dynamic) -> Result<u32> {
    value.as_int().ok().and_then(|rate| u32::try_from(rate).ok()).ok_or_else(|| {
        Error::usage("the option `read_rate` is a number of octets a second")
            .hint("read_rate: 2000; 0 reads nothing")
    })
}

fn chance(value: &Dynamic) -> Result<f64> {
    #[allow(clippy::cast_precision_loss, reason = "no other whole numbers than 0 and 1 are taken")]
    let chance = value.as_float().ok().or_else(|| value.as_int().ok().map(|whole| whole as f64));
    chance.filter(|chance| (0.0..=1.0).contains(chance)).ok_or_else(|| {
        Error::usage("the option `chance` is a number from 0 to 1")
            .hint("chance: 0.1 is once in ten times")
    })
}

fn line(value: &Dynamic) -> Result<String> {
    let line = value.to_string();
    if value.is_string() && !line.contains(['\r', '\n']) {
        return Ok(line);
    }
    Err(Error::usage("the option `wrong` is a line").hint("wrong: \"500 what?\""))
}

fn place(name: &str, value: &Dynamic) -> Result<u64> {
    let place = value.as_int().ok().and_then(|place| u64::try_from(place).ok());
    place
        .filter(|place| *place > 0)
        .ok_or_else(|| Error::usage(format!("the option `{name}` is a number, and the first is 1")))
}

fn count(name: &str, value: &Dynamic) -> Result<usize> {
    let count = value.as_int().ok().and_then(|count| usize::try_from(count).ok());
    count.ok_or_else(|| Error::usage(format!("the option `{name}` is a number of bytes")))
}

fn then(value: &Dynamic) -> Result<Then> {
    Ok(match value.to_string().as_str() {
        "close" => Then::Close,
        "reset" => Then::Reset,
        "half_close" => Then::HalfClose,
        "silence" => Then::Silence,
        "cut_tls" => Then::CutTls,
        other => {
            return Err(Error::usage(format!("`{other}` is no end of a connection"))
                .hint("\"close\", \"reset\", \"half_close\", \"silence\" or \"cut_tls\""));
        }
    })
}

/// Converts a value into the steps of a server in the background. The value is a reply code, a
/// reply, steps, a map of a reply and what goes wrong with it, or `()` to behave well.
///
/// # Errors
/// Usage for a value of another type.
pub(super) fn answer(value: &Dynamic) -> Result<String> {
    if let Ok(code) = value.as_int() {
        let class = code / 100;
        if !(2..=5).contains(&class) {
            return Err(Error::usage(format!("{code} is no reply code")).hint("RCPT: 451"));
        }
        return Ok(format!("{code} {class}.0.0 as the script says"));
    }
    if value.is_unit() {
        return Ok(String::new());
    }
    if let Some(map) = value.read_lock::<Map>() {
        let reply = map.get("reply").map(answer).transpose()?.unwrap_or_default();
        return steps(&map, &reply);
    }
    value.as_immutable_string_ref().map(|text| text.to_string()).map_err(|_| {
        let given = kind(value.type_name());
        let error =
            format!("an answer is a reply code, text, a map or (), and not of type {given}");
        Error::usage(error).hint(
            "a list gives one answer for each time, RCPT: [451, ()]; a closure decides each time, \
             RCPT: |command| if command.number == 1 { 451 }",
        )
    })
}

/// Converts a reply and what goes wrong with it, such as `#{reply: 451, cut: 3}`, into steps.
fn steps(map: &Map, reply: &str) -> Result<String> {
    let mut lines = vec![if reply.is_empty() { "well" } else { reply }.to_owned()];
    for (name, value) in map.iter().filter(|(name, _)| *name != "reply") {
        check_known(name, &[&["reply"], &FAULT[..]].concat())?;
        if name == "forge" {
            if boolean(name, value)? {
                "forge".clone_into(&mut lines[0]);
            }
            continue;
        }
        // Read the value as an option of a fault too, so that an error is worded as everywhere
        // else.
        with(Fault::new(), name, value)?;
        lines.extend(step(name, value)?);
    }
    Ok(lines.join("\n"))
}

/// Converts an option into a step in the notation of the server's rules; `None` if the option is
/// `false`.
fn step(name: &str, value: &Dynamic) -> Result<Option<String>> {
    if let Ok(is_so) = value.as_bool() {
        return Ok(is_so.then(|| name.to_owned()));
    }
    let text = value.to_string();
    Ok(Some(match name {
        "after" => format!("wait {text}"),
        "then" => match text.as_str() {
            "silence" => "stall".to_owned(),
            "cut_tls" => "cut".to_owned(),
            other => other.to_owned(),
        },
        // After a cut the connection is closed, unless a later step from `then` says otherwise.
        "cut" => format!("cut {text}\nclose"),
        "inject" => {
            let bytes = bytes(value.clone(), "the option `inject`")?;
            format!("inject {}\\", crate::visible::escape(&bytes))
        }
        name => format!("{name} {text}"),
    }))
}
