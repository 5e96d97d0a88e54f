//! What a dialogue has told of the mailbox that is selected (RFC 3501 sections 5.2 and 7.3.1).

/// How many bytes of a response are looked at: enough for a number and the longest name, and for
/// `VANISHED (EARLIER)`.
pub(super) const HEAD: usize = 40;
/// Commands after which another mailbox, or none, is selected (RFC 3501 section 6, RFC 3691, RFC
/// 8437).
const OPENING: [&str; 5] = ["SELECT", "EXAMINE", "CLOSE", "UNSELECT", "UNAUTHENTICATE"];

/// The messages of the selected mailbox, as far as the dialogue has told of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) count: Count,
    /// Whether the client has sent NOTIFY. The server may then report removals and other mailboxes
    /// at any time (RFC 5465 sections 5 and 6).
    pub(crate) is_notified: bool,
}

/// The number of messages in the selected mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Count {
    /// The server has not said it.
    #[default]
    Unknown,
    /// From EXISTS, less the messages that were expunged since.
    Known(u64),
    /// VANISHED came since EXISTS, so there are fewer (RFC 7162 section 3.2.10).
    Fewer,
}

impl Selected {
    /// Tracks a command of the client.
    pub(super) fn asked(&mut self, verb: &[u8]) {
        let is = |name: &str| verb.eq_ignore_ascii_case(name.as_bytes());
        if OPENING.iter().any(|name| is(name)) {
            self.count = Count::Unknown;
        }
        self.is_notified |= is("NOTIFY");
    }

    /// Tracks untagged data by its first bytes.
    pub(super) fn came(&mut self, head: &[u8]) {
        let mut words =
            head.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty() && *word != b"*");
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if first.eq_ignore_ascii_case(b"VANISHED") {
            self.vanished(second.eq_ignore_ascii_case(b"(EARLIER)"));
        } else if second.eq_ignore_ascii_case(b"EXISTS") {
            let number = std::str::from_utf8(first).ok().and_then(|number| number.parse().ok());
            self.count = number.map_or(Count::Unknown, Count::Known);
        } else if second.eq_ignore_ascii_case(b"EXPUNGE")
            && let Count::Known(count) = self.count
        {
            self.count = Count::Known(count.saturating_sub(1));
        }
    }

    fn vanished(&mut self, is_earlier: bool) {
        if !is_earlier && self.count != Count::Unknown {
            self.count = Count::Fewer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_follows_what_the_server_tells() {
        for (heads, count) in [
            (&["* FLAGS (\\Seen)", "* 1 FETCH (FLAGS ())"][..], Count::Unknown),
            (&["* 1 EXPUNGE"], Count::Unknown),
            (&["* 3 EXISTS", "* 1 RECENT"], Count::Known(3)),
            (&["*  3  exists", "* 2 EXPUNGE", "* 2 expunge"], Count::Known(1)),
            (&["* 0 EXISTS", "* 1 EXPUNGE"], Count::Known(0)),
            (&["* 3 EXISTS", "* VANISHED (EARLIER) 7"], Count::Known(3)),
            (&["* 3 EXISTS", "* VANISHED 7"], Count::Fewer),
            (&["* 3 EXISTS", "* VANISHED 7", "* 1 EXPUNGE", "* 2 EXISTS"], Count::Known(2)),
            (&["* VANISHED 7"], Count::Unknown),
            (&["* 99999999999999999999 EXISTS"], Count::Unknown),
        ] {
            let mut selected = Selected::default();
            for head in heads {
                selected.came(head.as_bytes());
            }
            assert_eq!(selected.count, count, "{heads:?}");
        }
    }

    #[test]
    fn another_mailbox_has_a_count_of_its_own() {
        let mut selected = Selected { count: Count::Known(3), is_notified: false };
        selected.asked(b"FETCH");
        assert_eq!(selected.count, Count::Known(3));
        selected.asked(b"select");
        assert_eq!(selected.count, Count::Unknown);
        selected.asked(b"NOTIFY");
        assert!(selected.is_notified);
    }
}
