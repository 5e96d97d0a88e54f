//! Compares a message with a template.

use super::{Parsed, parse};
use crate::error::{Error, Kind, Result};
use crate::proto::chomp;
use crate::visible;

/// The number of bytes of a line that an error shows.
const SHOWN: usize = 200;

/// Checks that a message matches a template. The message must have each header of the template, in
/// any order, with the same unfolded value; `*` in a value matches any run of characters. The body
/// must be equal line by line; a line `*` matches any run of lines. The message may have other
/// headers as well.
///
/// ```
/// use mailexpect::message::resembles;
///
/// let mail = b"Received: from a\r\nSubject: job 17\r\n\r\nHi,\r\none\r\ntwo\r\nBye\r\n";
/// resembles(mail, b"Subject: job *\n\nHi,\n*\nBye\n")?;
/// assert!(resembles(mail, b"Subject: job *\n\nHello\n").is_err());
/// # Ok::<(), mailexpect::Error>(())
/// ```
///
/// # Errors
/// An assertion that shows the header or the line that is missing.
pub fn resembles(message: &[u8], template: &[u8]) -> Result<()> {
    let (message_head, message_body) = halves(message);
    let (template_head, template_body) = halves(template);
    let (came, wanted) = (headers(message_head)?, headers(template_head)?);
    for (name, value) in &wanted.headers {
        header(&came, name, value)?;
    }
    body(&lines(message_body), &lines(template_body))
}

/// The text before the first empty line, and the text after it.
fn halves(message: &[u8]) -> (&[u8], &[u8]) {
    let mut start = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if chomp(line).is_empty() {
            return (&message[..start], &message[start + line.len()..]);
        }
        start += line.len();
    }
    (message, b"")
}

fn headers(head: &[u8]) -> Result<Parsed> {
    parse(&[head, b"\r\n"].concat())
}

fn lines(body: &[u8]) -> Vec<&[u8]> {
    body.split_inclusive(|byte| *byte == b'\n').map(chomp).collect()
}

fn differs(why: &str) -> Error {
    Error::new(Kind::Assert, format!("the message is not like its template: {why}"))
}

fn header(came: &Parsed, name: &str, wanted: &str) -> Result<()> {
    let named = came.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    let values: Vec<_> = named.map(|(_, value)| value.as_str()).collect();
    if values.iter().any(|value| is_like(value, wanted)) {
        return Ok(());
    }
    let name = visible::escape(name.as_bytes());
    let (why, got) = match values.as_slice() {
        [] => (format!("it has no header {name}"), "no such header".to_owned()),
        values => {
            let came: Vec<_> = values.iter().map(|value| format!("{name}: {value}")).collect();
            (format!("its header {name} has another value"), came.join("\n"))
        }
    };
    Err(differs(&why).with_expected(format!("{name}: {wanted}")).with_got(got))
}

/// Whether a text matches a pattern in which `*` matches any run of characters.
fn is_like(text: &str, pattern: &str) -> bool {
    let is_any = |byte: &u8| *byte == b'*';
    let same = |text: &u8, pattern: &u8| text == pattern;
    matched(text.as_bytes(), pattern.as_bytes(), is_any, same).is_ok()
}

fn body(came: &[&[u8]], wanted: &[&[u8]]) -> Result<()> {
    let same = |line: &&[u8], pattern: &&[u8]| line == pattern;
    let Err((line, pattern)) = matched(came, wanted, |pattern| *pattern == b"*", same) else {
        return Ok(());
    };
    let shown = |line: Option<&&[u8]>| {
        line.map_or("the end of the message".to_owned(), |line| visible::excerpt(line, SHOWN))
    };
    let error = differs(&format!("line {} of its body differs", line + 1));
    Err(error.with_expected(shown(wanted.get(pattern))).with_got(shown(came.get(line))))
}

/// Matches all items with all patterns; some patterns match any run of items. On failure, returns
/// the item and the pattern that were reached farthest.
fn matched<T, P>(
    items: &[T],
    patterns: &[P],
    is_any: impl Fn(&P) -> bool,
    same: impl Fn(&T, &P) -> bool,
) -> Result<(), (usize, usize)> {
    let (mut item, mut pattern) = (0, 0);
    let mut farthest = (0, 0);
    // The last pattern for any run, and the item up to which it has matched.
    let mut any = None;
    while item < items.len() || pattern < patterns.len() {
        if item >= farthest.0 {
            farthest = (item, pattern);
        }
        match (items.get(item), patterns.get(pattern)) {
            (_, Some(wanted)) if is_any(wanted) => {
                any = Some((item, pattern));
                pattern += 1;
            }
            (Some(one), Some(wanted)) if same(one, wanted) => {
                item += 1;
                pattern += 1;
            }
            _ => match any {
                Some((taken, at)) if taken < items.len() => {
                    any = Some((taken + 1, at));
                    (item, pattern) = (taken + 1, at + 1);
                }
                _ => return Err(farthest),
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_star_stands_for_any_run_of_lines() {
        let mail = b"A: b\r\nC: x 1 y\r\n\r\none\r\ntwo\r\nthree\r\n";
        for template in ["A: b\n\n*\n", "\n*\ntwo\n*\nthree\n", "c: x*y\n\none\ntwo\nthree\n*"] {
            resembles(mail, template.as_bytes()).unwrap();
        }
        for (template, got) in [
            ("A: c\n\n*\n", "its header A has another value"),
            ("X: *\n\n*\n", "it has no header X"),
            ("\n*\nfour\n", "line 4 of its body"),
            ("\none\ntwo\n", "line 3 of its body"),
            ("\none\ntwo\nthree\nfour\n", "line 4 of its body"),
        ] {
            let error = resembles(mail, template.as_bytes()).unwrap_err();
            assert!(error.message().contains(got), "{template:?}: {error}");
        }
    }
}
