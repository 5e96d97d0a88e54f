//! Sorts the capabilities of an IMAP or POP3 server, which are a set (RFC 3501 section 7.2.1, RFC
//! 2449 section 5).

use std::slice;

/// An IMAP line with the keywords of its CAPABILITY response or response code sorted; `None` if it
/// has neither.
///
/// ```text
/// * OK [CAPABILITY IMAP4rev1 STARTTLS IDLE] ready
/// * OK [CAPABILITY IDLE IMAP4rev1 STARTTLS] ready
/// ```
pub(in crate::redaction) fn sort_keywords(line: &[u8]) -> Option<Vec<u8>> {
    const CODE: &[u8] = b" [CAPABILITY ";
    const DATA: &[u8] = b"* CAPABILITY ";
    let is_data = line.get(..DATA.len()).is_some_and(|start| start.eq_ignore_ascii_case(DATA));
    let (start, end) = if is_data {
        (DATA.len(), line.trim_ascii_end().len())
    } else {
        let found = line.to_ascii_uppercase();
        let start = memchr::memmem::find(&found, CODE)? + CODE.len();
        (start, start + memchr::memchr(b']', &line[start..])?)
    };
    let sorted = sorted_words(line.get(start..end)?);
    Some([&line[..start], &sorted, &line[end..]].concat())
}

/// The lines of a reply to CAPA, sorted between the first line and the final dot; `None` if the
/// reply is incomplete or negative.
pub(in crate::redaction) fn sort_capa(lines: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let [first, inside @ .., dot] = lines else { return None };
    if !first.starts_with(b"+OK") || dot.trim_ascii_end() != b"." {
        return None;
    }
    let mut sorted: Vec<_> = inside.iter().map(|line| with_sorted_mechanisms(line)).collect();
    sorted.sort_by_cached_key(|line| line.to_ascii_uppercase());
    Some([slice::from_ref(first), &sorted, slice::from_ref(dot)].concat())
}

/// A CAPA line with the mechanisms of SASL sorted: they are a set as well (RFC 5034 section 3).
fn with_sorted_mechanisms(line: &[u8]) -> Vec<u8> {
    const SASL: &[u8] = b"SASL ";
    let end = line.trim_ascii_end().len();
    match line.get(..SASL.len()).filter(|start| start.eq_ignore_ascii_case(SASL)) {
        Some(_) if end > SASL.len() => {
            [&line[..SASL.len()], &sorted_words(&line[SASL.len()..end]), &line[end..]].concat()
        }
        _ => line.to_vec(),
    }
}

fn sorted_words(words: &[u8]) -> Vec<u8> {
    let mut words: Vec<&[u8]> = words.split(|byte| *byte == b' ').collect();
    words.sort_by_cached_key(|word| (word.to_ascii_uppercase(), *word));
    words.join(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_a_set_in_a_response_and_in_a_code() {
        for (line, sorted) in [
            ("* CAPABILITY IMAP4rev1 STARTTLS IDLE", "* CAPABILITY IDLE IMAP4rev1 STARTTLS"),
            ("* OK [CAPABILITY IMAP4rev1 idle] B A", "* OK [CAPABILITY idle IMAP4rev1] B A"),
            ("a1 ok [capability B A] done", "a1 ok [capability A B] done"),
        ] {
            let found = sort_keywords(line.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&found), sorted);
            assert_eq!(sort_keywords(&found).unwrap(), found);
        }
        for line in ["* OK ready", "* OK [CAPABILITY B A", "* CAPABILITY"] {
            assert_eq!(sort_keywords(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn the_lines_of_capa_are_a_set() {
        let lines = |text: &str| -> Vec<Vec<u8>> {
            text.split_inclusive('\n').map(|line| line.as_bytes().to_vec()).collect()
        };
        let sorted = sort_capa(&lines("+OK list\r\nUIDL\r\nSASL PLAIN LOGIN\r\n.\r\n")).unwrap();
        assert_eq!(sorted, lines("+OK list\r\nSASL LOGIN PLAIN\r\nUIDL\r\n.\r\n"));
        assert_eq!(sort_capa(&lines("+OK list\r\nUIDL\r\n")), None);
        assert_eq!(sort_capa(&lines("-ERR no\r\n")), None);
    }
}
