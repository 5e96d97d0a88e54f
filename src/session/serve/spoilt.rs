//! The bytes that are sent in place of others because of a fault.

use bytes::{Bytes, BytesMut};

use super::fault::Fault;
use crate::proto::chomp;

impl Fault {
    /// Returns what is sent in place of these bytes.
    pub(crate) fn spoilt(&self, bytes: &[u8]) -> Bytes {
        let start = memchr::memrchr(b'\n', &bytes[..bytes.len().saturating_sub(1)]);
        let (before, last) = bytes.split_at(start.map_or(0, |at| at + 1));
        let mut spoilt = BytesMut::from(before);
        let wrong = self.wrong.as_ref().map(|line| in_place_of(last, line));
        let last = wrong.as_deref().unwrap_or(last);
        if !self.missing {
            spoilt.extend_from_slice(last);
        }
        if self.doubled {
            spoilt.extend_from_slice(last);
        }
        if self.uidvalidity {
            spoilt = renumbered(&spoilt, b"[UIDVALIDITY ", b"]", 1);
        }
        if let Some(more) = self.literal {
            spoilt = renumbered(&spoilt, b"{", b"}\r\n", more);
        }
        if let Some(length) = self.endless {
            spoilt.truncate(chomp(&spoilt).len());
            spoilt.resize(spoilt.len() + length, b'x');
        }
        if self.nul
            && let Some(at) = memchr::memchr(b'\r', &spoilt)
        {
            let rest = spoilt.split_off(at);
            spoilt.extend_from_slice(b"\0");
            spoilt.unsplit(rest);
        }
        if self.bare_lf {
            let bare = spoilt.iter().copied().filter(|byte| *byte != b'\r').collect::<Vec<_>>();
            spoilt = BytesMut::from(&bare[..]);
        }
        let length = self.cut.map_or(spoilt.len(), |cut| cut.min(spoilt.len()));
        spoilt.truncate(length);
        spoilt.extend_from_slice(&self.inject);
        spoilt.freeze()
    }
}

/// Returns the bytes of a line that replaces the last line. In IMAP, a status keeps the tag of the
/// last line.
fn in_place_of(last: &[u8], line: &str) -> Vec<u8> {
    let is_status = |word: &[u8]| matches!(word, b"OK" | b"NO" | b"BAD");
    let mut words = chomp(last).split(|byte| *byte == b' ');
    let tag = words.next().filter(|_| words.next().is_some_and(is_status));
    let first = line.split(' ').next().unwrap_or_default();
    let tag = tag.filter(|_| is_status(first.as_bytes())).map(|tag| [tag, b" "].concat());
    [tag.as_deref().unwrap_or_default(), line.as_bytes(), b"\r\n"].concat()
}

/// Adds `more` to each number that stands between `before` and `after`.
fn renumbered(bytes: &[u8], before: &[u8], after: &[u8], more: i64) -> BytesMut {
    let mut all = BytesMut::new();
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, before) {
        let (head, tail) = rest.split_at(at + before.len());
        all.extend_from_slice(head);
        let digits = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&tail[..digits]).ok();
        let number = number.and_then(|digits| digits.parse::<i64>().ok());
        rest = tail;
        if let Some(number) = number.filter(|_| tail[digits..].starts_with(after)) {
            let number = number.saturating_add(more).max(0);
            all.extend_from_slice(number.to_string().as_bytes());
            rest = &tail[digits..];
        }
    }
    all.extend_from_slice(rest);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoilt(fault: &Fault, bytes: &'static str) -> String {
        String::from_utf8(fault.spoilt(bytes.as_bytes()).to_vec()).unwrap()
    }

    #[test]
    fn each_fault_spoils_what_is_said_in_its_own_way() {
        let two = "250-a\r\n250 b\r\n";
        for (fault, expected) in [
            (Fault::new(), two),
            (Fault::new().bare_lf(true), "250-a\n250 b\n"),
            (Fault::new().nul(true), "250-a\0\r\n250 b\r\n"),
            (Fault::new().doubled(true), "250-a\r\n250 b\r\n250 b\r\n"),
            (Fault::new().missing(true), "250-a\r\n"),
            (Fault::new().wrong("350 c"), "250-a\r\n350 c\r\n"),
            (Fault::new().endless(3), "250-a\r\n250 bxxx"),
            (Fault::new().cut(4), "250-"),
            (Fault::new().cut(99), two),
            (Fault::new().missing(true).cut(0), ""),
            (Fault::new().inject("220 evil\r\n"), "250-a\r\n250 b\r\n220 evil\r\n"),
        ] {
            assert_eq!(spoilt(&fault, two), expected, "{fault:?}");
        }
        assert_eq!(spoilt(&Fault::new().missing(true), "250 a\r\n"), "");
    }

    #[test]
    fn numbers_of_imap_lie() {
        let fetched = "* 1 FETCH (BODY[] {5}\r\na {2} b)\r\na1 OK done\r\n";
        let longer = spoilt(&Fault::new().literal(7), fetched);
        assert_eq!(longer, "* 1 FETCH (BODY[] {12}\r\na {2} b)\r\na1 OK done\r\n");
        assert!(spoilt(&Fault::new().literal(-9), fetched).contains("{0}\r\n"));
        let selected = "* OK [UIDVALIDITY 41] UIDs\r\na1 OK done\r\n";
        assert!(spoilt(&Fault::new().uidvalidity(true), selected).contains("[UIDVALIDITY 42]"));
        let wrong = |line| spoilt(&Fault::new().wrong(line), "a1 OK done\r\n");
        assert_eq!([wrong("NO"), wrong("+ go on")], ["a1 NO\r\n", "+ go on\r\n"]);
    }
}
