//! Finding the end of what a client sends: a command line, a message, or octets that were
//! announced.

use super::multiline::{MESSAGE, Multiline};
use super::{Framing, Malformed, missing_of_line, missing_of_literal};

/// What a client sends next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Next {
    /// A command line.
    #[default]
    Line,
    /// The lines of a message, up to a lone dot.
    Message,
    /// This number of octets, whatever they contain.
    Octets(u64),
    /// This number of octets of a literal, and then a line in which further literals may come.
    Literals(u64),
}

/// Finds the end of a client's next request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    wants: Next,
    /// The offset before which the line does not end.
    at: usize,
    /// The offset at which the announced octets end.
    octets_end: u64,
    /// How many octets were announced last.
    announced: u64,
    block: Multiline,
}

impl Requests {
    /// Returns the framing for what the dialogue expects now.
    pub(crate) fn wanting(&mut self, wants: Next) -> &mut Self {
        if self.wants != wants {
            *self = Self { wants, ..Self::default() };
            self.restart();
        }
        self
    }

    fn line(&mut self, held: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(end) = memchr::memchr(b'\n', held.get(self.at..).unwrap_or_default()) else {
            self.at = self.at.max(held.len());
            return Ok(None);
        };
        let end = self.at + end + 1;
        if held[..end].ends_with(b"\r\n") {
            return Ok(Some(end));
        }
        let start = memchr::memrchr(b'\n', &held[..end - 1]).map_or(0, |at| at + 1);
        Err(Malformed { why: "the client ends a line with a bare LF".to_owned(), line: start..end })
    }

    /// Frames a line with the literals in it that the client sends without waiting for permission.
    fn line_with_literals(&mut self, held: &[u8]) -> Result<Option<usize>, Malformed> {
        loop {
            let Ok(octets_end) = usize::try_from(self.octets_end) else { return Ok(None) };
            if held.len() < octets_end {
                return Ok(None);
            }
            self.at = self.at.max(octets_end);
            let Some(end) = self.line(held)? else { return Ok(None) };
            if self.octets_end > 0 && !may_follow_literal(held[octets_end]) {
                let announced = self.announced;
                let why = format!(
                    "more than the {announced} octets of a literal came before a space or the line end"
                );
                return Err(Malformed { why, line: octets_end..end });
            }
            let Some(octets) = literal_plus(&held[octets_end..end]) else { return Ok(Some(end)) };
            self.announced = octets;
            self.octets_end = (end as u64).saturating_add(octets);
        }
    }
}

/// Whether this byte may come after a literal: a space, the end of a list, or that of the line.
fn may_follow_literal(byte: u8) -> bool {
    matches!(byte, b' ' | b')' | b'\r')
}

/// The number of octets that a line announces at its end by a non-synchronizing literal (RFC 7888).
/// As in `box{5+}`, a brace directly after other characters is part of their word.
fn literal_plus(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"+}\r\n")?;
    let (before, digits) = line.split_at(memchr::memrchr(b'{', line)?);
    let digits = &digits[1..];
    if !digits.iter().all(u8::is_ascii_digit)
        || before.last().is_some_and(u8::is_ascii_alphanumeric)
    {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl Framing for Requests {
    fn frame(&mut self, held: &[u8]) -> Result<Option<usize>, Malformed> {
        let framed = match self.wants {
            Next::Line => self.line(held),
            Next::Message => Ok(self.block.advance(held)),
            Next::Octets(count) => {
                Ok(usize::try_from(count).ok().filter(|count| held.len() >= *count))
            }
            Next::Literals(_) => self.line_with_literals(held),
        };
        if !matches!(framed, Ok(None)) {
            self.restart();
        }
        framed
    }

    fn restart(&mut self) {
        let octets_end = match self.wants {
            Next::Octets(count) | Next::Literals(count) => count,
            Next::Line | Next::Message => 0,
        };
        *self = Self { wants: self.wants, octets_end, announced: octets_end, ..Self::default() };
    }

    fn missing(&self, held: &[u8]) -> Option<String> {
        if held.is_empty() {
            return None;
        }
        let left = self.octets_end.saturating_sub(held.len() as u64);
        match self.wants {
            Next::Message => Some(self.block.missing(held, MESSAGE)),
            Next::Octets(_) | Next::Literals(_) if left > 0 => {
                Some(missing_of_literal(left, self.announced.max(left)))
            }
            _ => missing_of_line(&held[self.at.min(held.len() - 1)..]),
        }
    }

    fn at_least(&self) -> u64 {
        self.octets_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of the request, which has to be the same however the bytes are cut.
    fn framed(wants: Next, bytes: &[u8]) -> Option<usize> {
        let whole = Requests::default().wanting(wants).frame(bytes).unwrap();
        let mut requests = Requests::default();
        let mut piecewise = None;
        for end in 1..=bytes.len() {
            piecewise = requests.wanting(wants).frame(&bytes[..end]).unwrap();
            if piecewise.is_some() {
                break;
            }
        }
        assert_eq!(whole, piecewise, "{wants:?}");
        whole
    }

    #[test]
    fn a_request_ends_where_its_kind_does() {
        assert_eq!(framed(Next::Line, b"NOOP\r\nQUIT\r\n"), Some(6));
        assert_eq!(framed(Next::Line, b"NOOP"), None);
        assert_eq!(framed(Next::Message, b"a\n.\nb\r\n..\r\n.\r\nQUIT\r\n"), Some(14));
        assert_eq!(framed(Next::Octets(3), b"a\nbQUIT"), Some(3));
    }

    #[test]
    fn after_a_request_the_next_one_is_framed() {
        let (mut requests, all) =
            (Requests::default(), &b"RCPT TO:<a@b.example>\r\nDATA\r\nX\r\n"[..]);
        let (mut start, mut lengths) = (0, Vec::new());
        for end in 1..=all.len() {
            if let Some(length) = requests.wanting(Next::Line).frame(&all[start..end]).unwrap() {
                lengths.push(length);
                start += length;
            }
        }
        assert_eq!(lengths, [23, 6, 3]);
    }

    #[test]
    fn literals_that_need_no_go_ahead_are_part_of_their_command() {
        let command = b"a1 LOGIN {2+}\r\n\r\n {3+}\r\nabc\r\n";
        let all = [&command[..], b"a2 NOOP\r\n"].concat();
        assert_eq!(framed(Next::Literals(0), &all), Some(command.len()));
        assert_eq!(framed(Next::Literals(0), b"a1 LOGIN {2}\r\n"), Some(14));
        assert_eq!(framed(Next::Literals(2), b"\r\n x\r\n"), Some(6));
        assert_eq!(framed(Next::Literals(9), b"abc\r\n"), None);
    }

    #[test]
    fn nothing_is_glued_to_a_literal() {
        for (command, is_right) in [
            ("a1 X {3+}\r\nabc\r\n", true),
            ("a1 X ({3+}\r\nabc) y\r\n", true),
            ("a1 X {3+}\r\nabcdef\r\n", false),
            ("a1 X {3+}\r\nabc{1+}\r\nd\r\n", false),
        ] {
            let framed = Requests::default().wanting(Next::Literals(0)).frame(command.as_bytes());
            assert_eq!(framed.is_ok(), is_right, "{command}");
        }
        let asked = Requests::default().wanting(Next::Literals(3)).frame(b"abcd\r\n").unwrap_err();
        assert!(asked.why.contains("the 3 octets of a literal"), "{}", asked.why);
    }

    #[test]
    fn a_bare_line_feed_ends_no_command() {
        let wrong = Requests::default().wanting(Next::Line).frame(b"NOOP\n").unwrap_err();
        assert!(wrong.why.contains("bare LF"), "{}", wrong.why);
    }

    #[test]
    fn an_error_says_what_a_request_lacks() {
        let mut requests = Requests::default();
        let missing = |requests: &mut Requests, wants, held: &[u8]| {
            requests.wanting(wants).frame(held).unwrap();
            requests.missing(held).unwrap_or_default()
        };
        assert!(missing(&mut requests, Next::Line, b"NOOP").contains("line end"));
        assert!(missing(&mut requests, Next::Message, b"a\r\n").contains("lone dot"));
        assert!(missing(&mut requests, Next::Octets(9), b"abc").contains("6 octets"));
    }
}
