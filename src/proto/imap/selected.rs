//! What a dialogue has told of the mailbox that is selected (RFC 3501 sections 5.2 and 7.3.1).

/// How many bytes of a response are looked at: enough for a number and the longest name, for
/// `VANISHED (EARLIER)`, and for UIDVALIDITY with its value.
pub(super) const HEAD: usize = 40;
/// Commands after which another mailbox, or none, is selected (RFC 3501 section 6, RFC 3691, RFC
/// 8437).
const OPENING: [&str; 5] = ["SELECT", "EXAMINE", "CLOSE", "UNSELECT", "UNAUTHENTICATE"];

/// The selected mailbox, as far as the dialogue has told of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) count: Count,
    pub(crate) uid_validity: Option<u64>,
    pub(crate) uid_next: Option<u64>,
    /// Whether the client has sent NOTIFY. The server may then report removals and other mailboxes
    /// at any time, and may keep back the news of the selected mailbox (RFC 5465 sections 3.1, 5
    /// and 6).
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
    /// EXISTS has told it, but there are fewer since VANISHED (RFC 7162 section 3.2.10), or any
    /// number after NOTIFY, by which a client may ask for no news of the mailbox.
    Outdated,
}

impl Selected {
    /// Tracks a command of the client.
    pub(super) fn asked(&mut self, verb: &[u8]) {
        let is = |name: &str| verb.eq_ignore_ascii_case(name.as_bytes());
        if OPENING.iter().any(|name| is(name)) {
            self.left();
        }
        if is("NOTIFY") {
            self.is_notified = true;
            self.outdate();
        }
    }

    /// Forgets the mailbox, because another one is selected, or none.
    fn left(&mut self) {
        *self = Self { is_notified: self.is_notified, ..Self::default() };
    }

    /// Tracks an untagged response by its first bytes.
    pub(super) fn came(&mut self, head: &[u8]) {
        let head = &head[..head.len().min(HEAD)];
        let mut words =
            head.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty() && *word != b"*");
        let mut next = || words.next().unwrap_or_default();
        let (first, second, third) = (next(), next(), next());
        let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        match self.count {
            _ if is(first, "OK") => self.noted(second, third),
            _ if is(first, "VANISHED") && !is(second, "(EARLIER)") => self.outdate(),
            _ if is(second, "EXISTS") => {
                self.count = number(first).map_or(Count::Unknown, Count::Known);
                if self.is_notified {
                    self.outdate();
                }
            }
            Count::Known(count) if is(second, "EXPUNGE") => {
                self.count = Count::Known(count.saturating_sub(1));
            }
            _ => {}
        }
    }

    /// Tracks the response code of an untagged OK, by its first two words.
    fn noted(&mut self, name: &[u8], value: &[u8]) {
        let Some(name) = name.strip_prefix(b"[") else { return };
        let value = value.strip_suffix(b"]").unwrap_or_default();
        match &*name.strip_suffix(b"]").unwrap_or(name).to_ascii_uppercase() {
            // What comes after it is about the mailbox that is selected next (RFC 7162 section
            // 3.2.11).
            b"CLOSED" => self.left(),
            b"UIDVALIDITY" => self.uid_validity = number(value).or(self.uid_validity),
            b"UIDNEXT" => self.uid_next = number(value).or(self.uid_next),
            _ => {}
        }
    }

    fn outdate(&mut self) {
        if self.count != Count::Unknown {
            self.count = Count::Outdated;
        }
    }
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
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
            (&["* 3 EXISTS", "* VANISHED 7"], Count::Outdated),
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
        let mut selected = Selected { count: Count::Known(3), ..Selected::default() };
        selected.asked(b"FETCH");
        assert_eq!(selected.count, Count::Known(3));
        selected.asked(b"select");
        assert_eq!(selected.count, Count::Unknown);
        selected.came(b"* 3 EXISTS");
        selected.asked(b"NOTIFY");
        assert!(selected.is_notified);
        assert_eq!(selected.count, Count::Outdated);
        selected.asked(b"SELECT");
        for head in ["* 3 EXISTS", "* OK [UIDVALIDITY 4294967295] x", "* OK [uidnext 7] x"] {
            selected.came(head.as_bytes());
        }
        assert_eq!((selected.uid_validity, selected.uid_next), (Some(4_294_967_295), Some(7)));
        assert_eq!(selected.count, Count::Outdated);
        selected.came(b"* OK [CLOSED] x");
        assert_eq!(selected, Selected { is_notified: true, ..Selected::default() });
    }
}
