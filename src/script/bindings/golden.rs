//! Words about the golden transcript: `snapshot`, `redact` and `strictness`.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Blob, ImmutableString, Map};

use super::Handle;
use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::redaction::Redaction;
use crate::script::bounds::{look, room};
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

/// The bytes that a line of a text takes when it is shown, in addition to its length.
const LINE: usize = 64;
/// How often the text of all snapshots is held at once after the script has ended: as events, also
/// redacted, as the text of the golden, and as that of the golden that is there already.
const COPIES: usize = 4;

fn take(ctx: &NativeCallContext<'_>, name: &str, value: &Dynamic) -> Result<(), Raised> {
    let mut text = Text { ctx, text: String::new() };
    text.show(value, 0)?;
    let run = Run::current().map_err(|error| raise(ctx, error))?;
    let lines = memchr::memchr_iter(b'\n', text.text.as_bytes()).count();
    // The comparison with the golden is outside of the script's allowance, and takes memory for all
    // that was kept so far.
    let kept = run.values.note_snapshot(name.len() + text.text.len() + lines * LINE);
    room(ctx, kept.saturating_mul(COPIES))?;
    let (name, text) = (visible::shortened(name).into(), text.text.into());
    run.transcript.note(What::Snapshot { name, text });
    Ok(())
}

/// A value as text, with each entry of a list or a map on its own line, so that a diff shows single
/// entries.
struct Text<'c, 'e> {
    ctx: &'c NativeCallContext<'e>,
    text: String,
}

impl Text<'_, '_> {
    /// Appends a piece, if the script may hold the text with it.
    fn push(&mut self, piece: &str) -> Result<(), Raised> {
        look(self.ctx)?;
        let length = self.text.len() + piece.len();
        if length > self.text.capacity() {
            room(self.ctx, length.saturating_mul(2))?;
        }
        self.text.push_str(piece);
        Ok(())
    }

    fn show(&mut self, value: &Dynamic, depth: usize) -> Result<(), Raised> {
        if depth > DEEPEST {
            let error = Error::usage("the value is too deep to be shown in a golden transcript");
            return Err(raise(
                self.ctx,
                error.hint(format!("lists and maps may lie in each other {DEEPEST} times")),
            ));
        }
        if value.is::<Handle>() {
            let error = Error::usage("a session is no value for a golden transcript");
            return Err(raise(
                self.ctx,
                error.hint(
                    "what it says is in it anyway; snapshot(...) takes what a word gave back",
                ),
            ));
        }
        if let Some(map) = value.read_lock::<Map>() {
            let entries =
                map.iter().map(|(key, value)| (visible::escape(key.as_bytes()) + ": ", value));
            return self.each(["#{", "}"], entries, depth);
        }
        if let Some(list) = value.read_lock::<Array>() {
            let entries = list.iter().map(|value| (String::new(), value));
            return self.each(["[", "]"], entries, depth);
        }
        if let Some(blob) = value.read_lock::<Blob>() {
            return self.octets(&blob, depth, true);
        }
        if let Some(text) = value.read_lock::<ImmutableString>() {
            return self.octets(text.as_bytes(), depth, true);
        }
        if value.is_unit() {
            return self.push("()");
        }
        let whole = self.ctx.call_native_fn::<ImmutableString>("to_string", (value.clone(),))?;
        self.octets(whole.as_bytes(), depth, false)
    }

    /// Appends text or bytes: alone by its lines, and within another value in one line.
    fn octets(&mut self, octets: &[u8], depth: usize, is_quoted: bool) -> Result<(), Raised> {
        if depth == 0 {
            return if is_quoted { self.text(octets) } else { self.lines(octets) };
        }
        let quote = if is_quoted { "\"" } else { "" };
        self.push(quote)?;
        for piece in pieces(octets) {
            self.push(&visible::escape(piece))?;
        }
        self.push(quote)
    }

    /// Appends a text by its lines, each escaped. CRLF ends a line. LF alone, and the line end after
    /// the last line, are shown as escapes, so that no two texts look alike.
    fn text(&mut self, text: &[u8]) -> Result<(), Raised> {
        let mut left = text.len();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            left -= line.len();
            let shown = line.strip_suffix(b"\r\n").filter(|_| left > 0).unwrap_or(line);
            for piece in pieces(shown) {
                self.push(&visible::escape(piece))?;
            }
            if left > 0 {
                self.push("\n")?;
            }
        }
        Ok(())
    }

    /// Appends the lines of a value, each escaped. A line may end with LF or CRLF, and empty lines at
    /// the end are left out.
    fn lines(&mut self, text: &[u8]) -> Result<(), Raised> {
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if number > 0 {
                self.push("\n")?;
            }
            for piece in pieces(line.strip_suffix(b"\r").unwrap_or(line)) {
                self.push(&visible::escape(piece))?;
            }
        }
        let length = self.text.trim_end_matches('\n').len();
        self.text.truncate(length);
        Ok(())
    }

    fn each<'v>(
        &mut self,
        [open, close]: [&str; 2],
        entries: impl Iterator<Item = (String, &'v Dynamic)>,
        depth: usize,
    ) -> Result<(), Raised> {
        self.push(open)?;
        let mut is_empty = true;
        for (name, value) in entries {
            is_empty = false;
            self.push(&format!("\n{:indent$}{name}", "", indent = 4 * (depth + 1)))?;
            self.show(value, depth + 1)?;
            self.push(",")?;
        }
        if !is_empty {
            self.push(&format!("\n{:indent$}", "", indent = 4 * depth))?;
        }
        self.push(close)
    }
}

/// The most bytes that are escaped at a time.
const PIECE: usize = 64 << 10;

/// Cuts octets into pieces that are escaped as the whole is: whether a backslash is doubled depends
/// on the character after it, and a character has up to four bytes.
fn pieces(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let is_cut = |at: &usize| rest[*at] >> 6 == 0b10 || rest[at - 1] == b'\\';
        let end = (PIECE..rest.len()).find(|at| !is_cut(at)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
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
    /// snapshot("two\r\nlines");
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
    /// 4.2) and the kinds of data. Both leave out the lines of messages and of literals (RETR, TOP,
    /// `BODY[]`, GETSCRIPT), and of a response code with a value (`[UIDVALIDITY 7]`) they count at
    /// most the name: assert these in the script. What a server offers in reply to EHLO, CAPA or
    /// CAPABILITY always counts.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_escaped_in_pieces_as_in_one() {
        for unit in ["a", "\\", "\\r", "\u{20ac}", "\u{1f600}\\"] {
            for lead in 0..5 {
                let mut octets = ("x".repeat(lead) + unit.repeat(50_000).as_str()).into_bytes();
                octets.extend([0xff, 0xe2]);
                let escaped: String = pieces(&octets).map(visible::escape).collect();
                assert_eq!(escaped, visible::escape(&octets), "{unit}");
            }
        }
    }
}
