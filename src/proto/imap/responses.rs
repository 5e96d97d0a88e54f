//! Finding the end of a response (RFC 3501 section 7, RFC 9051 section 7).

use super::scanner::Scanner;
use crate::proto::{Framing, Malformed, missing_of_line, missing_of_literal};

/// The framing of responses: a line; if the line announces a literal, then its octets and another
/// line, any number of times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Responses {
    scanner: Scanner,
}

impl Framing for Responses {
    fn frame(&mut self, held: &[u8]) -> Result<Option<usize>, Malformed> {
        let (_, said) = self.scanner.feed(&held[self.scanner.gone()..]);
        let Some(said) = said else { return Ok(None) };
        let (line, end) = (self.scanner.line(), self.scanner.gone());
        self.restart();
        said.map(|_| Some(end)).map_err(|why| Malformed { why: why.to_owned(), line: line..end })
    }

    fn restart(&mut self) {
        self.scanner = Scanner::default();
    }

    fn missing(&self, held: &[u8]) -> Option<String> {
        match self.scanner.to_come() {
            0 if self.scanner.is_after_literal() => {
                Some("what follows the literal, up to CR LF".to_owned())
            }
            0 => missing_of_line(held.get(self.scanner.line()..)?),
            octets => Some(missing_of_literal(octets, self.scanner.announced())),
        }
    }

    fn at_least(&self) -> u64 {
        (self.scanner.gone() as u64).saturating_add(self.scanner.to_come())
    }
}
