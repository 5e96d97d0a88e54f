//! The one place that turns events into text.

use std::fmt;
use std::time::Duration;

use super::{Close, Event, Excerpt, SessionId, What};
use crate::{duration, visible};

/// A line of a transcript: a mark that says where the line comes from, and its text, escaped so
/// that it cannot control a terminal.
///
/// The decoded text of a SASL line follows an arrow. Escaping makes sure that the arrow appears
/// nowhere else. CRLF at the end of a line is not shown; a bare LF is shown as `\n`. A line without
/// a line end has a single `\` at its end.
///
/// ```text
/// *** connecting to smtp://localhost:2525
/// *** 127.0.0.1:2525 connected
/// S: 220 localhost ESMTP
/// C: AUTH LOGIN
/// S: 334 VXNlcm5hbWU6 → Username:
/// C: [SECRET] → hoge@example.com
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// The session, if the transcript has more than one.
    pub session: Option<SessionId>,
    /// Where the line comes from.
    pub mark: Mark,
    /// The text of the line, escaped.
    pub text: String,
    /// How long after the start of the transcript the event happened, if that is known. This is not
    /// part of the text.
    pub at: Option<Duration>,
}

/// Where a line of a transcript comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark {
    /// From the client to the server.
    Client,
    /// From the server to the client.
    Server,
    /// From the server; no operation took the line.
    Unread,
    /// From the client; no operation took the line.
    UnreadClient,
    /// An event that is not a line of a dialogue.
    Event,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "C:",
            Self::Server => "S:",
            Self::Unread => "unread S:",
            Self::UnreadClient => "unread C:",
            Self::Event => "***",
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(session) = self.session {
            write!(f, "{session} ")?;
        }
        write!(f, "{} {}", self.mark, self.text)
    }
}

/// The text before the decoded text of a line.
pub(super) const ARROW: &str = " \u{2192} ";

/// The word before the name of a snapshot.
pub(super) const SNAPSHOT: &str = "snapshot";

/// The text before each line of a snapshot's value of several lines.
pub(super) const VALUE: &str = "  | ";

pub(super) fn lines(events: &[Event]) -> Vec<Line> {
    let mut lines = Vec::with_capacity(events.len());
    each_line(events, |line| lines.push(line));
    lines
}

/// Passes each line on as it is made, so that a long transcript is not held as lines.
pub(crate) fn each_line(events: &[Event], mut push: impl FnMut(Line)) {
    let several = has_several(events);
    for event in events {
        lines_of(event, several, 0, &mut push);
    }
}

/// How many lines the events have.
#[cfg(feature = "script")]
pub(crate) fn count(events: &[Event]) -> usize {
    events.iter().map(lines_in).sum()
}

/// The last `most` lines of the events for which `is_wanted` holds. No other lines are made.
#[cfg(feature = "script")]
pub(crate) fn last_lines(
    events: &[Event],
    most: usize,
    is_wanted: impl Fn(&Event) -> bool,
) -> Vec<Line> {
    last_lines_of(events, has_several(events), most, is_wanted)
}

/// The last lines of events that are, if `several`, those of more than one session.
pub(super) fn last_lines_of(
    events: &[Event],
    several: bool,
    most: usize,
    is_wanted: impl Fn(&Event) -> bool,
) -> Vec<Line> {
    let mut found = 0;
    let is_needed = |event: &&Event| {
        let is_needed = found < most;
        found += if is_needed { lines_in(event) } else { 0 };
        is_needed
    };
    let last = events.iter().rev().filter(|event| is_wanted(event));
    let mut last: Vec<_> = last.take_while(is_needed).collect();
    last.reverse();
    let mut skip = found.saturating_sub(most);
    let mut lines = Vec::new();
    for event in last {
        lines_of(event, several, std::mem::take(&mut skip), &mut |line| lines.push(line));
    }
    lines
}

/// Whether lines need the names of their sessions.
pub(super) fn has_several(events: &[Event]) -> bool {
    events.iter().filter_map(|event| event.session).any(|session| session > SessionId::of(1))
}

/// Passes on the lines of an event, without the first `skip`.
fn lines_of(event: &Event, several: bool, skip: usize, to: &mut impl FnMut(Line)) {
    let session = event.session.filter(|_| several);
    let mut push = |mark, text| to(Line { session, mark, text, at: event.at() });
    match &event.what {
        What::Client(bytes) => wire(bytes, skip, |text| push(Mark::Client, text)),
        What::Server(bytes) => wire(bytes, skip, |text| push(Mark::Server, text)),
        What::Unread(bytes) => wire(bytes, skip, |text| push(Mark::Unread, text)),
        What::UnreadClient(bytes) => wire(bytes, skip, |text| push(Mark::UnreadClient, text)),
        What::Complaint(bytes) => {
            wire(bytes, skip, |text| push(Mark::Event, format!("stderr: {text}")));
        }
        What::Printed(text) => {
            printed_lines(text).skip(skip).for_each(|line| {
                // Printed text is the script's own: a backslash in it is not an escape and stays as
                // it is.
                push(Mark::Event, format!("print: {}", visible::printable(line)));
            });
        }
        What::Snapshot { name, text } => {
            snapshot(name, text, skip, |text| push(Mark::Event, text));
        }
        other if skip == 0 => push(Mark::Event, happening(other)),
        _ => {}
    }
}

/// The lines of a printed text: at least one, as an empty text was printed, too.
fn printed_lines(text: &str) -> impl Iterator<Item = &str> {
    text.is_empty().then_some("").into_iter().chain(text.lines())
}

/// How many lines an event has.
fn lines_in(event: &Event) -> usize {
    let lines = |bytes: &[u8]| {
        let ended = memchr::memchr_iter(b'\n', bytes).count();
        ended + usize::from(!bytes.is_empty() && !bytes.ends_with(b"\n"))
    };
    match &event.what {
        What::Client(bytes)
        | What::Server(bytes)
        | What::Unread(bytes)
        | What::UnreadClient(bytes)
        | What::Complaint(bytes) => match (bytes.decoded(), bytes.omitted()) {
            (None, 1..) => lines(bytes.head()) + 1 + lines(bytes.tail()),
            _ => lines(bytes.head()),
        },
        What::Printed(text) => printed_lines(text).count(),
        What::Snapshot { text, .. } => match memchr::memchr_iter(b'\n', text.as_bytes()).count() {
            0 => 1,
            ends => ends + 2,
        },
        _ => 1,
    }
}

pub(crate) fn happening(what: &What) -> String {
    match what {
        What::Connecting(url) => format!("connecting to {}", visible::escape(url.as_bytes())),
        What::Attempt { address, result } => {
            format!("{} {}", visible::escape(address.as_bytes()), visible::printable(result))
        }
        What::Accepted(address) => format!("accepted from {}", visible::escape(address.as_bytes())),
        What::TimedOut(allowed) => format!("timed out after {}", duration::show(*allowed)),
        What::Omitted(events) => format!("{events} events are left out here"),
        What::Silent(span) => format!("silence for {}", duration::show(*span)),
        What::Closed(close) => match close {
            Close::ByServer => "closed by the server",
            Close::ResetByServer => "reset by the server",
            Close::ByClient => "closed by the client",
            Close::Agreed => "closed as agreed",
            Close::HalfByClient => "closed by the client for sending",
            Close::HalfByServer => "closed by the server for sending",
            Close::ResetByClient => "reset by the client",
        }
        .to_owned(),
        What::Step(title) => format!("step: {}", visible::escape(title.as_bytes())),
        What::Tls(words) => format!("TLS {}", visible::escape(words.as_bytes())),
        What::Note { about, text } => {
            format!("{}{}", about.prefix(), visible::printable(text))
        }
        What::Exited(status) => format!("ended with {}", visible::escape(status.as_bytes())),
        What::Complaint(_)
        | What::Client(_)
        | What::Server(_)
        | What::Unread(_)
        | What::UnreadClient(_)
        | What::Printed(_)
        | What::Snapshot { .. } => String::new(),
    }
}

/// A value after its name on one line, or on the lines below if the value has several lines.
fn snapshot(name: &str, text: &str, skip: usize, mut push: impl FnMut(String)) {
    let blank = if name.is_empty() { "" } else { " " };
    let title = || format!("{SNAPSHOT}{blank}{}:", visible::escape(name.as_bytes()));
    if !text.contains('\n') {
        if skip == 0 {
            push(format!("{} {}", title(), visible::printable(text)));
        }
        return;
    }
    if skip == 0 {
        push(title());
    }
    let lines = text.split('\n').skip(skip.saturating_sub(1));
    lines.for_each(|line| push(format!("{VALUE}{}", visible::printable(line))));
}

/// The lines of a dialogue, without the first `skip`. An excerpt is short.
fn wire(excerpt: &Excerpt, skip: usize, mut push: impl FnMut(String)) {
    let mut number = 0;
    let mut push = |text| {
        if number >= skip {
            push(text);
        }
        number += 1;
    };
    if let Some(decoded) = excerpt.decoded() {
        let mut lines = Vec::new();
        each_line_of(excerpt.head(), &mut |line| lines.push(line));
        if let Some(last) = lines.last_mut() {
            last.push_str(ARROW);
            last.push_str(&visible::escape(decoded));
        }
        return lines.into_iter().for_each(push);
    }
    each_line_of(excerpt.head(), &mut push);
    if excerpt.omitted() > 0 {
        let digest = excerpt.digest().map(|digest| format!(", SHA-256 {digest}"));
        let digest = digest.unwrap_or_default();
        push(format!("... {} bytes left out{digest} ...", excerpt.omitted()));
        each_line_of(excerpt.tail(), &mut push);
    }
}

fn each_line_of(bytes: &[u8], push: &mut impl FnMut(String)) {
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        push(match line.strip_suffix(b"\r\n") {
            Some(text) => visible::escape(text),
            None if line.ends_with(b"\n") => visible::escape(line),
            None => visible::escape(line) + "\\",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Transcript;
    use bytes::Bytes;

    #[test]
    fn line_ends_and_controls_are_visible() {
        let transcript = Transcript::new();
        let session = transcript.open();
        let bytes = |bytes: &'static [u8]| Excerpt::from(Bytes::from_static(bytes));
        transcript
            .record_on(session, What::Server(bytes(b"220 a\r\n250 b\n\x1b[2Jc\0\xff\rd\r\n\r\n")));
        transcript.record_on(session, What::Client(bytes(b"half")));
        let prompt =
            bytes(b"250-x\r\n334 aGk=\r\n").with_meaning(Some(b"hi\0 \xe2\x86\x92".to_vec()));
        transcript.record_on(session, What::Server(prompt));
        transcript.record_on(session, What::Unread(bytes(b"back\\slash\\\r\n")));
        transcript.record_on(session, What::TimedOut(Duration::from_secs(5)));
        transcript.record_on(session, What::Silent(Duration::from_millis(200)));
        transcript.record_on(session, What::Tls("refused: the certificate has expired".into()));
        transcript.record_on(session, What::Closed(Close::ByServer));
        insta::assert_snapshot!(transcript, @r"
        S: 220 a
        S: 250 b\n
        S: \e[2Jc\0\xff\rd
        S: 
        C: half\
        S: 250-x
        S: 334 aGk= → hi\0 \xe2\x86\x92
        unread S: back\slash\\
        *** timed out after 5 s
        *** silence for 200 ms
        *** TLS refused: the certificate has expired
        *** closed by the server
        ");
    }

    #[test]
    fn a_value_of_several_lines_is_below_its_name() {
        let transcript = Transcript::new();
        let snapshot = |name: &str, text: &str| {
            transcript.note(What::Snapshot { name: name.into(), text: text.into() });
        };
        snapshot("", "12");
        snapshot("size", "");
        snapshot("caps", "a\n\x1b[0mb");
        insta::assert_snapshot!(transcript, @r"
        *** snapshot: 12
        *** snapshot size: 
        *** snapshot caps:
        ***   | a
        ***   | \e[0mb
        ");
    }

    #[cfg(feature = "script")]
    #[test]
    fn the_last_lines_are_those_of_all_lines() {
        let transcript = Transcript::new();
        let sessions = [transcript.open(), transcript.open()];
        let bytes = |text: &str| Excerpt::from(Bytes::copy_from_slice(text.as_bytes()));
        let long = "x\r\n".repeat(20_000);
        for text in ["", "220 a\r\n", "250-a\r\n250 b\nhalf", &*long] {
            transcript.record_on(sessions[0], What::Server(bytes(text)));
            transcript.record_on(sessions[1], What::Complaint(bytes(text)));
            transcript.note(What::Printed(text.into()));
            transcript.note(What::Snapshot { name: "a".into(), text: text.into() });
        }
        let prompt = bytes("334 aGk=\r\n").with_meaning(Some(b"hi".to_vec()));
        transcript.record_on(sessions[1], What::Server(prompt));
        transcript.note(What::Step("end".into()));
        let events = transcript.events();
        for end in 0..=events.len() {
            // Whether sessions are named depends on all events, so each part has one of the second.
            let part = [&events[..end], &events[events.len() - 2..]].concat();
            let all = lines(&part);
            assert_eq!(count(&part), all.len(), "{end}");
            for most in [0, 1, 2, 5, 12, 10_000, usize::MAX] {
                let last = &all[all.len().saturating_sub(most)..];
                assert_eq!(last_lines(&part, most, |_| true), last, "{most} of {end}");
            }
        }
        let printed = last_lines(&events, 2, |event| matches!(event.what, What::Printed(_)));
        assert_eq!(printed, vec![printed[0].clone(); 2]);
        assert_eq!(printed[0].text, "print: x");
    }

    #[test]
    fn sessions_are_told_apart_where_there_are_several() {
        let transcript = Transcript::new();
        for session in [transcript.open(), transcript.open()] {
            transcript.record_on(session, What::Connecting("smtp://localhost".into()));
        }
        insta::assert_snapshot!(transcript, @r"
        s1 *** connecting to smtp://localhost
        s2 *** connecting to smtp://localhost
        ");
    }

    #[test]
    fn prints_of_a_script_cannot_control_the_terminal() {
        let transcript = Transcript::new();
        transcript.note(What::Printed("one\n\x1b]0;two".into()));
        transcript.note(What::Printed(String::new()));
        insta::assert_snapshot!(transcript, @r"
        *** print: one
        *** print: \e]0;two
        *** print: 
        ");
    }
}
