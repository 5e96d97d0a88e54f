//! Finding the end of a reply (RFC 5321 section 4.2.1).

use crate::proto::{Framing, Malformed, chomp, missing_of_line};
use crate::visible;

/// The framing of replies (RFC 5321 section 4.2.1): lines of a three-digit code and a hyphen; in
/// the last line, the code is followed by a space or nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replies {
    /// The offset of the first line that is not known to be complete.
    line: usize,
    /// The offset up to which that line has been searched for its end.
    searched: usize,
    code: [u8; 3],
}

impl Framing for Replies {
    fn frame(&mut self, held: &[u8]) -> Result<Option<usize>, Malformed> {
        while let Some(offset) = memchr::memchr(b'\n', &held[self.searched..]) {
            let range = self.line..self.searched + offset + 1;
            let last = self
                .check(&held[range.clone()])
                .map_err(|why| Malformed { why, line: range.clone() });
            if last != Ok(false) {
                self.restart();
                return last.map(|_| Some(range.end));
            }
            (self.line, self.searched) = (range.end, range.end);
        }
        self.searched = held.len();
        Ok(None)
    }

    fn restart(&mut self) {
        *self = Self::default();
    }

    fn missing(&self, held: &[u8]) -> Option<String> {
        let last_line = || {
            let code = visible::escape(&self.code);
            format!(
                "its last line: each line so far begins with `{code}-`, which says that more follow"
            )
        };
        missing_of_line(held.get(self.line..)?).or_else(|| (self.line > 0).then(last_line))
    }
}

impl Replies {
    /// Whether the line is the last of its reply; the error says why it is no reply line.
    fn check(&mut self, line: &[u8]) -> Result<bool, String> {
        let line = chomp(line);
        let code: [u8; 3] = match line.first_chunk() {
            Some(code) if code.iter().all(u8::is_ascii_digit) => *code,
            _ => {
                return Err(
                    "a reply line does not begin with a three-digit code (RFC 5321, 4.2)".into()
                );
            }
        };
        if self.line > 0 && code != self.code {
            let (first, now) = (visible::escape(&self.code), visible::escape(&code));
            return Err(format!(
                "the code changes inside a reply, from {first} to {now} (RFC 5321, 4.2.1)"
            ));
        }
        self.code = code;
        match line.get(3) {
            Some(b' ') | None => Ok(true),
            Some(b'-') => Ok(false),
            Some(other) => Err(format!(
                "a reply line has `{}` after its code in place of a space or a hyphen (RFC 5321, 4.2.1)",
                visible::escape(&[*other])
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The replies that are found if the stream is cut into these pieces.
    fn frames(pieces: &[&[u8]]) -> Result<Vec<String>, String> {
        let mut replies = Replies::default();
        let mut held = Vec::new();
        let mut found = Vec::new();
        for piece in pieces {
            held.extend_from_slice(piece);
            while let Some(length) = replies.frame(&held).map_err(|malformed| malformed.why)? {
                found.push(String::from_utf8(held.drain(..length).collect()).unwrap());
            }
        }
        Ok(found)
    }

    #[test]
    fn a_reply_is_all_its_lines() {
        let stream = b"220 hi\r\n250-a\r\n250-b\r\n250 c\r\n250\r\n221 by";
        let expected = ["220 hi\r\n", "250-a\r\n250-b\r\n250 c\r\n", "250\r\n"];
        assert_eq!(frames(&[stream]).unwrap(), expected);
        let bytewise: Vec<_> = stream.chunks(1).collect();
        assert_eq!(frames(&bytewise).unwrap(), expected);
    }

    #[test]
    fn bytes_that_are_no_reply_say_why() {
        for (stream, why) in [
            (&b"220-hi\r\n250 there\r\n"[..], "the code changes inside a reply, from 220 to 250"),
            (b"250_ok\r\n", "`_` after its code"),
            (b"2500 ok\r\n", "`0` after its code"),
            (b"hello\r\n", "does not begin with a three-digit code"),
            (b"\r\n", "does not begin with a three-digit code"),
            (b"25\xb2 x\r\n", "does not begin with a three-digit code"),
        ] {
            let error = frames(&[stream]).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn an_incomplete_reply_says_what_is_missing() {
        for (held, missing) in [
            (&b""[..], None),
            (b"250 mx", Some("its line end, CR LF")),
            (b"250 mx\r", Some("the LF after the CR at its end")),
            (b"250 a\rb", Some("its line end, CR LF; the CR in it is bare and ends no line")),
            (
                b"250-a\r\n250-b\r\n",
                Some(
                    "its last line: each line so far begins with `250-`, which says that more follow",
                ),
            ),
            (b"250-a\r\n250", Some("its line end, CR LF")),
        ] {
            let mut replies = Replies::default();
            assert_eq!(replies.frame(held), Ok(None));
            assert_eq!(replies.missing(held).as_deref(), missing);
        }
    }

    proptest! {
        #[test]
        fn replies_are_the_same_however_the_stream_is_cut(lines in proptest::collection::vec(("[25][05][0-9]", "[- ]", "[a-z\\r]{0,5}"), 0..6), cuts in proptest::collection::vec(0usize..60, 0..6)) {
            let lines: Vec<_> = lines.into_iter().map(|(code, separator, text)| format!("{code}{separator}{text}\r\n")).collect();
            let stream = lines.concat();
            let stream = stream.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(frames(&pieces), frames(&[stream]));
        }
    }
}
