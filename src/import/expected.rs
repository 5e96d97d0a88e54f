//! Writes what a server said as expectations of the script.

use std::collections::BTreeMap;

use super::literal::{escaped, regex, text};
use super::tokens::{has_token, without_tokens};
use super::words::is_smtp_reply;
use super::{Act, GAP, Step};
use crate::redaction::Redaction;
use crate::transcript::{Event, Excerpt, What};

/// The width in columns that a line of the script should have. A list has 30 columns less, for the
/// call around it. A longer list is written with one text per line.
const WIDTH: usize = 100;

/// The expectation of a whole reply. The reply becomes a regex if it has values that differ from
/// run to run (`varying`), has lines left out, ends a line with blanks, or is not text; otherwise,
/// its exact text is expected. In a session without replies (`is_stream`), it is a line.
pub(super) fn reply(
    name: &str,
    lines: &[Vec<u8>],
    varying: Option<&Vec<String>>,
    is_stream: bool,
) -> String {
    let shown: Vec<_> =
        lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let call = if is_stream { "expect_line" } else { "expect" };
    let has_gap = shown.iter().any(|line| line == GAP);
    if varying.is_some()
        || has_gap
        || shown
            .iter()
            .any(|line| line.contains('\u{fffd}') || has_token(line) || has_blanks_at_its_end(line))
    {
        let (call, shown) = match shown.split_first() {
            Some((first, rest)) if first == GAP => ("expect_until", rest),
            _ => (call, shown.as_slice()),
        };
        let mut pattern = with_gaps(shown);
        for was in varying.into_iter().flatten() {
            pattern = pattern.replacen(&escaped(was), ".+", 1);
        }
        let pattern = format!("\\A{}", without_tokens(&pattern));
        return format!("{name}.{call}({});", regex(&pattern));
    }
    match shown.as_slice() {
        [line] if line.is_empty() => format!("{name}.{call}({});", regex("\\A\\z")),
        [line] if is_stream => format!("assert_eq({name}.expect_line().text, {});", text(line)),
        // A text in `expect` is only the beginning of a reply, so the rest is compared as well.
        [line] => format!("assert_eq({name}.expect({}).text, {});", status(&shown), text(line)),
        _ => format!("assert_eq({name}.expect({}).lines, {});", status(&shown), list(&shown)),
    }
}

/// The words by which a reply is recognised, as an argument of `expect`.
fn status(lines: &[String]) -> String {
    let [first, .., last] = lines else {
        return lines.first().map_or_else(String::new, |line| begins(line));
    };
    // The lines of data of ManageSieve come before the line with the status.
    let has_data_first = first.starts_with(['"', '{']);
    begins(if has_data_first { last } else { first })
}

/// The beginning of a reply: the code, or the status with the tag of IMAP in front of it.
fn begins(line: &str) -> String {
    if is_smtp_reply(line) {
        return line[..3].to_owned();
    }
    let mut blanks = line.match_indices(' ').map(|(at, _)| at);
    let first = blanks.next().unwrap_or(line.len());
    let second = blanks.next().unwrap_or(line.len());
    let rest = line[first..second].trim_start();
    let has_tag = line.starts_with("* ") || ["OK", "NO", "BAD"].contains(&rest);
    text(&line[..if has_tag { second } else { first }])
}

/// Whether blanks may stand at the end of a line of the reply. A paste often has lost them from a
/// challenge that is empty, or has more of them than the server sends.
fn has_blanks_at_its_end(line: &str) -> bool {
    line.ends_with(' ') || line == "334" || line == "+"
}

/// The lines of a reply as a regex that reaches to the end of the reply. A gap in the file matches
/// any lines, because nothing is known about the lines that were left out. If the last lines were
/// left out, the regex ends before them.
fn with_gaps(lines: &[String]) -> String {
    let last = lines.len().saturating_sub(1);
    let whole = |line: &str| {
        let blanks = if has_blanks_at_its_end(line) { " *" } else { "" };
        escaped(line.trim_end_matches(' ')) + blanks
    };
    let pattern = |(n, line): (usize, &String)| match (line == GAP, n == last) {
        (true, true) => String::new(),
        (true, false) => "(?:.*\\r\\n)*?".to_owned(),
        (false, true) => whole(line) + "\\z",
        (false, false) => whole(line) + "\\r\\n",
    };
    lines.iter().enumerate().map(pattern).collect()
}

/// The expectation of a multiline block that ends with a dot. If the content varies, only the
/// number of lines is expected. If the file leaves lines out, any block is expected.
pub(super) fn block(name: &str, lines: &[Vec<u8>], varies: bool) -> String {
    let shown: Vec<_> =
        lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    if shown.iter().any(|line| line == GAP) {
        return format!("{name}.expect_multiline();");
    }
    let unstuffed: Vec<_> = shown
        .iter()
        .map(|line| line.strip_prefix("..").map_or_else(|| line.clone(), |rest| format!(".{rest}")))
        .collect();
    let is_exact =
        !varies && !shown.iter().any(|line| line.contains('\u{fffd}') || has_token(line));
    if is_exact {
        return format!("assert_eq({name}.expect_multiline().lines, {});", list(&unstuffed));
    }
    format!("assert_eq({name}.expect_multiline().lines.len(), {});", lines.len())
}

/// A list of texts, on one line if it fits.
fn list(lines: &[String]) -> String {
    let texts: Vec<_> = lines.iter().map(|line| text(line)).collect();
    let one = format!("[{}]", texts.join(", "));
    if one.len() < WIDTH - 30 { one } else { format!("[\n    {},\n]", texts.join(",\n    ")) }
}

/// The values in each reply that differ from run to run, by the index of the step. These are the
/// values that redaction replaces.
pub(super) fn varying(steps: &[Step]) -> BTreeMap<usize, Vec<String>> {
    let mut events = Vec::new();
    let mut numbers = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let said = |lines: &[Vec<u8>], end: &[u8]| {
            let mut bytes = lines
                .iter()
                .flat_map(|line| [line.as_slice(), b"\r\n"].concat())
                .collect::<Vec<_>>();
            bytes.extend(end);
            Excerpt::from(bytes::Bytes::from(bytes))
        };
        let what = match &step.act {
            Act::Connect { scheme, .. } => What::Connecting(format!("{scheme}://localhost:1")),
            Act::Send { line, .. } => What::Client(said(std::slice::from_ref(line), b"")),
            Act::Reply(lines) => What::Server(said(lines, b"")),
            Act::Block(lines) => What::Server(said(lines, b".\r\n")),
            _ => continue,
        };
        numbers.push(n);
        let session = u32::try_from(step.session + 1).unwrap_or(u32::MAX);
        events.push(Event::new(Some(crate::transcript::SessionId::of(session)), what));
    }
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let Ok(redacted) = Redaction::new().apply(&events) else { return found };
    for change in redacted.changes {
        // A normaliser only changes the order of values, which are the same in each run.
        if Redaction::normalisers().any(|(name, _)| *name == *change.rule) {
            continue;
        }
        let was = String::from_utf8_lossy(&change.was).into_owned();
        if matches!(events[change.event].what, What::Server(_)) && !was.is_empty() {
            found.entry(numbers[change.event]).or_default().push(was);
        }
    }
    found
}
