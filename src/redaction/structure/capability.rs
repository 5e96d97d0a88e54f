//! Sorts the capabilities of an IMAP, POP3 or ManageSieve server, which are a set (RFC 3501 section
//! 7.2.1, RFC 2449 section 5, RFC 5804 section 1.7).

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
/// reply is incomplete or negative. The first line is missing if an operation has taken it before.
pub(in crate::redaction) fn sort_capa(lines: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let [inside @ .., dot] = lines else { return None };
    let is_status = |line: &&Vec<u8>| line.starts_with(b"+OK") || line.starts_with(b"-ERR");
    let (status, inside) =
        inside.split_at(usize::from(inside.first().is_some_and(|line| is_status(&line))));
    if status.iter().any(|line| line.starts_with(b"-ERR")) || dot.trim_ascii_end() != b"." {
        return None;
    }
    let mut sorted: Vec<_> = inside.iter().map(|line| with_sorted_mechanisms(line)).collect();
    sorted.sort_by_cached_key(|line| line.to_ascii_uppercase());
    Some([status, &sorted, slice::from_ref(dot)].concat())
}

/// Lines of a ManageSieve server, sorted if they are its capabilities (RFC 5804 section 1.7), and
/// `None` if they are not. The names of scripts are quoted as well; but the capabilities SIEVE or
/// IMPLEMENTATION, with a value, are always there.
pub(in crate::redaction) fn sort_sieve(lines: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    const NAMES: [&[u8]; 2] = [b"\"SIEVE\" \"", b"\"IMPLEMENTATION\" \""];
    let is_one = |line: &Vec<u8>| {
        let starts = |name: &[u8]| {
            line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        NAMES.into_iter().any(starts)
    };
    let count =
        lines.iter().take_while(|line| line.starts_with(b"\"") && line.ends_with(b"\n")).count();
    let (listed, rest) = lines.split_at(count);
    if !listed.iter().any(is_one) {
        return None;
    }
    let mut sorted: Vec<_> = listed.iter().map(|line| with_sorted_values(line)).collect();
    sorted.sort_by_cached_key(|line| line.to_ascii_uppercase());
    Some([&sorted, rest].concat())
}

/// A ManageSieve capability whose value is a set of words, with these sorted.
fn with_sorted_values(line: &[u8]) -> Vec<u8> {
    const SETS: [&[u8]; 3] = [b"\"SASL\" \"", b"\"SIEVE\" \"", b"\"NOTIFY\" \""];
    let is_of =
        |name: &&[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let start = SETS.iter().find(|name| is_of(name)).map(|name| name.len());
    let Some((start, end)) =
        start.zip(memchr::memrchr(b'"', line)).filter(|(start, end)| start <= end)
    else {
        return line.to_vec();
    };
    [&line[..start], &sorted_words(&line[start..end]), &line[end..]].concat()
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
        let sorted = sort_capa(&lines("UIDL\r\nTOP\r\n.\r\n")).unwrap();
        assert_eq!(sorted, lines("TOP\r\nUIDL\r\n.\r\n"));
    }

    #[test]
    fn the_capabilities_of_managesieve_are_a_set_and_the_names_of_scripts_a_list() {
        let lines = |text: &str| -> Vec<Vec<u8>> {
            text.split_inclusive('\n').map(|line| line.as_bytes().to_vec()).collect()
        };
        let said = "\"STARTTLS\"\n\"SIEVE\" \"reject fileinto\"\n\"SASL\" \"\"\nOK \"b a\"\n";
        let sorted = sort_sieve(&lines(said)).unwrap();
        let expected = "\"SASL\" \"\"\n\"SIEVE\" \"fileinto reject\"\n\"STARTTLS\"\nOK \"b a\"\n";
        assert_eq!(sorted, lines(expected));
        assert_eq!(sort_sieve(&sorted).unwrap(), sorted);
        assert_eq!(sort_sieve(&lines("\"sieve\"\n\"b\" ACTIVE\n\"a\"\nOK\n")), None);
    }
}
