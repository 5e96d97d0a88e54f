//! ENVELOPE (RFC 3501 section 7.4.2): the most important fields of a header.

use crate::proto::chomp;

/// The most addresses of one field that are shown.
const MOST: usize = 1000;

/// The value of the first field of this name, unfolded. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn field(header: &[u8], name: &str) -> Option<String> {
    let mut found: Option<Vec<u8>> = None;
    for line in header.split_inclusive(|byte| *byte == b'\n') {
        let is_folded = line.starts_with(b" ") || line.starts_with(b"\t");
        match &mut found {
            Some(value) if is_folded => value.extend_from_slice(chomp(line)),
            Some(_) => break,
            None if is_folded => {}
            None => {
                let colon = memchr::memchr(b':', line).unwrap_or(0);
                if line[..colon].trim_ascii_end().eq_ignore_ascii_case(name.as_bytes()) {
                    found = Some(chomp(&line[colon + 1..]).to_vec());
                }
            }
        }
    }
    found.map(|value| String::from_utf8_lossy(&value).trim().to_owned())
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
    let shown: Vec<_> =
        split(&value).into_iter().take(MOST).filter_map(|one| address(&one)).collect();
    if shown.is_empty() { b"NIL".to_vec() } else { [&b"("[..], &shown.concat(), b")"].concat() }
}

/// One address: name, source route, mailbox, host.
fn address(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let (name, address) = match text.rsplit_once('<') {
        Some((name, rest)) => (name.trim(), rest.split('>').next().unwrap_or(rest)),
        None => ("", text),
    };
    let name = name.trim_matches('"').replace("\\\"", "\"");
    let (mailbox, host) = address.rsplit_once('@').unwrap_or((address, ""));
    if mailbox.is_empty() && name.is_empty() {
        return None;
    }
    let name = nstring((!name.is_empty()).then_some(&*name));
    let words = [name, b"NIL".to_vec(), string(mailbox), string(host)];
    Some([&b"("[..], &words.join(&b' '), b")"].concat())
}

/// The texts between the commas that are outside of quotes, comments and brackets, without comments
/// and without the names of groups.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut quoted, mut escaped, mut comment, mut angle) = (false, false, 0_usize, false);
    for char in text.chars() {
        let plain = !std::mem::take(&mut escaped);
        match char {
            '\\' if plain && (quoted || comment > 0) => escaped = true,
            '"' if plain && comment == 0 => quoted = !quoted,
            '(' if plain && !quoted => comment += 1,
            ')' if plain && comment > 0 => {
                comment -= 1;
                continue;
            }
            '<' if !quoted && comment == 0 => angle = true,
            '>' if !quoted => angle = false,
            ':' if !quoted && comment == 0 && !angle => {
                part.clear();
                continue;
            }
            ',' | ';' if !quoted && comment == 0 && !angle => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        if comment == 0 {
            part.push(char);
        }
    }
    parts.push(part);
    parts
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
        let to = "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL NIL \"e\" \"f\"))";
        assert_eq!(
            String::from_utf8(envelope(header)).unwrap(),
            format!("(\"d\" \"a \\\"b\\\"\" {from} {from} {from} {to} NIL NIL NIL \"<1@x>\")")
        );
    }
}
