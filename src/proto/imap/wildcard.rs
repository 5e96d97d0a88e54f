//! The wildcards of LIST and LSUB (RFC 3501 section 6.3.8).

/// The most octets of a pattern.
pub(crate) const LONGEST: usize = 1000;

/// A pattern, in which `*` stands for any text, and `%` for any text within one level of the
/// hierarchy.
///
/// It is matched by a set of places in it that the beginning of a name can have reached, a bit for
/// each. So the time is proportional to the length of the name.
pub(crate) struct Wildcards {
    /// For each byte of a name, the places behind it in the pattern; each set as long as `any`.
    behind: Vec<u64>,
    /// The places of `*`.
    any: Places,
    /// The places of `%`.
    level: Places,
    /// The number of the place behind the pattern.
    end: usize,
}

/// A set of places in a pattern, a bit for each.
type Places = Vec<u64>;

impl Wildcards {
    /// Reads a pattern; `None` if it has more than [`LONGEST`] octets.
    pub(crate) fn of(pattern: &[u8]) -> Option<Self> {
        if pattern.len() > LONGEST {
            return None;
        }
        let mut tokens: Vec<u8> = Vec::with_capacity(pattern.len());
        for byte in pattern {
            match (tokens.last_mut(), byte) {
                // Wildcards beside each other are one, of the wider kind.
                (Some(b'*'), b'*' | b'%') | (Some(b'%'), b'%') => {}
                (Some(last @ b'%'), b'*') => *last = b'*',
                _ => tokens.push(*byte),
            }
        }
        let width = tokens.len() / 64 + 1;
        let (mut any, mut level) = (vec![0; width], vec![0; width]);
        let mut behind = vec![0; 256 * width];
        for (place, token) in tokens.iter().enumerate() {
            match token {
                b'*' => add(&mut any, place),
                b'%' => add(&mut level, place),
                byte => add(&mut behind[usize::from(*byte) * width..], place + 1),
            }
        }
        Some(Self { behind, any, level, end: tokens.len() })
    }

    /// Whether a name matches the pattern, if this delimiter parts the levels of the hierarchy.
    pub(crate) fn match_name(&self, name: &[u8], delimiter: Option<u8>) -> bool {
        let mut reached = vec![0; self.any.len()];
        add(&mut reached, 0);
        self.pass_wildcards(&mut reached);
        for byte in name {
            let within_level = Some(*byte) != delimiter;
            let behind = &self.behind[usize::from(*byte) * self.any.len()..];
            let mut carry = 0;
            for (word, places) in reached.iter_mut().enumerate() {
                let stays = *places & self.any[word]
                    | if within_level { *places & self.level[word] } else { 0 };
                let next = *places << 1 | carry;
                carry = *places >> 63;
                *places = next & behind[word] | stays;
            }
            self.pass_wildcards(&mut reached);
            if reached.iter().all(|places| *places == 0) {
                return false;
            }
        }
        reached[self.end / 64] >> (self.end % 64) & 1 == 1
    }

    /// Adds the places behind wildcards, which may stand for nothing. No two of them are beside each
    /// other.
    fn pass_wildcards(&self, reached: &mut [u64]) {
        let mut carry = 0;
        for (word, places) in reached.iter_mut().enumerate() {
            let wildcards = *places & (self.any[word] | self.level[word]);
            *places |= wildcards << 1 | carry;
            carry = wildcards >> 63;
        }
    }
}

fn add(places: &mut [u64], place: usize) {
    places[place / 64] |= 1 << (place % 64);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str, delimiter: Option<u8>) -> bool {
        Wildcards::of(pattern.as_bytes()).unwrap().match_name(name.as_bytes(), delimiter)
    }

    #[test]
    fn wildcards_stand_for_levels_or_all() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("%%", "a/b", false),
            ("%*", "a/b", true),
            ("a/%", "a/b", true),
            ("a*c", "a/b/c", true),
            ("a%c", "a/b/c", false),
            ("*b*", "abc", true),
            ("%/%", "a/b", true),
            ("%/%", "a/b/c", false),
            ("INBOX", "INBOX", true),
            ("a", "ab", false),
            ("", "a", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name, Some(b'/')), expected, "{pattern} {name}");
        }
        assert!(matches("%", "a/b", None));
        let long = "ab/".repeat(LONGEST / 3);
        assert!(matches(&long, &long, Some(b'/')) && !matches(&long, &long[1..], Some(b'/')));
        assert!(Wildcards::of(&[b'*'; LONGEST + 1]).is_none());
    }

    proptest! {
        /// A regex matches the same.
        #[test]
        fn wildcards_are_as_a_regex(pattern in "[ab/*%]{0,80}", name in "[ab/]{0,40}") {
            let regex = pattern.replace('*', ".*").replace('%', "[^/]*");
            let expected = regex::Regex::new(&format!("^(?:{regex})$")).unwrap().is_match(&name);
            prop_assert_eq!(matches(&pattern, &name, Some(b'/')), expected);
        }
    }
}
