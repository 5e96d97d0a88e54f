//! Words about the golden transcript: `snapshot`, `redact` and `strictness`.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use std::fmt::Write as _;

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Blob, ImmutableString, Map};

use super::Handle;
use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::redaction::Redaction;
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;
use crate::transcript::What;
use crate::visible;

pub(super) const INTRO: &str = "The transcript of a script that passes is compared with its golden, `snapshots/<script>.snap` \
beside the script, if there is one. `mailexpect run --record` writes the golden, and `mailexpect review` accepts changes. The \
golden contains the strictness and the redactions that it was made with, and these are used in the comparison. If a run has a \
lower strictness or more redactions, both sides are reduced to that. Values that vary from run to run are redacted, and the \
output of `print` is left out. These words set what else is compared, and how strictly. They may stand anywhere in the \
script, and apply to all of it.";

/// How deep lists and maps may be nested in a value for the golden transcript. A deeper value is an
/// error.
const DEEPEST: usize = 16;

fn change(
    ctx: &NativeCallContext<'_>,
    change: impl FnOnce(Redaction) -> Result<Redaction>,
) -> Result<(), Raised> {
    Run::current().and_then(|run| run.redact(change)).map_err(|error| raise(ctx, error))
}

fn take(ctx: &NativeCallContext<'_>, name: &str, value: &Dynamic) -> Result<(), Raised> {
    let mut text = String::new();
    show(ctx, &mut text, value, 0)?;
    let run = Run::current().map_err(|error| raise(ctx, error))?;
    run.transcript.note(What::Snapshot { name: name.into(), text: text.into() });
    Ok(())
}

/// Appends a value as text, with each entry of a list or a map on its own line, so that a diff
/// shows single entries.
fn show(
    ctx: &NativeCallContext<'_>,
    text: &mut String,
    value: &Dynamic,
    depth: usize,
) -> Result<(), Raised> {
    if depth > DEEPEST {
        let error = Error::usage("the value is too deep to be shown in a golden transcript");
        return Err(raise(
            ctx,
            error.hint(format!("lists and maps may lie in each other {DEEPEST} times")),
        ));
    }
    if value.is::<Handle>() {
        let error = Error::usage("a session is no value for a golden transcript");
        return Err(raise(
            ctx,
            error.hint("what it says is in it anyway; snapshot(...) takes what a word gave back"),
        ));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries =
            map.iter().map(|(key, value)| (visible::escape(key.as_bytes()) + ": ", value));
        return each(ctx, text, ["#{", "}"], entries, depth);
    }
    if let Some(list) = value.read_lock::<Array>() {
        return each(ctx, text, ["[", "]"], list.iter().map(|value| (String::new(), value)), depth);
    }
    let whole = match value.read_lock::<Blob>() {
        Some(blob) => blob.to_vec(),
        None if value.is_unit() => b"()".to_vec(),
        None => ctx
            .call_native_fn::<ImmutableString>("to_string", (value.clone(),))?
            .as_bytes()
            .to_vec(),
    };
    match (depth, value.is_string() || value.is_blob()) {
        (0, _) => text.push_str(&lines(&whole)),
        (_, true) => drop(write!(text, "\"{}\"", visible::escape(&whole))),
        (_, false) => text.push_str(&visible::escape(&whole)),
    }
    Ok(())
}

/// The lines of a text, each escaped. A line may end with LF or CRLF, and empty lines at the end
/// are left out.
fn lines(text: &[u8]) -> String {
    let lines = text
        .split(|byte| *byte == b'\n')
        .map(|line| visible::escape(line.strip_suffix(b"\r").unwrap_or(line)));
    let lines: Vec<_> = lines.collect();
    lines.join("\n").trim_end_matches('\n').to_owned()
}

fn each<'v>(
    ctx: &NativeCallContext<'_>,
    text: &mut String,
    [open, close]: [&str; 2],
    entries: impl Iterator<Item = (String, &'v Dynamic)>,
    depth: usize,
) -> Result<(), Raised> {
    text.push_str(open);
    let mut is_empty = true;
    for (name, value) in entries {
        is_empty = false;
        let _ = write!(text, "\n{:indent$}{name}", "", indent = 4 * (depth + 1));
        show(ctx, text, value, depth + 1)?;
        text.push(',');
    }
    if !is_empty {
        let _ = write!(text, "\n{:indent$}", "", indent = 4 * depth);
    }
    text.push_str(close);
    Ok(())
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Puts a value into the golden transcript at this place: a number, text, a reply, bytes, or a
    /// list or a map with its entries in order. The value is redacted like the rest of the
    /// transcript.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// let caps = s.ehlo("client.example");
    /// snapshot(caps.contains("PIPELINING"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn snapshot(ctx: NativeCallContext, value: Dynamic) -> Result<(), Raised> {
        take(&ctx, "", &value)
    }

    /// The same with a name, which the golden shows before the value.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// snapshot("hello", s.ehlo("client.example").keywords);
    /// ```
    #[rhai_fn(name = "snapshot", return_raw)]
    pub fn snapshot_named(
        ctx: NativeCallContext,
        name: &str,
        value: Dynamic,
    ) -> Result<(), Raised> {
        take(&ctx, name, &value)
    }

    /// Changes what is redacted, in the syntax of `--redact`: adds presets, normalisers and groups
    /// of them, and removes those with a minus before the name. Examples are `"imap"` and
    /// `"sizes, -net.ipv4"`. `mailexpect redact --list` lists all names.
    ///
    /// ```rhai
    /// redact("imap, pop3, -timing");
    /// connect().expect(220);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn redact(ctx: NativeCallContext, names: &str) -> Result<(), Raised> {
        change(&ctx, |redaction| redaction.select(names))
    }

    /// Adds a regex of the script's own. What the regex's group `v` matches becomes `[TOKEN#1]`,
    /// with the second argument in place of `TOKEN`. Without a group `v`, the whole match is
    /// replaced. The same value gets the same number everywhere.
    ///
    /// ```rhai
    /// redact(`job (?P<v>\d+)`, "JOB");
    /// connect().expect(220);
    /// ```
    #[rhai_fn(name = "redact", return_raw)]
    pub fn redact_regex(ctx: NativeCallContext, regex: &str, token: &str) -> Result<(), Raised> {
        change(&ctx, |redaction| redaction.regex(regex, token))
    }

    #[rhai_fn(name = "redact", return_raw)]
    pub fn redact_pattern(
        ctx: NativeCallContext,
        regex: Pattern,
        token: &str,
    ) -> Result<(), Raised> {
        change(&ctx, |redaction| match regex.regex_source() {
            Some(source) => redaction.regex(source, token),
            None => Err(Error::usage("what is redacted is a regex")
                .hint("write redact(`job (\\d+)`, \"JOB\")")),
        })
    }

    /// Sets how much of the servers' replies counts in the golden. `"text"`, the default, counts
    /// all of it. `"enhanced"` leaves out prose, and counts codes with their enhanced codes
    /// (RFC 3463) and data. `"codes"` also leaves out values, and counts codes (RFC 5321 section
    /// 4.2) and the kinds of data. What a server offers in reply to EHLO, CAPA or CAPABILITY always
    /// counts.
    ///
    /// ```rhai
    /// strictness("codes");
    /// connect().expect(220);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn strictness(ctx: NativeCallContext, name: &str) -> Result<(), Raised> {
        change(&ctx, |redaction| Ok(redaction.strictness(name.parse()?)))
    }
}
