//! Converts the values that scripts pass to words into the types of the library.

use std::time::Duration;

use rhai::{Array, Blob, Dynamic, ImmutableString};

use crate::error::{Error, Result};
use crate::pattern::{Code, IntoPattern as _, Pattern};
use crate::script::rhai_error::holds_too_much;
use crate::script::run::Run;
use crate::script::{coroutine, raise};
use crate::session::Payload;
use crate::{duration, suggest, visible};

/// Converts a value into a pattern. Text, a blob, an integer (a reply code) and a [`Pattern`] are
/// accepted.
pub(super) fn pattern(value: Dynamic) -> Result<Pattern> {
    let value = match value.try_cast_result::<Pattern>() {
        Ok(pattern) => return Ok(pattern),
        Err(value) => value,
    };
    if let Ok(code) = value.as_int() {
        return Code::new(code).map(Into::into);
    }
    if value.is_array() {
        return Err(Error::usage("a list in the place of one pattern").hint(
            "a list is for several replies, a pattern each; alternatives are any(250, 501)",
        ));
    }
    let octets = octets(value, "a pattern")?;
    may_copy(octets.as_ref().len())?;
    octets.as_ref().into_pattern()
}

pub(super) fn patterns(values: Array) -> Result<Vec<Pattern>> {
    values.into_iter().map(pattern).collect()
}

/// Text or a blob, in the form in which the script holds it.
pub(super) enum Octets {
    Text(ImmutableString),
    Blob(Blob),
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Blob(bytes) => bytes,
        }
    }
}

pub(super) fn octets(value: Dynamic, what: &str) -> Result<Octets> {
    let kind = value.type_name();
    if value.is_string() {
        return value.into_immutable_string().map(Octets::Text).map_err(|kind| misfit(what, kind));
    }
    value.try_cast().map(Octets::Blob).ok_or_else(|| misfit(what, kind))
}

/// Makes sure that the script may hold a copy of a text or blob of this length. A list may have one
/// text many times, and a word that copies each text needs the room of all.
///
/// # Errors
/// Usage, if the script would hold more than its limit.
pub(super) fn may_copy(bytes: usize) -> Result<()> {
    if coroutine::has_room(bytes) { Ok(()) } else { Err(holds_too_much()) }
}

/// Returns a copy of a text, or the text of another value as it is printed.
///
/// # Errors
/// As for [`may_copy`]; usage, if the text of another value has more than 8 KiB.
pub(super) fn text_of(value: &Dynamic) -> Result<String> {
    if let Ok(text) = value.as_immutable_string_ref() {
        may_copy(text.len())?;
        return Ok(text.to_string());
    }
    if raise::is_own(value) {
        let kind = raise::with_article(raise::kind(value.type_name()));
        let error = Error::usage(format!("{kind} stands where text is expected"));
        return Err(error.hint("its properties are text: the reference lists them"));
    }
    let text = visible::shortened(value);
    if text.len() > visible::WHOLE {
        let error = Error::usage(format!("this {} is too long", raise::kind(value.type_name())));
        return Err(error.hint("text is expected here"));
    }
    Ok(text)
}

/// Converts text or a blob into bytes. `what` names the argument in an error.
pub(super) fn bytes(value: Dynamic, what: &str) -> Result<Vec<u8>> {
    let octets = octets(value, what)?;
    may_copy(octets.as_ref().len())?;
    Ok(match octets {
        Octets::Text(text) => text.into_owned().into(),
        Octets::Blob(bytes) => bytes,
    })
}

/// Converts text, a blob or a list of lines into a message: the line ends of text become CRLF, and a
/// blob stays as it is.
pub(super) fn message(value: Dynamic) -> Result<Payload<'static>> {
    if let Some(lines) = value.read_lock::<Array>() {
        return joined(lines.iter().cloned(), "a line of a message", true).map(Payload::from);
    }
    Ok(match octets(value, "a message")? {
        Octets::Text(text) => {
            if !text.contains('\n') {
                warn_of_backticks(text.as_bytes());
            }
            Payload::from(text.into_owned())
        }
        Octets::Blob(bytes) => Payload::from(bytes),
    })
}

/// Joins lines, with CRLF between them, and after the last one if that is `ended`.
pub(super) fn joined(
    lines: impl Iterator<Item = Dynamic>,
    what: &str,
    is_ended: bool,
) -> Result<Vec<u8>> {
    let mut joined = Vec::new();
    for line in lines {
        let line = octets(line, what)?;
        // The joined lines may have to move to a larger place, and are held twice in that moment.
        may_copy(joined.len() + line.as_ref().len())?;
        joined.extend_from_slice(line.as_ref());
        joined.extend_from_slice(b"\r\n");
    }
    if !is_ended {
        joined.truncate(joined.len().saturating_sub(2));
    }
    Ok(joined)
}

/// Warns, once in a run, that text ends with an escape that is sent literally, although the script
/// most likely meant a line end.
pub(super) fn warn_of_backticks(sent: &[u8]) {
    let is_meant = |escape: &&str| sent.ends_with(escape.as_bytes());
    let Some(escape) = ["\\r\\n", "\\n"].into_iter().find(is_meant) else { return };
    if let Ok(run) = Run::current() {
        run.warn(&format!(
            "`{escape}` is sent as it stands: between backticks it is no line end; write \"...\" for the escapes to hold"
        ));
    }
}

/// Converts a duration: a number of seconds, or text with a unit, such as `"5s"`.
pub(super) fn duration(value: &Dynamic) -> Result<Duration> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return duration::parse(&text);
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "seconds that need more than 52 bits are refused as too long"
    )]
    let seconds = value.as_int().map(|seconds| seconds as f64).or_else(|_| value.as_float());
    let seconds = seconds.map_err(|_| misfit("a duration", value.type_name()))?;
    duration::from_seconds(seconds).ok_or_else(|| {
        Error::usage(format!("{seconds} seconds is no duration"))
            .hint("at most 24 hours, and not negative")
    })
}

/// Converts the deadline of a word, as [`duration`] does.
///
/// # Errors
/// Usage for no duration, and for 0.
pub(super) fn deadline(value: &Dynamic) -> Result<Duration> {
    let deadline = duration(value)?;
    if deadline.is_zero() {
        let error = Error::usage("a timeout of 0 leaves no time for anything");
        return Err(error.hint("write a short one, such as \"100ms\"; expect_silence(\"100ms\") expects that nothing comes"));
    }
    Ok(deadline)
}

fn misfit(what: &str, kind: &str) -> Error {
    let error = Error::usage(format!("{what} cannot be of type {}", raise::kind(kind)));
    if what == "a message" {
        return error
            .hint("messages are text, blobs, lists of lines, and what message(#{...}) gives back");
    }
    error.hint("patterns are text, re(`...`), integers (reply codes) and blobs; durations are text such as \"5s\" or seconds")
}

pub(super) fn check_known(name: &str, allowed: &[&str]) -> Result<()> {
    if allowed.contains(&name) {
        return Ok(());
    }
    let error = Error::usage(format!("there is no option `{name}` here"));
    Err(match suggest::nearest(name, allowed.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("the options are {}", allowed.join(", "))),
    })
}

pub(super) fn boolean(name: &str, value: &Dynamic) -> Result<bool> {
    value.as_bool().map_err(|_| Error::usage(format!("the option `{name}` is true or false")))
}
