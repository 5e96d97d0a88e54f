//! Reads the text form of a transcript back into events.

use std::time::Duration;

use bytes::Bytes;

use super::render::{self, ARROW, Mark, SNAPSHOT, VALUE};
use super::{About, Close, Event, Excerpt, SessionId, What};
use crate::visible;

/// Reads a transcript from its text form, such as a golden or the output of `mailexpect run -v`.
/// Returns the events, and the number of lines that do not belong to a transcript. Consecutive
/// lines of one side become one event. Times before the lines are left out.
///
/// Bytes that were left out of long runs remain left out. Addresses, results and times remain text.
///
/// ```
/// use mailexpect::transcript;
///
/// let text = "*** connecting to smtp://localhost\nS: 220 hi\nC: half\\\n*** closed by the server\nPASS\n";
/// let (events, others) = transcript::read(text);
/// let lines: Vec<_> = transcript::lines(&events).iter().map(ToString::to_string).collect();
/// assert_eq!(lines.join("\n") + "\nPASS\n", text);
/// assert_eq!(others, 1);
/// ```
#[must_use]
pub fn read(text: &str) -> (Vec<Event>, usize) {
    read_lines(text.lines().map(|line| (line, None)))
}

/// Reads lines of a transcript, each with the time at which it happened, if that is known.
#[cfg(feature = "script")]
pub(crate) fn read_timed(lines: &[String], times: &[Option<Duration>]) -> Vec<Event> {
    let times = times.iter().copied().chain(std::iter::repeat(None));
    read_lines(lines.iter().map(String::as_str).zip(times)).0
}

fn read_lines<'a>(
    lines: impl Iterator<Item = (&'a str, Option<Duration>)> + Clone,
) -> (Vec<Event>, usize) {
    let several = lines.clone().any(|(line, _)| tag(without_times(line)).is_some());
    let mut events = Vec::new();
    let mut open: Option<Open> = None;
    let mut others = 0;
    for (line, at) in lines {
        let Some((session, mark, said)) = parts(line, several) else {
            others += usize::from(!line.trim().is_empty());
            continue;
        };
        let from = From { session, mark, at };
        if open.as_mut().is_some_and(|open| open.takes(from, said)) {
            continue;
        }
        events.extend(open.take().map(Open::event));
        match Open::of(from, said) {
            Some(begun) => open = Some(begun),
            None => events.push(Event::new(session, happened(said)).happened_at(at)),
        }
    }
    events.extend(open.map(Open::event));
    (events, others)
}

/// What a line says besides its text.
#[derive(Clone, Copy, PartialEq)]
struct From {
    session: Option<SessionId>,
    mark: Mark,
    at: Option<Duration>,
}

/// An event of several lines, of which more may come.
struct Open {
    from: From,
    text: Lines,
}

enum Lines {
    /// Consecutive lines of one side, of one time.
    Wire {
        bytes: Vec<u8>,
        /// The decoded text of the last line.
        meaning: Option<Vec<u8>>,
    },
    /// The title of a snapshot, the name in it, and the lines of the value below it. Without these,
    /// the title may be a whole snapshot, whose value ends like a title.
    Value { title: String, name: Box<str>, text: Option<String> },
}

impl Open {
    /// The event that begins with this line, if it is one of several lines.
    fn of(from: From, said: &str) -> Option<Self> {
        let text = if from.mark == Mark::Event {
            let name = snapshot_name(said.strip_suffix(':')?)?;
            Lines::Value { title: said.to_owned(), name, text: None }
        } else {
            let (bytes, meaning) = spoken(said);
            Lines::Wire { bytes, meaning }
        };
        Some(Self { from, text })
    }

    /// Takes the next line, if it belongs to this event.
    fn takes(&mut self, from: From, said: &str) -> bool {
        if self.from != from {
            return false;
        }
        match &mut self.text {
            // An excerpt holds a decoded text for its last line only, so a line with one ends its
            // event.
            Lines::Wire { bytes, meaning: meaning @ None } => {
                let (more, its_meaning) = spoken(said);
                bytes.extend(more);
                *meaning = its_meaning;
                true
            }
            Lines::Wire { .. } => false,
            Lines::Value { text, .. } => {
                // The blank is missing where an editor removed it from the end of the line.
                let Some(line) = said.strip_prefix(VALUE).or(said.strip_prefix(VALUE.trim_end()))
                else {
                    return false;
                };
                match text {
                    Some(text) => text.extend(["\n", line]),
                    None => *text = Some(line.to_owned()),
                }
                true
            }
        }
    }

    fn event(self) -> Event {
        let From { session, mark, at } = self.from;
        let what = match self.text {
            Lines::Value { title, text: None, .. } => happened(&title),
            Lines::Value { name, text: Some(text), .. } => {
                What::Snapshot { name, text: text.into() }
            }
            Lines::Wire { bytes, meaning } => {
                let excerpt = Excerpt::from(Bytes::from(bytes)).with_meaning(meaning);
                match mark {
                    Mark::Client => What::Client(excerpt),
                    Mark::Unread => What::Unread(excerpt),
                    Mark::UnreadClient => What::UnreadClient(excerpt),
                    Mark::Server | Mark::Event => What::Server(excerpt),
                }
            }
        };
        Event::new(session, what).happened_at(at)
    }
}

/// The bytes on the wire that a line shows, and the decoded text after them.
fn spoken(said: &str) -> (Vec<u8>, Option<Vec<u8>>) {
    match said.split_once(ARROW) {
        Some((said, meaning)) => (octets(said), Some(visible::unescape(meaning))),
        None => (octets(said), None),
    }
}

/// The name in a title such as `snapshot caps`; `None` if this is no title of a snapshot.
fn snapshot_name(title: &str) -> Option<Box<str>> {
    let rest = title.strip_prefix(SNAPSHOT)?;
    let name = if rest.is_empty() { rest } else { rest.strip_prefix(' ')? };
    Some(unescaped(name).into())
}

fn unescaped(text: &str) -> String {
    String::from_utf8_lossy(&visible::unescape(text)).into_owned()
}

/// The session in a line's tag, and the rest of the line.
fn tag(line: &str) -> Option<(SessionId, &str)> {
    let (tag, rest) = line.split_once(' ')?;
    Some((SessionId::read(tag)?, rest))
}

/// The line without blanks and the times at its beginning, which `mailexpect run -vv` shows.
fn without_times(line: &str) -> &str {
    let mut rest = line.trim_start();
    while let Some((word, after)) = rest.split_once(' ') {
        let time = word.strip_prefix('+').unwrap_or(word);
        let is_digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !time.split_once('.').is_some_and(|(s, rest)| is_digits(s) && is_digits(rest)) {
            break;
        }
        rest = after.trim_start();
    }
    rest
}

/// The session, the mark and the text of a line. If the transcript has several sessions, a line
/// without a tag belongs to none of them.
fn parts(line: &str, several: bool) -> Option<(Option<SessionId>, Mark, &str)> {
    let line = without_times(line);
    let (session, line) = match tag(line) {
        Some((session, line)) => (Some(session), line),
        None => ((!several).then_some(SessionId::of(1)), line),
    };
    let marks = [Mark::Client, Mark::Server, Mark::Unread, Mark::UnreadClient, Mark::Event];
    let (mark, rest) =
        marks.into_iter().find_map(|mark| Some((mark, line.strip_prefix(&mark.to_string())?)))?;
    Some((session, mark, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// The bytes on the wire that a line shows.
pub(crate) fn octets(shown: &str) -> Vec<u8> {
    let (shown, end): (_, &[u8]) = match shown.strip_suffix('\\') {
        Some(half) if is_escape(half) => (half, b""),
        _ if shown.strip_suffix("\\n").is_some_and(is_escape) => (shown, b""),
        _ => (shown, b"\r\n"),
    };
    [&visible::unescape(shown), end].concat()
}

/// Whether a backslash after this text begins an escape, and is not the second half of an escaped
/// backslash.
fn is_escape(before: &str) -> bool {
    before.bytes().rev().take_while(|byte| *byte == b'\\').count().is_multiple_of(2)
}

fn happened(said: &str) -> What {
    type Read = fn(String) -> What;
    const TEXTS: [(&str, Read); 5] = [
        ("accepted from ", What::Accepted),
        ("connecting to ", What::Connecting),
        ("step: ", What::Step),
        ("TLS ", What::Tls),
        ("ended with ", What::Exited),
    ];
    if let Some((text, what)) =
        TEXTS.iter().find_map(|(start, what)| Some((said.strip_prefix(start)?, what)))
    {
        return what(unescaped(text));
    }
    // The blank after a colon is missing where an editor removed it from the end of the line.
    let value = said.split_once(": ").or(said.strip_suffix(':').map(|title| (title, "")));
    if let Some((name, text)) = value.and_then(|(title, text)| Some((snapshot_name(title)?, text)))
    {
        return What::Snapshot { name, text: text.into() };
    }
    if let Some(text) = said.strip_prefix("print:") {
        return What::Printed(text.strip_prefix(' ').unwrap_or(text).to_owned());
    }
    let note =
        About::ALL.into_iter().find_map(|about| Some((about, said.strip_prefix(about.prefix())?)));
    if let Some((about, text)) = note {
        return What::Note { about, text: text.into() };
    }
    if let Some(log) = said.strip_prefix("stderr: ") {
        return What::Complaint(Excerpt::from(Bytes::from(octets(log))));
    }
    let ends = [
        Close::ByServer,
        Close::ResetByServer,
        Close::ByClient,
        Close::Agreed,
        Close::HalfByClient,
        Close::HalfByServer,
        Close::ResetByClient,
    ];
    let fixed = ends.into_iter().map(What::Closed).chain([What::TimedOut(Duration::ZERO)]);
    if let Some(end) = fixed.into_iter().find(|what| render::happening(what) == said) {
        return end;
    }
    // An address and the result of the attempt to connect. Every other event has a fixed form that
    // was recognised before.
    let (address, result) = said.split_once(' ').unwrap_or((said, ""));
    What::Attempt { address: unescaped(address).into(), result: result.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(text: &str) -> String {
        let lines: Vec<_> =
            super::super::lines(&read(text).0).iter().map(ToString::to_string).collect();
        lines.join("\n")
    }

    #[test]
    fn a_rendered_transcript_is_read_back() {
        let text = r"
s1 *** connecting to smtp://localhost:25
s1 *** 127.0.0.1:25 connected
s1 S: 220 a\\
s1 S: 250-\e \xff\n
s2 *** connecting to imap://localhost
s2 S: * OK hi
s1 C: half\
s1 S: 250 b
s1 unread S: more
s1 unread C: more
*** step: one
*** print: 
*** snapshot: 12
*** snapshot a: b: c
*** snapshot caps:
***   | a
***   | 
s1 *** TLS TLSv1.3
s1 *** timed out after 5 s
s1 *** stderr: oops
s2 *** closed as agreed";
        assert_eq!(back(text), text.trim());
    }

    #[test]
    fn line_ends_are_told_from_backslashes_by_their_number() {
        for (shown, bytes) in [
            (r"a\n", "a\n"),
            (r"a\\n", "a\\n\r\n"),
            (r"a\\\n", "a\\\n"),
            (r"a\", "a"),
            (r"a\\", "a\\\r\n"),
            (r"a\\\", "a\\"),
        ] {
            assert_eq!(octets(shown), bytes.as_bytes(), "{shown}");
        }
    }

    #[test]
    fn a_value_is_read_as_a_snapshot() {
        let values = |text: &str| -> Vec<_> {
            let value = |event: Event| match event.what {
                What::Snapshot { name, text } => Some((name.to_string(), text.to_string())),
                _ => None,
            };
            read(text).0.into_iter().filter_map(value).collect()
        };
        for (text, name, value) in [
            ("*** snapshot: 12", "", "12"),
            ("*** snapshot size: ", "size", ""),
            ("*** snapshot is: it:", "is", "it:"),
            ("*** snapshot size:", "size", ""),
            ("*** snapshot:\n***   | a\n***   |\n***   | b", "", "a\n\nb"),
            ("*** snapshot x\\ty:\n***   | a\\tb\n***   | b", "x\ty", "a\\tb\nb"),
        ] {
            assert_eq!(values(text), [(name.to_owned(), value.to_owned())], "{text}");
        }
        let other = "*** snapshotted: 1\n*** snapshotted:\n***   | a";
        assert_eq!((values(other), back(other)), (Vec::new(), other.replace("ed:\n", "ed: \n")));
    }

    #[test]
    fn lines_that_are_no_transcript_are_counted() {
        assert_eq!(read("---\nsource: a.rhai\n---\n\nS: 220 hi\nPASS a.rhai\n").1, 4);
    }

    #[test]
    fn times_before_a_line_are_left_out() {
        let text = "PASS a.rhai\n      0.0004   +0.0004 S: 220 hi\n     12.5000  +12.4996 C: 1.5 x";
        assert_eq!(back(text), "S: 220 hi\nC: 1.5 x");
    }

    #[test]
    fn the_meaning_of_a_challenge_is_not_on_the_wire() {
        let text = "S: 250-x\nS: 334 VXNlcm5hbWU6 \u{2192} Username:\nS: 334 x";
        assert_eq!(back(text), text);
        let What::Server(challenge) = &read(text).0[0].what else { panic!("no challenge") };
        assert_eq!(
            (challenge.head(), challenge.decoded()),
            (&b"250-x\r\n334 VXNlcm5hbWU6\r\n"[..], Some(&b"Username:"[..]))
        );
    }
}
