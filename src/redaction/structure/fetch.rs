//! Sorts IMAP attributes and flags, which are sets (RFC 3501 sections 7.2.6 and 7.4.2).

use std::ops::Range;

/// How deep lists may be nested; servers nest body structures a few levels deep.
const DEEPEST: usize = 64;

/// An IMAP line with its FETCH attributes and its flags sorted; `None` if it has neither.
///
/// ```text
/// * 4 FETCH (UID 9 FLAGS (\Seen \Answered))
/// * 4 FETCH (FLAGS (\Answered \Seen) UID 9)
/// ```
///
/// If the line ends with the size of a literal, the attribute that the literal belongs to stays
/// last, and what follows the literal stays behind it.
pub(in crate::redaction) fn sort_attributes(line: &[u8]) -> Option<Vec<u8>> {
    let rest = line.strip_prefix(b"* ")?;
    let number = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if number > 0
        && rest[number..].get(..8).is_some_and(|word| word.eq_ignore_ascii_case(b" FETCH ("))
    {
        let (head, list) = line.split_at(2 + number + 8);
        return Some([head, &sorted(list)?].concat());
    }
    let open = flags_open(line)?;
    let end = open + memchr::memchr(b')', &line[open..])? + 1;
    Some([&line[..open], &flags(&line[open..end]), &line[end..]].concat())
}

/// The offset of the parenthesis that opens the list in a FLAGS response or a PERMANENTFLAGS code.
fn flags_open(line: &[u8]) -> Option<usize> {
    [&b"* FLAGS ("[..], b"* OK [PERMANENTFLAGS ("].into_iter().find_map(|start| {
        let is_start =
            line.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
        is_start.then_some(start.len() - 1)
    })
}

/// What follows a literal of a FETCH response, with its attributes and its flags sorted; `None` if
/// it has none.
///
/// ```text
///  UID 9 FLAGS (\Seen \Answered)
///  FLAGS (\Answered \Seen) UID 9)
/// ```
pub(in crate::redaction) fn sort_rest(rest: &[u8]) -> Option<Vec<u8>> {
    let list = rest.strip_prefix(b" ").filter(|_| is_rest(rest))?;
    Some([b" ", &sorted(list)?[..]].concat())
}

/// Whether a text can follow a literal of a FETCH response, up to the end of its line.
pub(in crate::redaction) fn is_rest(rest: &[u8]) -> bool {
    let attributes = rest.strip_prefix(b" ").and_then(attributes);
    rest == b")" || attributes.is_some_and(|(_, tail)| tail == b")" || tail.ends_with(b"}"))
}

/// The text after the opening parenthesis of a FETCH, sorted.
fn sorted(list: &[u8]) -> Option<Vec<u8>> {
    let (mut found, tail) = attributes(list)?;
    found.sort_by_cached_key(|attribute| (attribute.to_ascii_uppercase(), attribute.clone()));
    let mut sorted = found.join(&b' ');
    if !tail.starts_with(b")") && !sorted.is_empty() {
        sorted.push(b' ');
    }
    sorted.extend_from_slice(tail);
    Some(sorted)
}

/// The attributes of a FETCH, with their flags sorted, and what follows them: the parenthesis, or
/// an attribute whose value is a literal.
fn attributes(list: &[u8]) -> Option<(Vec<Vec<u8>>, &[u8])> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let name = at..name_end(list, at)?;
        let value = name.end + 1..value_end(list, name.end + 1)?;
        let text = attribute(list, &name, &value);
        match list.get(value.end) {
            Some(b' ') => found.push(text),
            Some(b')') => {
                found.push(text);
                return Some((found, &list[value.end..]));
            }
            // The value is a literal, which begins on the next line.
            None if list.ends_with(b"}") => return Some((found, &list[at..])),
            _ => return None,
        }
        at = value.end + 1;
    }
}

fn attribute(list: &[u8], name: &Range<usize>, value: &Range<usize>) -> Vec<u8> {
    let (name, value) = (&list[name.clone()], &list[value.clone()]);
    let value = if name.eq_ignore_ascii_case(b"FLAGS") { flags(value) } else { value.to_vec() };
    [name, b" ", &value].concat()
}

/// A list of flags, sorted.
fn flags(list: &[u8]) -> Vec<u8> {
    let Some(inside) = list.strip_prefix(b"(").and_then(|list| list.strip_suffix(b")")) else {
        return list.to_vec();
    };
    let mut flags: Vec<&[u8]> = inside.split(|byte| *byte == b' ').collect();
    flags.sort_by_cached_key(|flag| (flag.to_ascii_uppercase(), *flag));
    [b"(", &flags.join(&b' ')[..], b")"].concat()
}

/// The end of an attribute's name, which may contain blanks between brackets.
fn name_end(list: &[u8], start: usize) -> Option<usize> {
    let mut in_brackets = false;
    for (at, byte) in list.iter().enumerate().skip(start) {
        match byte {
            b'[' => in_brackets = true,
            b']' => in_brackets = false,
            b' ' if !in_brackets => return (at > start).then_some(at),
            b'(' | b')' | b'"' | b'{' if !in_brackets => return None,
            _ => {}
        }
    }
    None
}

/// The end of the value that begins at `start`: an atom, a quoted string, or a list of values.
fn value_end(list: &[u8], start: usize) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in list.iter().enumerate().skip(start) {
        if quoted {
            quoted = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'(' => depth += 1,
            b')' | b' ' if depth == 0 => return (at > start).then_some(at),
            b')' => depth -= 1,
            _ => {}
        }
        if depth > DEEPEST {
            return None;
        }
    }
    (depth == 0 && !quoted && list.len() > start).then_some(list.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_and_flags_are_sets() {
        for (line, sorted) in [
            (
                r"* 4 FETCH (UID 9 FLAGS (\Seen \Answered))",
                r"* 4 FETCH (FLAGS (\Answered \Seen) UID 9)",
            ),
            (r"* 4 FETCH (UID 9 FLAGS () BODY[] {811}", r"* 4 FETCH (FLAGS () UID 9 BODY[] {811}"),
            (r"* 4 FETCH (BODY[] {811}", r"* 4 FETCH (BODY[] {811}"),
            (
                r#"* 1 FETCH (ENVELOPE (NIL "a) b\" (c" ((NIL NIL "x" "y"))) BODY[HEADER.FIELDS (TO FROM)] "")"#,
                r#"* 1 FETCH (BODY[HEADER.FIELDS (TO FROM)] "" ENVELOPE (NIL "a) b\" (c" ((NIL NIL "x" "y"))))"#,
            ),
            (r"* FLAGS (\Seen \Answered)", r"* FLAGS (\Answered \Seen)"),
            (r"* OK [PERMANENTFLAGS (\Seen \*)] Ok", r"* OK [PERMANENTFLAGS (\* \Seen)] Ok"),
        ] {
            let found = sort_attributes(line.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&found), sorted);
            assert_eq!(sort_attributes(&found).unwrap(), found, "{line}");
        }
    }

    #[test]
    fn an_attribute_that_cannot_be_read_is_left_alone() {
        for line in [
            "* 4 FETCH (UID",
            "* 4 FETCH (UID 9",
            "* 4 FETCH ()",
            "* 4 EXISTS",
            "* FLAGS (",
            "* 4 FETCH (A (b) c)",
            "* x",
        ] {
            assert_eq!(sort_attributes(line.as_bytes()), None, "{line}");
        }
    }
}
