//! Compares a message with a template.

use std::collections::HashMap;

use super::header::fields;
use super::parse::unfolded;
use crate::assignment::Assignment;
use crate::error::{Error, Kind, Result};
use crate::proto::chomp;
use crate::visible;

/// The number of bytes of a line that an error shows.
const SHOWN: usize = 200;

/// The most values of a header that an error shows.
const MOST_SHOWN: usize = 20;

/// Checks that a message matches a template. The message must have each header of the template, in
/// any order, with the same unfolded value; `*` in a value matches any run of characters. Two
/// headers of the template need two headers of the message. The body must be equal line by line; a
/// line `*` matches any run of lines. The message may have other headers as well.
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
/// An assertion that shows the header or the line that is missing. Usage for a template in which a
/// line in front of the body is no header.
pub fn resembles(message: &[u8], template: &[u8]) -> Result<()> {
    let (message_head, message_body) = halves(message);
    let (template_head, template_body) = halves(template);
    let (came, wanted) = (fields(message_head), fields(template_head));
    if let Some(line) = wanted.stray {
        let line = visible::excerpt(line, SHOWN);
        let error = Error::usage(format!("a line of the template is no header: {line}"));
        return Err(
            error.hint("an empty line separates headers and body; without headers, begin with it")
        );
    }
    let (came, wanted) = (unfold(came.known), unfold(wanted.known));
    let (named, mut wanted_values) = (by_name(&came), by_name(&wanted));
    for (name, _) in &wanted {
        let key = name.to_ascii_lowercase();
        if let Some(wanted) = wanted_values.remove(&key) {
            headers(name, named.get(&key).map_or(&[], Vec::as_slice), &wanted)?;
        }
    }
    body(&lines(message_body), &lines(template_body))
}

fn unfold(fields: Vec<(&[u8], &[u8])>) -> Vec<(String, String)> {
    let text = |name| String::from_utf8_lossy(name).into_owned();
    fields.into_iter().map(|(name, value)| (text(name), unfolded(value))).collect()
}

/// The values of the headers of each name, in order.
fn by_name(headers: &[(String, String)]) -> HashMap<String, Vec<&str>> {
    let mut named: HashMap<_, Vec<_>> = HashMap::new();
    for (name, value) in headers {
        named.entry(name.to_ascii_lowercase()).or_default().push(value.as_str());
    }
    named
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

fn lines(body: &[u8]) -> Vec<&[u8]> {
    body.split_inclusive(|byte| *byte == b'\n').map(chomp).collect()
}

fn differs(why: &str) -> Error {
    Error::new(Kind::Assert, format!("the message is not like its template: {why}"))
}

/// Checks that each wanted value has one of its own among those that came.
fn headers(name: &str, came: &[&str], wanted: &[&str]) -> Result<()> {
    // Equal values do for each other, so values without `*` need only be counted, and `*` alone
    // takes any that is left. Only what is between these has to be assigned.
    let mut exact: HashMap<&str, usize> = HashMap::new();
    for value in wanted.iter().filter(|value| !value.contains('*')) {
        *exact.entry(value).or_default() += 1;
    }
    let mut left = Vec::new();
    for value in came {
        match exact.get_mut(value) {
            Some(count) if *count > 0 => *count -= 1,
            _ => left.push(*value),
        }
    }
    if let Some(value) = wanted.iter().find(|value| exact.get(**value).is_some_and(|n| *n > 0)) {
        return Err(lacking(name, came, wanted, value));
    }
    let stars = wanted.iter().filter(|value| value.contains('*'));
    let (any, like): (Vec<&str>, Vec<&str>) = stars.partition(|value| **value == "*");
    let mut assignment = Assignment::new(like.len());
    for value in &left {
        if assignment.unserved().next().is_none() {
            break;
        }
        let fits = (0..like.len()).filter(|place| is_like(value, like[*place]));
        assignment.add(fits.collect());
    }
    if let Some(place) = assignment.unserved().next() {
        return Err(lacking(name, came, wanted, like[place]));
    }
    if left.len() < like.len() + any.len() {
        return Err(lacking(name, came, wanted, "*"));
    }
    Ok(())
}

/// Makes the error for a wanted value that none of its own came for.
fn lacking(name: &str, came: &[&str], wanted: &[&str], value: &str) -> Error {
    let name = visible::quoted(name);
    let shown = |values: &[&str]| {
        let values = values.iter().take(MOST_SHOWN);
        values.map(|value| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
    };
    if came.is_empty() {
        let error = differs(&format!("it has no header {name}"));
        return error.with_expected(shown(&[value])).with_got("no such header");
    }
    if came.iter().any(|came| is_like(came, value)) {
        let error =
            differs(&format!("each {name} of the template needs a header {name} of its own"));
        return error.with_expected(shown(wanted)).with_got(shown(came));
    }
    let error = differs(&format!("its header {name} has another value"));
    error.with_expected(shown(&[value])).with_got(shown(came))
}

/// Whether a text matches a pattern in which `*` matches any run of characters.
fn is_like(text: &str, pattern: &str) -> bool {
    matched(text.as_bytes(), pattern.as_bytes(), &b'*').is_ok()
}

fn body(came: &[&[u8]], wanted: &[&[u8]]) -> Result<()> {
    let Err((line, pattern)) = matched(came, wanted, &&b"*"[..]) else {
        return Ok(());
    };
    let shown = |line: Option<&&[u8]>| {
        line.map_or("the end of the message".to_owned(), |line| visible::excerpt(line, SHOWN))
    };
    let error = differs(&format!("line {} of its body differs", line + 1));
    Err(error.with_expected(shown(wanted.get(pattern))).with_got(shown(came.get(line))))
}

/// Matches all items with all patterns. A pattern that equals `any` matches any run of items, and
/// each other one an equal item. On failure, returns the item and the pattern that were reached
/// farthest.
fn matched<T: PartialEq>(items: &[T], patterns: &[T], any: &T) -> Result<(), (usize, usize)> {
    let is_open = patterns.contains(any);
    let mut runs = patterns.split(|pattern| pattern == any);
    let first = runs.next().unwrap_or_default();
    let alike = items.iter().zip(first).take_while(|(item, pattern)| item == pattern).count();
    if alike < first.len() || !is_open && items.len() > alike {
        return Err((alike, alike));
    }
    let (mut item, mut pattern) = (alike, alike + 1);
    let mut runs = runs.peekable();
    while let Some(run) = runs.next() {
        let rest = &items[item..];
        let found = match runs.peek() {
            Some(_) => first_of(rest, run),
            // The last run has to match the last items.
            None => rest.len().checked_sub(run.len()).filter(|at| rest[*at..] == *run),
        };
        let Some(at) = found else { return Err((items.len(), pattern)) };
        item += at + run.len();
        pattern += run.len() + 1;
    }
    Ok(())
}

/// Returns where in the items the wanted ones first follow each other, in time for the items and the
/// wanted ones only: the algorithm of Knuth, Morris and Pratt.
fn first_of<T: PartialEq>(items: &[T], wanted: &[T]) -> Option<usize> {
    // For each number of wanted items that were found, how many of them can be the beginning of
    // another match.
    let mut again = vec![0; wanted.len()];
    let mut found = 0;
    for at in 1..wanted.len() {
        while found > 0 && wanted[at] != wanted[found] {
            found = again[found - 1];
        }
        found += usize::from(wanted[at] == wanted[found]);
        again[at] = found;
    }
    found = 0;
    for (at, item) in items.iter().enumerate() {
        if found == wanted.len() {
            return Some(at - found);
        }
        while found > 0 && *item != wanted[found] {
            found = again[found - 1];
        }
        found += usize::from(*item == wanted[found]);
    }
    (found == wanted.len()).then(|| items.len() - found)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

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
    #[test]
    fn each_header_of_a_template_needs_one_of_its_own() {
        for (mail, template, is_right) in [
            ("X: a\nX: b\n", "X: b\nX: a\n", true),
            ("X: a\nX: b\n", "X: *\nX: a\n", true),
            ("X: a1\nX: a2\nx: a3\n", "X: *\nX: a*\nX: a1\n", true),
            ("X: a\nX: b\nX: c\n", "X: *\nX: *\n", true),
            ("X: a\n", "X: a\nx: a\n", false),
            ("X: a\n", "X: *\nX: *\n", false),
            ("X: a\nX: b\n", "X: a\nX: a\n", false),
            ("X: a\nX: b\nX: c\n", "X: *\nX: a\nX: a\n", false),
            ("X: a\nX: a\n", "X: a*\nX: a\nX: *\n", false),
            ("X: a\nX: b\nX: a\n", "X: a*\nX: a\nX: *\n", true),
            ("X: ab\nX: ac\nX: d\n", "X: a*\nX: a*\nX: ab\n", false),
        ] {
            let like = resembles(mail.as_bytes(), template.as_bytes());
            assert_eq!(like.is_ok(), is_right, "{mail:?} {template:?}");
            if let Err(error) = like {
                assert!(error.message().contains("of its own"), "{error}");
            }
        }
    }

    #[test]
    fn lines_that_are_no_header_are_none() {
        let folded = b" Subject: hi\r\n\tmore\r\nTo: a\r\n b\r\n\r\nHi\r\n";
        resembles(folded, b"To: a b\n\nHi\n").unwrap();
        let error = resembles(folded, b"Subject: hi*\n\nHi\n").unwrap_err();
        assert!(error.message().contains("no header Subject"), "{error}");
        for template in ["Subject hi\n\nHi\n", "  To: *\n\nHi\n", "To: *\nHi\n"] {
            let error = resembles(folded, template.as_bytes()).unwrap_err();
            assert!(error.message().contains("is no header"), "{template:?}: {error}");
        }
    }
    /// Whether a text is like a pattern, found by trying all ways.
    fn is_like_slowly(text: &[u8], pattern: &[u8]) -> bool {
        match (text, pattern) {
            ([], []) => true,
            (_, [b'*', rest @ ..]) => {
                (0..=text.len()).any(|taken| is_like_slowly(&text[taken..], rest))
            }
            ([one, text @ ..], [wanted, pattern @ ..]) => {
                one == wanted && is_like_slowly(text, pattern)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn stars_match_any_run(text in "[ab]{0,12}", pattern in "[ab*]{0,8}") {
            let slowly = is_like_slowly(text.as_bytes(), pattern.as_bytes());
            prop_assert_eq!(is_like(&text, &pattern), slowly);
        }
    }

    /// An item that counts how often it is compared.
    #[derive(Clone)]
    struct Counted<'a>(u8, &'a Cell<usize>);

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.1.set(self.1.get() + 1);
            self.0 == other.0
        }
    }

    #[test]
    fn long_runs_are_compared_in_steps_for_their_length() {
        const COUNT: usize = 10_000;
        let steps = Cell::new(0);
        let item = |byte: u8| Counted(byte, &steps);
        let items = vec![item(b'a'); COUNT];
        let half = vec![item(b'a'); COUNT / 2];
        let pattern = [vec![item(b'*')], half, vec![item(b'b'), item(b'*')]].concat();
        assert!(matched(&items, &pattern, &item(b'*')).is_err());
        assert!(steps.get() < 10 * COUNT, "{} comparisons", steps.get());
    }

    #[test]
    fn a_hundred_thousand_headers_are_compared() {
        const COUNT: usize = 100_000;
        let headers: Vec<_> = (0..COUNT).map(|number| format!("H{number}: x\r\n")).collect();
        let mail = format!("{}\r\nHi\r\n", headers.concat());
        resembles(mail.as_bytes(), mail.as_bytes()).unwrap();
        let alike = "X: a\r\n".repeat(COUNT);
        let wanted = format!("X: *\r\n{}", "X: a\r\n".repeat(COUNT - 1));
        resembles(alike.as_bytes(), wanted.as_bytes()).unwrap();
        resembles(alike.as_bytes(), "X: *\r\n".repeat(COUNT).as_bytes()).unwrap();
    }
}
