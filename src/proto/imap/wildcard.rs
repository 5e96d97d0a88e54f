//! The wildcards of LIST and LSUB (RFC 3501 section 6.3.8).

/// Whether a name matches a pattern in which `*` stands for anything, and `%` for anything within a
/// level of the hierarchy. Letters match in either case, because names do on some servers.
pub(super) fn matches(pattern: &str, name: &str, delimiter: Option<&str>) -> bool {
    let pattern = pattern.as_bytes();
    let delimiter = delimiter.and_then(|delimiter| delimiter.bytes().next());
    // The places in the pattern that are reached after each byte of the name. A wildcard is passed
    // without a byte.
    let pass = |mut reached: Vec<bool>| {
        for (place, byte) in pattern.iter().enumerate() {
            reached[place + 1] |= reached[place] && b"*%".contains(byte);
        }
        reached
    };
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    reached = pass(reached);
    for byte in name.bytes() {
        let mut next = vec![false; pattern.len() + 1];
        for (place, wanted) in pattern.iter().enumerate().filter(|(place, _)| reached[*place]) {
            match wanted {
                b'*' => next[place] = true,
                b'%' => next[place] |= Some(byte) != delimiter,
                wanted => next[place + 1] |= wanted.eq_ignore_ascii_case(&byte),
            }
        }
        reached = pass(next);
    }
    reached[pattern.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_names_and_for_levels() {
        for (pattern, name, holds) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("Lab/%", "lab/x", true),
            ("Lab/%", "Lab/x/y", false),
            ("Lab*", "Lab/x/y", true),
            ("*b*", "abc", true),
            ("%/%", "a/b", true),
            ("%/%", "a/b/c", false),
            ("INBOX", "Inbox", true),
            ("INBOX", "Other", false),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, name, Some("/")), holds, "{pattern} {name}");
        }
        assert!(matches("%", "a/b", None));
    }
}
