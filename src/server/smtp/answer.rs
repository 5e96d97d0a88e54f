//! One reply (RFC 5321 section 4.2), and what the connection does after it.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::server::dialogue::{LARGEST, Next, Said};

/// A reply: its code, its lines, and what comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    code: u16,
    /// The lines, separated by LF, each without its code and its line end.
    text: Cow<'static, str>,
    next: Next,
}

impl Answer {
    pub(super) fn new(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into(), next: Next::Line }
    }

    pub(super) fn then(self, next: Next) -> Self {
        Self { next, ..self }
    }

    pub(super) fn next(&self) -> Next {
        self.next
    }

    /// Whether the reply counts as an error of the client.
    pub(super) fn is_error(&self) -> bool {
        self.code >= 400
    }

    pub(super) fn said(&self) -> Said {
        Said::new(self.wire()).then(self.next)
    }

    /// The lines as they are sent: with a hyphen after the code, but a space in the last line (RFC
    /// 5321 section 4.2.1).
    pub(super) fn wire(&self) -> String {
        let (earlier, last) = self
            .text
            .rsplit_once('\n')
            .map_or((None, &*self.text), |(earlier, last)| (Some(earlier), last));
        let mut wire = String::new();
        for line in earlier.into_iter().flat_map(|earlier| earlier.split('\n')) {
            let _ = write!(wire, "{}-{line}\r\n", self.code);
        }
        let _ = write!(wire, "{} {last}\r\n", self.code);
        wire
    }
}

pub(super) fn too_large() -> Answer {
    Answer::new(552, format!("5.3.4 Message larger than {LARGEST} octets"))
}

pub(super) fn out_of_sequence(why: &'static str) -> Answer {
    Answer::new(503, format!("5.5.1 {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_has_a_space() {
        assert_eq!(Answer::new(250, "a\nb\nc").wire(), "250-a\r\n250-b\r\n250 c\r\n");
        assert_eq!(Answer::new(334, "").wire(), "334 \r\n");
    }
}
