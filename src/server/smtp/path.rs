//! The arguments of MAIL and RCPT (RFC 5321 sections 4.1.1.2, 4.1.1.3 and 4.1.2).

use std::net::{Ipv4Addr, Ipv6Addr};

/// The most bytes of a path without its brackets (RFC 5321 section 4.5.3.1.3).
const LONGEST: usize = 254;

/// A reverse-path or forward-path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path<'a> {
    /// The address, without brackets and source route; empty for the null reverse-path.
    pub(super) address: &'a str,
    /// The text after the `@`; `None` for the null reverse-path and for `postmaster` without a
    /// domain.
    pub(super) domain: Option<&'a str>,
}

impl Path<'_> {
    pub(super) fn is_null(&self) -> bool {
        self.address.is_empty()
    }

    pub(super) fn is_bare(&self) -> bool {
        self.domain.is_none()
    }
}

/// The path and the parameters of `FROM:<path> parameters`, with `FROM:` as `keyword`; `None` if
/// the syntax is wrong.
///
/// As in real servers, spaces may follow the colon, and the brackets may be missing.
pub(super) fn parse<'a>(
    argument: &'a str,
    keyword: &str,
) -> Option<(Path<'a>, impl Iterator<Item = &'a str>)> {
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest.trim_start_matches(' ');
    let (path, parameters) = if let Some(inside) = rest.strip_prefix('<') {
        let (path, behind) = inside.split_at(closing_bracket(inside)?);
        (bracketed(path)?, &behind[1..])
    } else {
        let (path, behind) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
        (mailbox(path)?, behind)
    };
    let separated = parameters.is_empty() || parameters.starts_with(' ');
    separated.then(|| (path, parameters.split(' ').filter(|word| !word.is_empty())))
}

/// The place of the closing bracket, which is the first one outside of quotes.
fn closing_bracket(inside: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    inside.bytes().position(|byte| {
        let plain = !std::mem::take(&mut escaped);
        match byte {
            b'\\' if quoted && plain => escaped = true,
            b'"' if plain => quoted = !quoted,
            _ => {}
        }
        byte == b'>' && !quoted
    })
}

fn bracketed(path: &str) -> Option<Path<'_>> {
    if path.is_empty() {
        return Some(Path { address: "", domain: None });
    }
    // A source route must be accepted and should be ignored (RFC 5321 section 4.1.1.3).
    match path.strip_prefix('@') {
        Some(route) => mailbox(route.split_once(':')?.1),
        None => mailbox(path),
    }
}

fn mailbox(address: &str) -> Option<Path<'_>> {
    if address.eq_ignore_ascii_case("postmaster") {
        return Some(Path { address, domain: None });
    }
    let (local, domain) = address.rsplit_once('@')?;
    let valid =
        address.len() <= LONGEST && (is_dot_string(local) || is_quoted(local)) && is_domain(domain);
    valid.then_some(Path { address, domain: Some(domain) })
}

fn is_dot_string(local: &str) -> bool {
    let is_atext =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

fn is_quoted(local: &str) -> bool {
    let Some(inside) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return false;
    };
    let mut escaped = false;
    let allowed = inside.bytes().all(|byte| match (byte, std::mem::take(&mut escaped)) {
        (b'"', false) => false,
        (b'\\', false) => {
            escaped = true;
            true
        }
        _ => matches!(byte, b' '..=b'~'),
    });
    allowed && !escaped
}

/// A domain, or an address literal in square brackets.
fn is_domain(domain: &str) -> bool {
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // RFC 5321 section 4.1.3.
        return match literal.split_at_checked(5) {
            Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => {
                address.parse::<Ipv6Addr>().is_ok()
            }
            _ => literal.parse::<Ipv4Addr>().is_ok(),
        };
    }
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    domain.split('.').all(|label| !label.is_empty() && label.bytes().all(is_letter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(argument: &str) -> Option<&str> {
        parse(argument, "FROM:").map(|(path, _)| path.address)
    }

    #[test]
    fn paths_are_taken_as_real_servers_take_them() {
        for (argument, expected) in [
            ("FROM:<a@example.com>", "a@example.com"),
            ("from:<a@example.com>", "a@example.com"),
            ("FROM:  <a@example.com>", "a@example.com"),
            ("FROM:a@example.com", "a@example.com"),
            ("FROM: a@example.com SIZE=1", "a@example.com"),
            ("FROM:<>", ""),
            ("FROM:<Postmaster>", "Postmaster"),
            ("FROM:<@a.example,@b.example:c@example.com>", "c@example.com"),
            (r#"FROM:<"a b>\"@"@example.com>"#, r#""a b>\"@"@example.com"#),
            ("FROM:<a@[127.0.0.1]>", "a@[127.0.0.1]"),
            ("FROM:<a@[IPv6:::1]>", "a@[IPv6:::1]"),
            ("FROM:<o'hara+x=y@sub_1.example>", "o'hara+x=y@sub_1.example"),
        ] {
            assert_eq!(address(argument), Some(expected), "{argument}");
        }
    }

    #[test]
    fn a_text_that_is_no_path_is_refused() {
        let long = format!("FROM:<{}@example.com>", "a".repeat(250));
        for argument in [
            "",
            "FROM",
            "FROM:",
            "TO:<a@example.com>",
            "FROM <a@example.com>",
            "FROM:<a@example.com",
            "FROM:a@example.com>",
            "FROM:<a>",
            "FROM:<@example.com>",
            "FROM:<a@>",
            "FROM:<a b@example.com>",
            "FROM:<a@example..com>",
            "FROM:<a..b@c>",
            "FROM:<a@exa mple>",
            "FROM:<a@b>SIZE=1",
            "FROM:<\u{e9}@example.com>",
            "FROM:<a@b\u{1b}>",
            "FROM:<\"a\"b\"@c>",
            "FROM:<@a,@b>",
            "FROM:<\"a\\\"@c>",
            "FROM:<a@[]>",
            "\u{e9}\u{e9}\u{e9}",
            &long,
        ] {
            assert_eq!(address(argument), None, "{argument}");
        }
    }

    #[test]
    fn parameters_are_the_words_after_the_path() {
        let (path, parameters) = parse("TO:<a@b>  ONE  two=3 ", "TO:").expect("a path");
        assert_eq!(path.domain, Some("b"));
        assert_eq!(parameters.collect::<Vec<_>>(), ["ONE", "two=3"]);
    }

    proptest! {
        #[test]
        fn an_accepted_address_holds_nothing_but_printable_ascii(argument in "FROM:<?[a\"\\\\@ .>:\\[\\]\r\n\u{e9}-]{0,12}>?") {
            if let Some((path, _)) = parse(&argument, "FROM:") {
                prop_assert!(path.address.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            }
        }
    }
}
