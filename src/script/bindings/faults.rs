//! Faults: what a server does wrong on purpose, as scripts describe it.

use rhai::{Array, Dynamic, Map};

use super::argument::{boolean, bytes, check_known, duration, text_of};
use crate::error::{Error, Result};
use crate::script::raise::kind;
use crate::session::{FAULTS, Fault, Named, Set, Then};

/// The options of a fault that are not among the named faults.
const OTHERS: [&str; 2] = ["then", "forge"];
/// The options that say when a fault of a listener happens.
const WHEN: [&str; 4] = ["at", "connection", "number", "address"];

/// The options that say what goes wrong, and how often.
pub(super) fn options() -> impl Iterator<Item = &'static str> {
    FAULTS.iter().map(|fault| fault.name).chain(OTHERS)
}

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
    let known: Vec<_> = options().filter(|name| *name != "forge").chain(WHEN).collect();
    let mut fault = Fault::new();
    for (name, value) in map.iter() {
        check_known(name, &known)?;
        fault = match name.as_str() {
            "at" => fault.at(&text_of(value)?),
            "connection" => fault.connection(place(name, value)?),
            "number" => fault.number(place(name, value)?),
            "address" => fault.address(text_of(value)?),
            _ => with(fault, name, value)?,
        };
    }
    Ok(fault)
}

/// Adds one option to a fault.
pub(super) fn with(fault: Fault, name: &str, value: &Dynamic) -> Result<Fault> {
    if name == "then" {
        return Ok(fault.then(then(value)?));
    }
    let named = Named::find(name)
        .ok_or_else(|| Error::usage(format!("the option `{name}` is no fault")))?;
    Ok(match named.set {
        Set::Flag(set) => set(fault, boolean(name, value)?),
        Set::Time(set) => set(fault, duration(value)?),
        Set::Count(set) => set(fault, count(name, value)?),
        Set::More(set) => set(fault, more(name, value)?),
        Set::Rate(set) => set(fault, rate(value)?),
        Set::Chance(set) => set(fault, chance(value)?),
        Set::Line(set) => set(fault, line(name, value)?),
        Set::Bytes(set) => set(fault, bytes(value.clone(), &format!("the option `{name}`"))?),
    })
}

/// Reads a number of octets, which may be negative.
fn more(name: &str, value: &Dynamic) -> Result<i64> {
    value.as_int().map_err(|_| {
        Error::usage(format!("the option `{name}` is a number of octets, more or fewer"))
            .hint(format!("{name}: 5; {name}: -5"))
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

fn line(name: &str, value: &Dynamic) -> Result<String> {
    let line = text_of(value)?;
    if value.is_string() && !line.contains(['\r', '\n']) {
        return Ok(line);
    }
    let error = Error::usage(format!("the option `{name}` is a line"));
    Err(error.hint(format!("{name}: \"500 what?\"")))
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
    Ok(match text_of(value)?.as_str() {
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
    if value.is_string() {
        return text_of(value);
    }
    let given = kind(value.type_name());
    let error = format!("an answer is a reply code, text, a map or (), and not of type {given}");
    Err(Error::usage(error).hint(
        "a list gives one answer for each time, RCPT: [451, ()]; a closure decides each time, \
             RCPT: |command| if command.number == 1 { 451 }",
    ))
}

/// Converts a reply and what goes wrong with it, such as `#{reply: 451, cut: 3}`, into steps.
fn steps(map: &Map, reply: &str) -> Result<String> {
    let known: Vec<_> = ["reply"].into_iter().chain(options()).collect();
    let mut lines = vec![if reply.is_empty() { "well" } else { reply }.to_owned()];
    for (name, value) in map.iter().filter(|(name, _)| *name != "reply") {
        check_known(name, &known)?;
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
    let text = text_of(value)?;
    Ok(Some(match name {
        "after" => format!("wait {text}"),
        "then" => match text.as_str() {
            "silence" => "stall".to_owned(),
            "cut_tls" => "cut".to_owned(),
            other => other.to_owned(),
        },
        // After a cut the connection is closed, unless a later step from `then` says otherwise.
        "cut" => format!("cut {text}\nclose"),
        name if matches!(Named::find(name), Some(Named { set: Set::Bytes(_), .. })) => {
            let bytes = bytes(value.clone(), &format!("the option `{name}`"))?;
            format!("{name} {}\\", crate::visible::escape(&bytes))
        }
        name => format!("{name} {text}"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::vocabulary;
    use crate::server::is_fault;

    /// A value for a fault.
    fn value(set: Set) -> Dynamic {
        match set {
            Set::Flag(_) => true.into(),
            Set::Time(_) => "2s".into(),
            Set::Count(_) | Set::More(_) | Set::Rate(_) => 7_i64.into(),
            Set::Chance(_) => 0.5.into(),
            Set::Line(_) | Set::Bytes(_) => "500 what?".into(),
        }
    }

    #[test]
    fn every_fault_has_a_word_in_scripts_and_a_line_in_rules() {
        let rules = include_str!("../../server/embedded/options.rs");
        for Named { name, set } in &FAULTS {
            let value = value(*set);
            assert_ne!(with(Fault::new(), name, &value).unwrap(), Fault::new(), "{name}");
            let manual = super::super::serving::INTRO;
            let is_named = [":", "`"].iter().any(|end| manual.contains(&format!("`{name}{end}")));
            assert!(is_named, "the chapter on the server's side lacks `{name}`");
            assert!(vocabulary::is_option(name), "OPTIONS lacks `{name}`");
            // Rules have a step of their own for these two, which are no faults there.
            let Some(line) =
                step(name, &value).unwrap().filter(|_| !["after", "cut"].contains(name))
            else {
                continue;
            };
            assert!(is_fault(&line), "a rule takes `{line}` for a reply");
            let is_named = ["`", " "].iter().any(|end| rules.contains(&format!("`{name}{end}")));
            assert!(is_named, "the table of rules lacks `{name}`");
        }
    }
}
