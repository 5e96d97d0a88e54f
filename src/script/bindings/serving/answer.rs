//! Converts the arguments of a script to the answer of a server: the status, its text, and the
//! faults to make in it.

use rhai::Map;
use rhai::plugin::Dynamic;

use crate::error::{Error, Result};
use crate::proto::Speech;
use crate::quoted;
use crate::script::bindings::argument::{check_known, deadline, pattern, text_of};
use crate::script::bindings::faults;
use crate::session::{Answer, Call, Command, Session};

/// Separates the text from the options. A script may leave the text out, and then a map, the
/// options, stands in the place of the text.
fn parted(text: Dynamic, options: &mut Map) -> Option<Dynamic> {
    match text.try_cast_result::<Map>() {
        Ok(map) => {
            *options = map;
            None
        }
        Err(text) => Some(text),
    }
}

fn text_lines(text: &Dynamic) -> Result<Vec<String>> {
    if let Ok(list) = text.as_array_ref() {
        return list.iter().map(line_of).collect();
    }
    Ok(vec![line_of(text)?])
}

/// Refuses an empty list, because nothing would be sent for it. (An empty block of POP3 is allowed:
/// its final dot is sent.)
fn at_least_one(lines: Vec<String>) -> Result<Vec<String>> {
    if !lines.is_empty() {
        return Ok(lines);
    }
    let error = Error::usage("a reply has at least one line");
    Err(error.hint("reply(250, \"\") has an empty one"))
}

fn line_of(value: &Dynamic) -> Result<String> {
    let line = text_of(value)?;
    if value.is_string() && !line.contains(['\r', '\n']) {
        return Ok(line);
    }
    let error = Error::usage("the text of a reply is a line, or a list of lines");
    Err(error.hint("send_raw(...) sends any bytes"))
}

/// Makes the answer of the server from a status and an optional text.
pub(super) fn answer(speech: Speech, status: &Dynamic, text: Option<&Dynamic>) -> Result<Answer> {
    if let Ok(pair) = status.as_array_ref() {
        return match (&pair[..], text) {
            ([status], None) => answer(speech, status, None),
            ([status, text], None) => answer(speech, status, Some(text)),
            _ => Err(Error::usage("an answer in a list is a status and its text")
                .hint("several lines are a list of their own: [250, [\"localhost\", \"SIZE\"]]")),
        };
    }
    if let Ok(code) = status.as_int() {
        let code = u16::try_from(code).ok().filter(|code| (100..1000).contains(code));
        let code = code.ok_or_else(|| Error::usage("a reply code has three digits"))?;
        return Ok(match text {
            None => code.into(),
            Some(text) => (code, at_least_one(text_lines(text)?)?).into(),
        });
    }
    let status = line_of(status)?;
    let Some(text) = text else { return Ok(status.into()) };
    if text.is_array() && speech == Speech::Pop3 {
        let stuffed = |line: String| if line.starts_with('.') { format!(".{line}") } else { line };
        let lines = text_lines(text)?.into_iter().map(stuffed);
        return Ok(Answer::of_lines([status].into_iter().chain(lines).chain([".".to_owned()])));
    }
    let lines = text_lines(text)?;
    Ok(match (speech, &lines[..]) {
        (Speech::Sieve, [line]) => {
            let quoted = quoted::write(line.as_bytes());
            format!("{status} {}", String::from_utf8_lossy(&quoted)).into()
        }
        (_, [line]) => format!("{status} {line}").into(),
        _ => return Err(Error::usage("several lines need a reply code, or +OK in POP3")),
    })
}

pub(super) async fn reply_of(
    session: &mut Session,
    status: Dynamic,
    text: Dynamic,
    mut options: Map,
) -> Result<()> {
    let text = parted(text, &mut options).filter(|text| !text.is_unit());
    let answer = answer(session.speech(), &status, text.as_ref())?;
    session.reply(answer).with(sending(&options)?).await
}

pub(super) async fn greeting_of(
    session: &mut Session,
    status: Dynamic,
    text: Dynamic,
    mut options: Map,
) -> Result<()> {
    let status = parted(status, &mut options).filter(|status| !status.is_unit());
    let text = parted(text, &mut options).filter(|text| !text.is_unit());
    let answer = match status {
        Some(status) => answer(session.speech(), &status, text.as_ref())?,
        None => "".into(),
    };
    session.greet(answer).with(sending(&options)?).await
}

pub(super) async fn pair_of(
    session: &mut Session,
    wanted: Dynamic,
    status: Dynamic,
    text: Dynamic,
    mut options: Map,
) -> Result<Command> {
    let text = parted(text, &mut options).filter(|text| !text.is_unit());
    let answer = answer(session.speech(), &status, text.as_ref())?;
    session.serve(pattern(wanted)?, answer).with(sending(&options)?).await
}

/// Reads the options of a word that sends: a deadline, and the faults to make.
pub(in crate::script::bindings) fn sending(options: &Map) -> Result<Call> {
    let mut call = Call::default();
    for (name, value) in options {
        check_known(name, &["timeout"].into_iter().chain(spoiling()).collect::<Vec<_>>())?;
        spoil(&mut call, name, value)?;
    }
    Ok(call)
}

/// The names of the options that make a fault in what a word sends.
pub(super) fn spoiling() -> impl Iterator<Item = &'static str> {
    faults::options().filter(|name| *name != "forge")
}

/// Applies one of the options of [`spoiling`], or `timeout`, to the call.
pub(super) fn spoil(call: &mut Call, name: &str, value: &Dynamic) -> Result<()> {
    if name == "timeout" {
        call.timeout = Some(deadline(value)?);
        return Ok(());
    }
    let fault = call.fault.take().map(|fault| *fault).unwrap_or_default();
    call.fault = Some(Box::new(faults::with(fault, name, value)?));
    Ok(())
}
