//! Status lines: `+OK`, `-ERR`, and the `+` of a challenge in AUTH (RFC 1939 section 3, RFC 5034
//! section 4).

use crate::proto::{Framing, Malformed, chomp, missing_of_line};
use crate::visible;

/// The status at the beginning of a status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Err,
    /// A challenge, which needs a response.
    Continue,
}

impl Status {
    const ALL: [(&[u8], Self); 3] =
        [(b"+OK", Self::Ok), (b"-ERR", Self::Err), (b"+", Self::Continue)];

    /// The status of a line, even if the line is otherwise malformed; `None` if it is no status
    /// line.
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        let word = Self::word(line)?;
        Self::ALL
            .iter()
            .find(|(known, _)| word.eq_ignore_ascii_case(known))
            .map(|(_, status)| *status)
    }

    /// The word at the beginning of a status line, as it came. Letters match in either case (RFC
    /// 5234 section 2.3, whose notation RFC 5034 and RFC 2449 use).
    pub(crate) fn word(line: &[u8]) -> Option<&[u8]> {
        Self::ALL.iter().find_map(|(known, _)| {
            line.get(..known.len()).filter(|start| start.eq_ignore_ascii_case(known))
        })
    }
}

/// The framing of status lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatusLines {
    /// The offset up to which the buffer has been searched for a line end.
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

    fn missing(&self, held: &[u8]) -> Option<String> {
        missing_of_line(held)
    }
}

fn check(line: &[u8]) -> Result<(), String> {
    let word = Status::word(line)
        .ok_or("a status line does not begin with +OK, -ERR or, in AUTH, + (RFC 1939, 3)")?;
    match line.get(word.len()) {
        None | Some(b' ') => Ok(()),
        Some(other) => {
            let (word, other) = (visible::escape(word), visible::escape(&[*other]));
            Err(format!(
                "a status line has `{other}` after `{word}` in place of a space (RFC 1939, 3)"
            ))
        }
    }
}

/// The timestamp in a greeting for the digest of APOP: the first message id, with its angle
/// brackets (RFC 1939 section 7). Other words may be in brackets too.
pub(crate) fn timestamp(greeting: &[u8]) -> Option<&[u8]> {
    in_brackets(greeting).find(|text| text.contains(&b'@'))
}

/// The texts in angle brackets, with these.
pub(crate) fn in_brackets(greeting: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(b'>', greeting);
    let mut from = 0;
    ends.filter_map(move |end| {
        let text = &greeting[std::mem::replace(&mut from, end + 1)..=end];
        Some(&text[memchr::memrchr(b'<', text)?..])
    })
}

/// The extended response code of a status line, in brackets after `+OK` or `-ERR` (RFC 2449 section
/// 8).
pub(crate) fn response_code(reply: &[u8]) -> Option<&[u8]> {
    let rest = reply.get(Status::word(reply)?.len()..)?.strip_prefix(b" [")?;
    let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
    line.get(..memchr::memchr(b']', line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_status_says_why() {
        for (line, why) in [
            (&b"250 hi\r\n"[..], "does not begin with +OK, -ERR"),
            (b"\r\n", "does not begin with +OK"),
            (b"+OKAY\r\n", "`A` after `+OK`"),
            (b"+OK\x00\r\n", "`\\0` after `+OK`"),
            (b"-ERROR\r\n", "`O` after `-ERR`"),
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
            ("+OK <hi> POP3 ready <a@b>", Some("<a@b>")),
            ("+OK < ready > <a@b>", Some("<a@b>")),
            ("+OK a < b <a@b>", Some("<a@b>")),
            ("+OK ready <no id>", None),
            ("+OK ready >a@b<", None),
            ("+OK", None),
        ] {
            assert_eq!(timestamp(greeting.as_bytes()), found.map(str::as_bytes), "{greeting}");
        }
    }

    #[test]
    fn a_response_code_is_in_brackets() {
        for (line, code) in [
            ("-ERR [IN-USE] Do you have another POP session running?\r\n", Some("IN-USE")),
            ("-ERR [SYS/TEMP] later\r\n", Some("SYS/TEMP")),
            ("+ok [X] y", Some("X")),
            ("-ERR no [AUTH]\r\n", None),
            ("-ERR [AUTH\r\n]", None),
            ("-ERR", None),
        ] {
            assert_eq!(response_code(line.as_bytes()), code.map(str::as_bytes), "{line}");
        }
    }
}
