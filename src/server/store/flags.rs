//! The flags of a message (RFC 3501 section 2.3.2).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The system flags, in the spelling in which they are shown.
const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
/// The most flags of one message, beyond which some are dropped, and the most bytes of a keyword,
/// beyond which the keyword is ignored.
const MOST_KEYWORDS: usize = 50;
const LONGEST_KEYWORD: usize = 100;
/// What a keyword takes besides its bytes: its place in the set, and a block of the heap.
const KEYWORD: usize = 64;

/// The flags of a message. System flags are stored in one spelling, whatever case they were set in.
/// Clones share their memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct Flags(Arc<BTreeSet<Cow<'static, str>>>);

impl Flags {
    /// The flags that these words name, without `\Recent`, which no client may set.
    pub(in crate::server) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let known = |word: &str| {
            let system = SYSTEM.iter().find(|system| system.eq_ignore_ascii_case(word));
            match system {
                Some(system) => Some(Cow::Borrowed(*system)),
                None if word.starts_with('\\') || word.len() > LONGEST_KEYWORD => None,
                None => Some(Cow::Owned(word.to_owned())),
            }
        };
        let mut flags = Self::default();
        flags.insert_all(words.into_iter().filter_map(known));
        flags
    }

    /// Whether a client can set a flag of this name: a system flag except `\Recent`, or a keyword.
    pub(in crate::server) fn can_set(word: &str) -> bool {
        let is_atom = |word: &str| {
            word.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte))
        };
        SYSTEM.iter().any(|system| system.eq_ignore_ascii_case(word)) || is_atom(word)
    }

    pub(in crate::server) fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(flag))
    }

    /// These flags and others.
    pub(in crate::server) fn with(&self, others: &Self) -> Self {
        let mut flags = self.clone();
        if !others.0.is_subset(&self.0) {
            flags.insert_all(others.0.iter().cloned());
        }
        flags
    }

    /// These flags without others.
    pub(in crate::server) fn without(&self, others: &Self) -> Self {
        if !self.0.iter().any(|flag| others.has(flag)) {
            return self.clone();
        }
        Self(Arc::new(self.0.iter().filter(|flag| !others.has(flag)).cloned().collect()))
    }

    /// Adds flags. Keywords beyond the limit are left out; a system flag always has room.
    fn insert_all(&mut self, flags: impl Iterator<Item = Cow<'static, str>>) {
        let own = Arc::make_mut(&mut self.0);
        let mut keywords = own.iter().filter(|flag| is_keyword(flag)).count();
        for flag in flags {
            let is_keyword = is_keyword(&flag);
            if (!is_keyword || keywords < MOST_KEYWORDS) && own.insert(flag) {
                keywords += usize::from(is_keyword);
            }
        }
    }

    /// How many bytes of a mailbox the keywords take. Those that messages share count for each,
    /// because the next change may give each its own.
    pub(in crate::server) fn size(&self) -> usize {
        self.0.iter().filter(|flag| is_keyword(flag)).map(|flag| KEYWORD + flag.len()).sum()
    }

    /// Whether both share their memory.
    #[cfg(test)]
    pub(in crate::server) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The flags as a list without its parentheses.
    pub(in crate::server) fn shown(&self) -> String {
        self.0.iter().map(|flag| &**flag).collect::<Vec<_>>().join(" ")
    }
}

fn is_keyword(flag: &str) -> bool {
    !flag.starts_with('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_flag_has_room_beside_any_number_of_keywords() {
        let keywords: Vec<_> = (0..60).map(|number| format!("a{number}")).collect();
        let flags = Flags::of(keywords.iter().map(String::as_str).chain(["\\Seen"]));
        let flags = flags.with(&Flags::of(["\\deleted", "one more"]));
        assert!(flags.has("\\Seen") && flags.has("\\Deleted") && !flags.has("one more"));
        assert_eq!(flags.shown().split(' ').count(), MOST_KEYWORDS + 2);
    }

    #[test]
    fn flags_that_do_not_change_are_shared() {
        let flags = Flags::of(["\\Seen", "$x"]);
        assert!(flags.with(&Flags::of(["\\seen"])).is_same(&flags));
        assert!(flags.without(&Flags::of(["$y"])).is_same(&flags));
        assert_eq!(flags.without(&Flags::of(["$X"])), Flags::of(["\\Seen"]));
        assert_eq!(flags.size(), KEYWORD + 2);
    }
}
