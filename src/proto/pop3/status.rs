//! Status lines: `+OK`, `-ERR`, and the `+` that goes on in AUTH (RFC 1939 section 3, RFC 5034
//! section 4).

use crate::proto::{Framing, Malformed, chomp};
use crate::visible;

/// How a status line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Err,
    /// A challenge, to be answered with a response.
    Continue,
}

impl Status {
    const ALL: [(&[u8], Self); 3] =
        [(b"+OK", Self::Ok), (b"-ERR", Self::Err), (b"+", Self::Continue)];

    /// What a line says, whatever is wrong with it otherwise; `None` for one that is no status line
    /// at all.
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        let begins = |word: &[u8]| {
            line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        Self::ALL.iter().find(|(word, _)| begins(word)).map(|(_, status)| *status)
    }
}

/// The framing of status lines.
#[derive(Debug, Default)]
pub(crate) struct StatusLines {
    /// How far what is held has been searched for a line end.
    searched: usize,
}

impl Framing for StatusLines {
    fn frame(&mut self, held: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(at) = memchr::memchr(b'\n', &held[self.searched..]) else {
            self.searched = held.len();
            return Ok(None);
        };
        let end = self.searched + at + 1;
        self.restart();
        match check(chomp(&held[..end])) {
            Ok(()) => Ok(Some(end)),
            Err(why) => Err(Malformed { why, line: 0..end }),
        }
    }

    fn restart(&mut self) {
        self.searched = 0;
    }
}

fn check(line: &[u8]) -> Result<(), String> {
    let word = Status::ALL.iter().find_map(|(word, _)| line.starts_with(word).then_some(*word));
    let word =
        word.ok_or("a status line does not begin with +OK, -ERR or, in AUTH, + (RFC 1939, 3)")?;
    match line.get(word.len()) {
        None | Some(b' ') => Ok(()),
        Some(other) => {
            let (word, other) = (visible::escape(word), visible::escape(&[*other]));
            Err(format!(
                "a status line has `{other}` behind `{word}` where a space belongs (RFC 1939, 3)"
            ))
        }
    }
}

/// What a greeting has for the digest of APOP: a message id, angle brackets and all (RFC 1939
/// section 7).
pub(crate) fn timestamp(greeting: &[u8]) -> Option<&[u8]> {
    let start = memchr::memchr(b'<', greeting)?;
    let length = memchr::memchr(b'>', &greeting[start..])? + 1;
    let timestamp = &greeting[start..start + length];
    timestamp.contains(&b'@').then_some(timestamp)
}

/// The extended response code of a status line: what stands in brackets behind `+OK` or `-ERR` (RFC
/// 2449 section 8).
pub(crate) fn response_code(reply: &[u8]) -> Option<&[u8]> {
    let rest = reply.strip_prefix(b"-ERR [").or_else(|| reply.strip_prefix(b"+OK ["))?;
    let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
    line.get(..memchr::memchr(b']', line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_status_line_says_why() {
        for (line, why) in [
            (&b"250 hi\r\n"[..], "does not begin with +OK, -ERR"),
            (b"\r\n", "does not begin with +OK"),
            (b"+ok\r\n", "`o` behind `+`"),
            (b"+OKAY\r\n", "`A` behind `+OK`"),
            (b"+OK\x00\r\n", "`\\0` behind `+OK`"),
            (b"-ERROR\r\n", "`O` behind `-ERR`"),
            (b".\r\n", "does not begin with +OK"),
        ] {
            let error = StatusLines::default().frame(line).unwrap_err();
            assert!(error.why.contains(why), "{error:?}");
        }
    }

    #[test]
    fn a_greeting_has_a_timestamp_or_none() {
        for (greeting, found) in [
            (
                "+OK POP3 ready <1896.697170952@dbc.mtview.ca.us>",
                Some("<1896.697170952@dbc.mtview.ca.us>"),
            ),
            ("+OK <a@b> and <c@d>", Some("<a@b>")),
            ("+OK ready <no id>", None),
            ("+OK ready >a@b<", None),
            ("+OK", None),
        ] {
            assert_eq!(timestamp(greeting.as_bytes()), found.map(str::as_bytes), "{greeting}");
        }
    }

    #[test]
    fn a_response_code_is_what_stands_in_brackets() {
        for (line, code) in [
            ("-ERR [IN-USE] Do you have another POP session running?\r\n", Some("IN-USE")),
            ("-ERR [SYS/TEMP] later\r\n", Some("SYS/TEMP")),
            ("+OK [X] y", Some("X")),
            ("-ERR no [AUTH]\r\n", None),
            ("-ERR [AUTH\r\n]", None),
            ("-ERR", None),
        ] {
            assert_eq!(response_code(line.as_bytes()), code.map(str::as_bytes), "{line}");
        }
    }
}
