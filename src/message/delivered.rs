//! Compares a delivered message with the one that was sent.

use std::collections::HashSet;

use crate::error::{Error, Kind, Result};
use crate::proto::chomp;
use crate::visible;

/// The number of bytes of a line that an error shows.
const SHOWN: usize = 200;

/// The headers that every server on the way may add, even if the message has some already.
const TRACE: [&str; 8] = [
    "Received",
    "Return-Path",
    "Delivered-To",
    "Envelope-To",
    "Delivery-Date",
    "Received-SPF",
    "Authentication-Results",
    "DKIM-Signature",
];

/// Checks that a message is the one that was sent, byte for byte, except for headers that servers
/// have added at the beginning (RFC 5321 section 4.4). Returns the added headers.
///
/// # Errors
/// An assertion that shows the first difference: a different line, a missing end, more text after
/// the end, something at the beginning that is no header, or an added header that the message had
/// already (except trace headers, `ARC-...` and `X-...`).
pub fn delivered<'a>(fetched: &'a [u8], sent: &[u8]) -> Result<&'a [u8]> {
    let added = match fetched.len().checked_sub(sent.len()) {
        Some(start) if fetched.ends_with(sent) => &fetched[..start],
        _ => return Err(difference(fetched, sent)),
    };
    let names: HashSet<_> = names(sent).collect();
    for line in added.split_inclusive(|byte| *byte == b'\n') {
        let is_more = line.starts_with(b" ") || line.starts_with(b"\t");
        match name(line) {
            Some(name) if is_own(name) || !names.contains(&name.to_ascii_lowercase()) => {}
            Some(name) => {
                let name = visible::quoted(name);
                return Err(differs(format!("a second {name} header was added"))
                    .with_got(shown(line))
                    .with_expected(format!("one {name}")));
            }
            None if is_more && !added.starts_with(line) => {}
            None => {
                return Err(differs("what was added in front is no header")
                    .with_got(shown(line))
                    .with_expected("headers alone"));
            }
        }
    }
    Ok(added)
}

fn differs(why: impl Into<String>) -> Error {
    let why: String = why.into();
    Error::new(Kind::Assert, format!("the message is not the one that was sent: {why}"))
}

fn shown(line: &[u8]) -> String {
    visible::excerpt(chomp(line), SHOWN)
}

/// A line as it was, including its line end.
fn shown_whole(line: Option<&&[u8]>) -> String {
    line.map_or_else(|| "the end of the message".to_owned(), |line| visible::excerpt(line, SHOWN))
}

/// The name of the header that begins in this line, if one does (RFC 5322 section 3.6.8).
fn name(line: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic) && line.ends_with(b"\r\n"))
        .then_some(name)
}

/// Whether servers may add headers with this name.
fn is_own(name: &[u8]) -> bool {
    let starts = |prefix: &[u8]| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    starts(b"X-")
        || starts(b"ARC-")
        || TRACE.iter().any(|trace| name.eq_ignore_ascii_case(trace.as_bytes()))
}

/// The names of the headers of a message, in lower case.
fn names(message: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let header =
        message.split_inclusive(|byte| *byte == b'\n').take_while(|line| !chomp(line).is_empty());
    header.filter_map(name).map(<[u8]>::to_ascii_lowercase)
}

/// The error that shows the first difference.
fn difference(fetched: &[u8], sent: &[u8]) -> Error {
    let sent: Vec<_> = sent.split_inclusive(|byte| *byte == b'\n').collect();
    let fetched: Vec<_> = fetched.split_inclusive(|byte| *byte == b'\n').collect();
    let first = sent.first().copied().unwrap_or_default();
    let header = fetched.iter().take_while(|line| !chomp(line).is_empty()).count();
    let Some(start) = fetched[..header].iter().position(|line| *line == first) else {
        let error = differs("its first line is not there").with_expected(shown_whole(Some(&first)));
        let got = fetched.iter().take(3).map(|line| shown(line)).collect::<Vec<_>>().join("\n");
        return error
            .with_got(got)
            .hint("servers may add headers in front; one that rewrites headers does not deliver the same bytes");
    };
    let fetched = &fetched[start..];
    let place = sent.iter().zip(fetched).take_while(|(sent, fetched)| sent == fetched).count();
    let error = differs(format!("line {} differs", place + 1));
    error.with_expected(shown_whole(sent.get(place))).with_got(shown_whole(fetched.get(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &[u8] = b"From: a@b\r\nSubject: x\r\n\r\nHi\r\n.\r\n";

    #[test]
    fn headers_may_be_added_in_front() {
        for added in [
            "",
            "Return-Path: <a@b>\r\nDelivered-To: c@d\r\nReceived: from x\r\n\tby y; today\r\n z\r\nX-Spam: no\r\n",
            "Message-ID: <1@b>\r\n",
        ] {
            let fetched = [added.as_bytes(), SENT].concat();
            assert_eq!(delivered(&fetched, SENT).unwrap(), added.as_bytes());
        }
    }

    #[test]
    fn the_first_difference_is_shown() {
        for (fetched, why, expected, got) in [
            (
                "R: 1\r\nFrom: a@b\r\nSubject: [list] x\r\n\r\nHi\r\n.\r\n",
                "line 2 differs",
                "Subject: x\\r\\n",
                "Subject: [list] x\\r\\n",
            ),
            (
                "From: a@b\r\nSubject: x\r\n\r\nHi\r\n",
                "line 5 differs",
                ".\\r\\n",
                "the end of the message",
            ),
            ("From: a@b\r\nSubject: x\r\n\r\nHi\n.\r\n", "line 4 differs", "Hi\\r\\n", "Hi\\n"),
            (
                "From: a@b\r\nSubject: x\r\n\r\nHi\r\n.\r\nmore\r\n",
                "line 6 differs",
                "the end of the message",
                "more\\r\\n",
            ),
            (
                "From: A <a@b>\r\nSubject: x\r\n\r\nHi\r\n",
                "first line is not there",
                "From: a@b\\r\\n",
                "From: A <a@b>\nSubject: x\n",
            ),
            (
                "Subject: y\r\nFrom: a@b\r\nSubject: x\r\n\r\nHi\r\n.\r\n",
                "a second Subject",
                "one Subject",
                "Subject: y",
            ),
            (
                "no header\r\nFrom: a@b\r\nSubject: x\r\n\r\nHi\r\n.\r\n",
                "no header",
                "headers alone",
                "no header",
            ),
            (
                "\tfolded\r\nFrom: a@b\r\nSubject: x\r\n\r\nHi\r\n.\r\n",
                "no header",
                "headers alone",
                "\\tfolded",
            ),
            (
                "X-A: b\r\n\r\nFrom: a@b\r\nSubject: x\r\n\r\nHi\r\n.\r\n",
                "no header",
                "headers alone",
                "",
            ),
            ("", "first line is not there", "From: a@b\\r\\n", ""),
        ] {
            let error = delivered(fetched.as_bytes(), SENT).unwrap_err();
            assert_eq!(error.kind().name(), "assert");
            assert!(error.message().contains(why), "{fetched:?}: {error}");
            assert_eq!((error.expected(), error.got()), (Some(expected), Some(got)), "{fetched:?}");
        }
    }
}
