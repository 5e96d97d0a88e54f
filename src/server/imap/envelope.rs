//! ENVELOPE (RFC 3501 section 7.4.2): the most important fields of a header.

use std::iter;

use crate::proto::chomp;
use crate::quoted;

/// The most addresses of one field that are shown.
const MOST: usize = 1000;

/// The value of the first field of this name, unfolded. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn field(header: &[u8], name: &str) -> Option<String> {
    fields(header, name).next()
}

/// The values of all fields of this name, as of [`field`].
pub(super) fn fields(header: &[u8], name: &str) -> impl Iterator<Item = String> {
    let is_folded = |line: &&[u8]| line.starts_with(b" ") || line.starts_with(b"\t");
    let mut lines = header.split_inclusive(|byte| *byte == b'\n').peekable();
    iter::from_fn(move || {
        let (line, colon) = lines.by_ref().find_map(|line| {
            let colon = memchr::memchr(b':', line).unwrap_or(0);
            let is_named = line[..colon].trim_ascii_end().eq_ignore_ascii_case(name.as_bytes());
            (is_named && !is_folded(&line)).then_some((line, colon))
        })?;
        let mut value = chomp(&line[colon + 1..]).to_vec();
        while let Some(more) = lines.next_if(is_folded) {
            value.extend_from_slice(chomp(more));
        }
        Some(String::from_utf8_lossy(&value).trim().to_owned())
    })
}

/// How many bytes are read for the envelope of a header: each field is looked for from the
/// beginning.
pub(super) fn cost(header: &[u8]) -> usize {
    10 * header.len()
}

pub(super) fn envelope(header: &[u8]) -> Vec<u8> {
    let text = |name| nstring(field(header, name).as_deref());
    let from = addresses(header, "From");
    let or_from = |name| Some(addresses(header, name)).filter(|list| list != b"NIL");
    let words = [
        text("Date"),
        text("Subject"),
        from.clone(),
        or_from("Sender").unwrap_or_else(|| from.clone()),
        or_from("Reply-To").unwrap_or(from),
        addresses(header, "To"),
        addresses(header, "Cc"),
        addresses(header, "Bcc"),
        text("In-Reply-To"),
        text("Message-ID"),
    ];
    [&b"("[..], &words.join(&b' '), b")"].concat()
}

fn addresses(header: &[u8], name: &str) -> Vec<u8> {
    let Some(value) = field(header, name) else { return b"NIL".to_vec() };
    let (mut shown, mut is_in_group) = (Vec::new(), false);
    for entry in entries(&value).into_iter().take(MOST) {
        is_in_group = match entry {
            Entry::Group(_) => true,
            Entry::End => false,
            Entry::Address { .. } => is_in_group,
        };
        shown.extend(entry.shown());
    }
    if is_in_group {
        shown.extend(Entry::End.shown());
    }
    if shown.is_empty() { b"NIL".to_vec() } else { [b"(", &*shown.concat(), b")"].concat() }
}

/// What is in a list of addresses (RFC 5322 section 3.4), without comments.
enum Entry {
    /// The name of a group, which begins here.
    Group(String),
    /// The group ends.
    End,
    /// An address, and the name in front of its angle brackets.
    Address { name: String, address: String },
}

impl Entry {
    /// As in the envelope: name, source route, mailbox, host. `None` if there is no address.
    fn shown(&self) -> Option<Vec<u8>> {
        let nil = || b"NIL".to_vec();
        let words = match self {
            // No host marks the limits of a group, and no mailbox its end.
            Self::Group(name) => [nil(), nil(), string(&unquoted(name)), nil()],
            Self::End => [nil(), nil(), nil(), nil()],
            Self::Address { name, address } => {
                let address = address.trim();
                let (mailbox, host) = address.rsplit_once('@').unwrap_or((address, ""));
                let (name, mailbox) = (unquoted(name), unquoted(mailbox));
                if mailbox.is_empty() && name.is_empty() {
                    return None;
                }
                let name = nstring((!name.is_empty()).then_some(&*name));
                [name, nil(), string(&mailbox), string(host.trim())]
            }
        };
        Some([&b"("[..], &words.join(&b' '), b")"].concat())
    }
}

/// Words without quotes and the backslashes in them.
fn unquoted(text: &str) -> String {
    let (mut kept, mut is_quoted) = (String::new(), false);
    let mut chars = text.trim().chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => kept.extend(chars.next()),
            _ => kept.push(char),
        }
    }
    kept
}

/// The entries of a list. Commas and other marks do not count in quotes and brackets.
fn entries(text: &str) -> Vec<Entry> {
    let text = quoted::without_comments(text.as_bytes());
    let (mut entries, mut open) = (Vec::new(), Open::default());
    let (mut is_quoted, mut is_escaped, mut is_in_group) = (false, false, false);
    let mut closing = None;
    for char in String::from_utf8_lossy(&text).chars() {
        let is_literal = std::mem::take(&mut is_escaped);
        match char {
            '\\' if is_quoted && !is_literal => is_escaped = true,
            '"' if !is_literal => is_quoted = !is_quoted,
            _ if is_quoted => {}
            _ if closing == Some(char) => {
                closing = None;
                if char == '>' {
                    open.address = Some(std::mem::take(&mut open.text));
                    continue;
                }
            }
            _ if closing.is_some() => {}
            '<' => {
                closing = Some('>');
                open.name = std::mem::take(&mut open.text);
                continue;
            }
            '[' if open.text.ends_with('@') => closing = Some(']'),
            ':' if !is_in_group => {
                is_in_group = true;
                entries.push(Entry::Group(std::mem::take(&mut open).text));
                continue;
            }
            ',' | ';' => {
                entries.push(std::mem::take(&mut open).entry());
                if char == ';' && std::mem::take(&mut is_in_group) {
                    entries.push(Entry::End);
                }
                continue;
            }
            _ => {}
        }
        open.text.push(char);
    }
    entries.push(open.entry());
    entries
}

/// An entry that is being read.
#[derive(Default)]
struct Open {
    name: String,
    /// What was in angle brackets.
    address: Option<String>,
    text: String,
}

impl Open {
    fn entry(self) -> Entry {
        Entry::Address { name: self.name, address: self.address.unwrap_or(self.text) }
    }
}

pub(super) fn nstring(text: Option<&str>) -> Vec<u8> {
    text.map_or_else(|| b"NIL".to_vec(), string)
}

/// A string as it is sent: quoted, or as a literal if quotes do not allow its bytes.
pub(super) fn string(text: &str) -> Vec<u8> {
    super::mailboxes::string(text).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_has_the_addresses_of_each_field() {
        let header = b"Date: d\r\nSubject: a\r\n \"b\"\r\nFrom: \"Kim, K.\" <kim@example.com> (x)\r\nTo: a@b, team: <c@d>, e@f;\r\nMessage-ID: <1@x>\r\n\r\n";
        let from = "((\"Kim, K.\" NIL \"kim\" \"example.com\"))";
        let to = "((NIL NIL \"a\" \"b\")(NIL NIL \"team\" NIL)(NIL NIL \"c\" \"d\")(NIL NIL \"e\" \"f\")(NIL NIL NIL NIL))";
        assert_eq!(
            String::from_utf8(envelope(header)).unwrap(),
            format!("(\"d\" \"a \\\"b\\\"\" {from} {from} {from} {to} NIL NIL NIL \"<1@x>\")")
        );
    }

    #[test]
    fn groups_are_marked_and_quotes_are_left_out() {
        for (value, shown) in [
            (r#""a b"@x.example"#, r#"((NIL NIL "a b" "x.example"))"#),
            (r#"K "\"L\"" <"a>\\,\""@x> y"#, r#"(("K \"L\"" NIL "a>\\,\"" "x"))"#),
            (
                "friends: k@x;, l@x",
                r#"((NIL NIL "friends" NIL)(NIL NIL "k" "x")(NIL NIL NIL NIL)(NIL NIL "l" "x"))"#,
            ),
            (
                "undisclosed-recipients:;",
                r#"((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))"#,
            ),
            // A group that does not end, and a colon in it; an address literal.
            (
                r#""a: b" (c: d): e@[IPv6:::1], f: g"#,
                r#"((NIL NIL "a: b" NIL)(NIL NIL "e" "[IPv6:::1]")(NIL NIL "f: g" "")(NIL NIL NIL NIL))"#,
            ),
            ("Kim <a@b", r#"(("Kim" NIL "a" "b"))"#),
            ("a@[b, c@d", r#"((NIL NIL "a@[b, c" "d"))"#),
            (";,", "NIL"),
        ] {
            let header = format!("To: {value}\r\n\r\n");
            let list = addresses(header.as_bytes(), "To");
            assert_eq!(String::from_utf8(list).unwrap(), shown, "{value:?}");
        }
        // Only the beginning of a long list is shown, and the group in it ends.
        let list = addresses(format!("To: a: {}", "b@c, ".repeat(2 * MOST)).as_bytes(), "To");
        assert!(list.ends_with(b"(NIL NIL \"b\" \"c\")(NIL NIL NIL NIL))"));
        assert!(list.len() < 20 * MOST);
    }
}
