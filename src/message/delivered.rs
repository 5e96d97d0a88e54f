//! Compares a delivered message with the one that was sent.

use std::collections::HashSet;

use super::header::{continues, name};
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
    let no_header = |line: &[u8]| {
        differs("what was added in front is no header")
            .with_got(shown(line))
            .with_expected("headers alone")
    };
    for (index, line) in added.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // A line without its end would make the first line of the message a part of it.
        let is_whole = line.ends_with(b"\r\n");
        match name(line) {
            Some((name, _))
                if is_whole && (is_own(name) || !names.contains(&name.to_ascii_lowercase())) => {}
            Some((name, _)) if is_whole => {
                let name = visible::quoted(name);
                return Err(differs(format!("a second {name} header was added"))
                    .with_got(shown(line))
                    .with_expected(format!("one {name}")));
            }
            None if is_whole && index > 0 && continues(line) => {}
            _ => return Err(no_header(line)),
        }
    }
    if !added.is_empty() && continues(sent) {
        let first = sent.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        return Err(differs("its first line continues the header that was added in front")
            .with_got(shown(first))
            .with_expected("a message that begins with a header"));
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
    header.filter_map(name).map(|(name, _)| name.to_ascii_lowercase())
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
    #[test]
    fn a_message_that_begins_with_a_folded_line_has_nothing_in_front() {
        let sent = b" folded\r\nSubject: x\r\n\r\nHi\r\n";
        assert_eq!(delivered(sent, sent).unwrap(), b"");
        let error = delivered(&[b"R: 1\r\n".as_slice(), sent].concat(), sent).unwrap_err();
        assert!(error.message().contains("continues the header"), "{error}");
    }
    #[test]
    fn a_line_in_front_that_is_no_whole_header_is_no_header() {
        let sent = std::str::from_utf8(SENT).unwrap();
        for (front, got) in
            [("R: 1\r\n ", " "), ("R: 1\r\n\t,", "\\t,"), ("R: 1\r\n x\n", " x"), ("R: 1", "R: 1")]
        {
            let error = delivered(format!("{front}{sent}").as_bytes(), SENT).unwrap_err();
            assert!(error.message().contains("no header"), "{front:?}: {error}");
            assert_eq!(error.got(), Some(got), "{front:?}");
        }
    }
}
