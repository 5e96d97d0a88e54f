//! Names as they are asked for. A label may hold any octets (RFC 2181 section 11): the stricter
//! rules for the names of hosts are no rules of the DNS, and hosts with an underscore exist.

use hickory_resolver::proto::rr::{Label, Name};

/// The most octets in a label (RFC 1035 section 2.3.4).
const MOST_OCTETS: usize = 63;

/// The absolute name for a text, in which `\.` and `\056` stand for an octet that is no dot between
/// labels (RFC 1035 section 5.1), as [`relative`] writes them.
///
/// # Errors
/// Says why the text is no name that can be asked for.
pub(super) fn absolute(text: &str) -> Result<Name, String> {
    if text.starts_with('[') && text.ends_with(']') {
        return Err("it is an address in brackets, and not a name: leave out the brackets".into());
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return Ok(Name::root());
    }
    let labels =
        labels(text.as_bytes()).iter().map(|octets| label(octets)).collect::<Result<Vec<_>, _>>();
    let name = labels.and_then(|labels| {
        Name::from_labels(labels).map_err(|_| "it has more than 255 octets".to_owned())
    });
    name.map_err(|why| format!("it is no domain name: {why} (RFC 1035, 2.3.4)"))
}

/// The name without the dot of the root, except for the root itself, which is empty.
pub(in crate::transport) fn relative(name: &Name) -> String {
    let name = name.to_ascii();
    name.strip_suffix('.').unwrap_or(&name).to_owned()
}

/// The labels of a name, with the octets for which escapes stand.
fn labels(text: &[u8]) -> Vec<Vec<u8>> {
    let mut labels = Vec::new();
    let mut label = Vec::new();
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, behind) {
            (b'.', _) => labels.push(std::mem::take(&mut label)),
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..]) => {
                label.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = behind;
            }
            (b'\\', [octet, behind @ ..]) => {
                label.push(*octet);
                rest = behind;
            }
            _ => label.push(*first),
        }
    }
    labels.push(label);
    labels
}

fn label(octets: &[u8]) -> Result<Label, String> {
    if octets.is_empty() {
        return Err("there is nothing between two of its dots, or before the first".to_owned());
    }
    let too_long = |_| format!("a part of it has more than {MOST_OCTETS} octets");
    match std::str::from_utf8(octets) {
        Ok(text) if !text.is_ascii() => Label::from_utf8(text)
            .map_err(|_| format!("`{text}` has no form in ASCII, or one that is too long")),
        _ => Label::from_raw_bytes(octets).map_err(too_long),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_may_hold_any_octets() {
        for (text, asked) in [
            ("mx.example.com", "mx.example.com"),
            ("mx.example.com.", "mx.example.com"),
            ("mx_1.example.com", "mx_1.example.com"),
            ("-a_.b c.example", r"\-a_.b\040c.example"),
            ("m\u{fc}nchen.example", "xn--mnchen-3ya.example"),
            ("a_b.m\u{fc}nchen.example", "a_b.xn--mnchen-3ya.example"),
            (r"a\.b\@\377.example", r"a\.b\@\377.example"),
            ("192.0.2.1", "192.0.2.1"),
            (".", ""),
        ] {
            let name = absolute(text).unwrap();
            assert!(name.is_fqdn(), "{text}");
            assert_eq!(relative(&name), asked, "{text}");
            assert_eq!(absolute(asked), Ok(name), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_asked_for_says_why() {
        let long = "a".repeat(64);
        let many = "a.".repeat(128);
        for (text, why) in [
            ("a..b", "there is nothing between two of its dots"),
            (".a", "there is nothing between two of its dots"),
            ("a..", "there is nothing between two of its dots"),
            (&long, "a part of it has more than 63 octets"),
            (&many, "it has more than 255 octets"),
            ("a\u{fffd}.example", "has no form in ASCII"),
            ("[192.0.2.1]", "leave out the brackets"),
        ] {
            let said = absolute(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
