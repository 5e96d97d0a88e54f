//! The contents of a response, word by word.

use super::responses::{Line, Lines};
use super::scanner::{Event, Scanner, Sort};
use crate::proto::capabilities::Capabilities;
use crate::quoted;
use crate::reply::Reply;

/// A word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Atom(Vec<u8>),
    /// A quoted string or a literal, without its encoding.
    Text(Vec<u8>),
    Open,
    Close,
}

impl Word {
    fn into_text(self) -> Option<Vec<u8>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// The words of each line. They are read lazily, because there may be millions of lines.
pub(crate) fn lines(response: &[u8]) -> impl Iterator<Item = Vec<Word>> {
    let mut scanner = Scanner::default();
    let mut at = 0;
    std::iter::from_fn(move || line(&mut scanner, response, &mut at))
}

/// The words of the line from `at` on; moves `at` after it. `None` if no complete line is left.
fn line(scanner: &mut Scanner, response: &[u8], at: &mut usize) -> Option<Vec<Word>> {
    let (mut words, mut content) = (Vec::new(), Vec::new());
    loop {
        match scanner.next(response, at)? {
            Event::Content(_, range) => content.extend_from_slice(&response[range]),
            Event::Word(Sort::Open) => words.push(Word::Open),
            Event::Word(Sort::Close) => words.push(Word::Close),
            Event::Word(Sort::Atom) => words.push(Word::Atom(std::mem::take(&mut content))),
            Event::Word(_) => words.push(Word::Text(std::mem::take(&mut content))),
            Event::End => return Some(words),
            Event::Wrong(_) => {}
        }
    }
}

/// The lines of data: all lines that begin with a string.
pub(crate) fn data(response: &[u8]) -> impl Iterator<Item = Vec<Word>> {
    lines(response).filter(|line| matches!(line.first(), Some(Word::Text(_))))
}

/// The offset of the line that states the result.
pub(crate) fn verdict(response: &[u8]) -> usize {
    let mut lines = Lines::default();
    let (mut start, mut at) = (0, 0);
    while let Some(Ok(line)) = lines.next(response, &mut at) {
        if line != Line::Data {
            return start;
        }
        start = at;
    }
    0
}

/// Whether the result is OK.
pub(crate) fn is_ok(response: &[u8]) -> bool {
    let mut lines = Lines::default();
    let mut at = verdict(response);
    lines.next(response, &mut at) == Some(Ok(Line::Ok))
}

/// The capabilities in the lines of data: each line is a keyword, with its parameters if it has any
/// (RFC 5804 section 1.7).
pub(crate) fn capabilities(reply: Reply) -> Capabilities {
    let pair = |line: Vec<Word>| {
        let mut words = line.into_iter().map(Word::into_text);
        (words.next().flatten().unwrap_or_default(), words.next().flatten().unwrap_or_default())
    };
    // A second handle on the same bytes, without a copy.
    let response = reply.clone();
    Capabilities::of_pairs(reply, data(response.bytes()).map(pair))
}

/// The response code of a response, in parentheses after OK, NO or BYE (RFC 5804 section 1.3).
/// Strings in it are quoted, however they came.
pub(crate) fn response_code(response: &[u8]) -> Option<Vec<u8>> {
    let last = &response[verdict(response)..];
    // Most replies have none, and may have millions of words.
    let status = last.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    if !last[status..].trim_ascii_start().starts_with(b"(") {
        return None;
    }
    let words = lines(last).next()?;
    let mut words = words.iter();
    let begins = matches!(words.next(), Some(Word::Atom(word)) if [&b"OK"[..], b"NO", b"BYE"].iter().any(|known| word.eq_ignore_ascii_case(known)));
    if !begins || words.next() != Some(&Word::Open) {
        return None;
    }
    let (mut code, mut open) = (Vec::new(), 1_usize);
    for word in words {
        match word {
            Word::Close if open == 1 => return Some(code),
            Word::Close => {
                open -= 1;
                code.push(b')');
            }
            Word::Open => {
                open += 1;
                push(&mut code, b"(");
            }
            Word::Atom(text) => push(&mut code, text),
            Word::Text(text) => push(&mut code, &quoted::write(text)),
        }
    }
    None
}

fn push(code: &mut Vec<u8>, word: &[u8]) {
    if !code.is_empty() && !code.ends_with(b"(") {
        code.push(b' ');
    }
    code.extend_from_slice(word);
}

/// The longest string that may be quoted (RFC 5804 section 4).
pub(crate) const LONGEST_QUOTED: usize = 1024;

/// A string as a client sends it: quoted; or a literal that does not wait, if the string is too
/// long for quotes or contains characters that are not allowed in quotes.
pub(crate) fn string(text: &[u8]) -> Vec<u8> {
    if text.len() > LONGEST_QUOTED || text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0'))
    {
        return [format!("{{{}+}}\r\n", text.len()).as_bytes(), text].concat();
    }
    quoted::write(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_codes_are_read_whatever_their_strings_are() {
        for (response, code) in [
            ("NO (QUOTA/MAXSIZE) \"too large\"\r\n", Some("QUOTA/MAXSIZE")),
            ("OK (TAG \"a\\\"b\") \"Done\"\r\n", Some("TAG \"a\\\"b\"")),
            ("\"x\"\r\nBYE (REFERRAL {12}\r\nsieve://a) b)\r\n", Some("REFERRAL \"sieve://a) b\"")),
            ("OK (X-LIST (\"a)\" 5 () (b))) \"x\"\r\n", Some("X-LIST (\"a)\" 5 () (b))")),
            ("OK \"(ACTIVE)\"\r\n", None),
            ("OK (\r\n", None),
            ("\"(A)\"\r\n", None),
            ("* OK (A)\r\n", None),
            ("250 ok\r\n", None),
            ("", None),
        ] {
            let found =
                response_code(response.as_bytes()).map(|code| String::from_utf8(code).unwrap());
            assert_eq!(found.as_deref(), code, "{response}");
        }
    }
}
