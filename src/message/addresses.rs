//! Reads the addresses of a header field (RFC 5322 section 3.4).

use mail_parser::Addr;
use mail_parser::parsers::MessageStream;

use crate::quoted;

/// Stands in front of the number of a quoted local part that is hidden from the parser.
const MARK: u8 = 1;

/// The addresses in the value of a field: `kim@example.com` or `Kim <kim@example.com>`.
pub(super) fn addresses(value: &[u8]) -> Vec<String> {
    let (mut line, locals) = hidden(value.trim_ascii());
    line.extend_from_slice(b"\r\n");
    let value = MessageStream::new(&line).parse_address();
    let named = |one: &Addr<'_>| match (one.name(), one.address()) {
        (Some(name), Some(address)) => format!("{name} <{}>", shown(address, &locals)),
        (None, Some(address)) => shown(address, &locals),
        (Some(text), None) => text.to_owned(),
        (None, None) => String::new(),
    };
    value.as_address().map(|list| list.iter().map(named).collect()).unwrap_or_default()
}

/// The value, unfolded, with a number instead of each quoted local part, and the local parts. The
/// parser would take a quoted local part for a name, and in angle brackets it would read special
/// characters in it.
fn hidden(value: &[u8]) -> (Vec<u8>, Vec<String>) {
    let value: Vec<u8> = value.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
    let (mut line, mut locals) = (Vec::with_capacity(value.len()), Vec::new());
    if value.contains(&MARK) {
        return (value, locals);
    }
    let (mut rest, mut depth, mut is_in_angle) = (&*value, 0_usize, false);
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'\\' if depth > 0 && !after.is_empty() => {
                line.extend_from_slice(&rest[..2]);
                rest = &after[1..];
                continue;
            }
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'<' if depth == 0 => is_in_angle = true,
            b'>' if depth == 0 => is_in_angle = false,
            b'"' if depth == 0 => {
                // A quote that is never closed ends the search, so that it takes linear time.
                let Some((_, after)) = quoted::read(after) else { break };
                let (text, after) = rest.split_at(rest.len() - after.len());
                let domain = after.split(|byte| b" \t,;<(\"".contains(byte)).next();
                rest = after;
                let Some(domain) = domain.filter(|domain| domain.starts_with(b"@")) else {
                    line.extend_from_slice(text);
                    continue;
                };
                let number = locals.len().to_string();
                locals.push(String::from_utf8_lossy(text).into_owned());
                if is_in_angle {
                    line.extend_from_slice(&[&[MARK], number.as_bytes()].concat());
                } else {
                    line.extend_from_slice(
                        &[b"<", &[MARK], number.as_bytes(), domain, b">"].concat(),
                    );
                    rest = &rest[domain.len()..];
                }
                continue;
            }
            _ => {}
        }
        line.push(*byte);
        rest = after;
    }
    line.extend_from_slice(rest);
    (line, locals)
}

/// The address with its quoted local part, if that was hidden.
fn shown(address: &str, locals: &[String]) -> String {
    let hidden = address.strip_prefix(char::from(MARK)).and_then(|rest| {
        let (number, domain) = rest.split_once('@')?;
        Some(format!("{}@{domain}", locals.get(number.parse::<usize>().ok()?)?))
    });
    hidden.unwrap_or_else(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_local_part_belongs_to_the_address() {
        for (value, expected) in [
            (r#""c@d"@x.example"#, &[r#""c@d"@x.example"#][..]),
            (
                "\"a b\"@x.example, <\"a b\"@x.example>,\r\n e@x.example",
                &[r#""a b"@x.example"#, r#""a b"@x.example"#, "e@x.example"],
            ),
            (
                r#""K, \"K\"" <"a \" \\(>,b"@[::1]>, "c d"@x (Kim)"#,
                &[r#"K, "K" <"a \" \\(>,b"@[::1]>"#, r#"Kim <"c d"@x>"#],
            ),
            (r#"team: "a:b"@x, c@d;, Kim "a b"@x"#, &[r#""a:b"@x"#, "c@d", r#"Kim <"a b"@x>"#]),
            (r#"a@b ("c"@d), "e"@"#, &[r#""c"@d <a@b>"#, r#""e"@"#]),
            ("\"a\"@x, \u{1}0@x", &["a <@x>", "\u{1}0@x"]),
            ("", &[]),
        ] {
            assert_eq!(addresses(value.as_bytes()), expected, "{value:?}");
        }
    }

    #[test]
    fn many_quotes_are_read_in_linear_time() {
        for piece in ["\"\\\"", "\"", "\"a\"@", "\"a\"@x,", "(", "\"a\"@x<", "\\\""] {
            addresses(piece.repeat(100_000).as_bytes());
        }
    }
}
