//! The wildcards of LIST and LSUB (RFC 3501 section 6.3.8).

/// Whether a name matches a pattern: `*` stands for any text, `%` for any text within one level of
/// the hierarchy. The time is at most proportional to the product of their lengths.
pub(crate) fn matches(pattern: &[u8], name: &[u8], delimiter: Option<u8>) -> bool {
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for wanted in pattern {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            match wanted {
                b'*' | b'%' => {
                    let goes_on = at > 0
                        && next[at - 1]
                        && (*wanted == b'*' || Some(name[at - 1]) != delimiter);
                    next[at] = reached[at] || goes_on;
                }
                _ => next[at] = at > 0 && reached[at - 1] && name[at - 1] == *wanted,
            }
        }
        reached = next;
    }
    reached[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_levels_or_all() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("a/%", "a/b", true),
            ("a*c", "a/b/c", true),
            ("a%c", "a/b/c", false),
            ("*b*", "abc", true),
            ("%/%", "a/b", true),
            ("%/%", "a/b/c", false),
            ("INBOX", "INBOX", true),
            ("a", "ab", false),
            ("", "a", false),
        ] {
            let found = matches(pattern.as_bytes(), name.as_bytes(), Some(b'/'));
            assert_eq!(found, expected, "{pattern} {name}");
        }
        assert!(matches(b"%", b"a/b", None));
    }
}
