//! What a dialogue has told of the mailbox that is selected (RFC 3501 sections 5.2 and 7.3.1), and
//! whether a response agrees with that.

/// How many bytes of a response are looked at: enough for a number and the longest name, for
/// `VANISHED (EARLIER)`, and for UIDVALIDITY with its value.
pub(super) const HEAD: usize = 40;
/// Commands after which another mailbox is selected, if they succeed.
const SELECTING: [&str; 2] = ["SELECT", "EXAMINE"];
/// Commands after which none is selected (RFC 3501 section 6, RFC 3691, RFC 8437).
const LEAVING: [&str; 3] = ["CLOSE", "UNSELECT", "UNAUTHENTICATE"];

/// The selected mailbox, as far as the dialogue has told of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) count: Count,
    /// The greatest number that a message may have, if it is known: `count`, or less than it was
    /// before VANISHED.
    last: Option<u64>,
    uid_validity: Option<u64>,
    uid_next: Option<u64>,
    /// Whether a command is in progress that selects another mailbox, or none. Until its end, news
    /// of both mailboxes may come.
    is_changing: bool,
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

/// What an untagged response tells of the selected mailbox.
#[derive(Clone, Copy, Debug)]
enum News {
    Exists(Option<u64>),
    Expunge(Option<u64>),
    Fetch(Option<u64>),
    /// At least one message is gone.
    Vanished,
    /// What comes after it is about the mailbox that is selected next (RFC 7162 section 3.2.11).
    Closed,
    UidValidity(Option<u64>),
    UidNext(Option<u64>),
}

impl News {
    /// Reads the first bytes of a response.
    fn of(head: &[u8]) -> Option<Self> {
        let head = &head[..head.len().min(HEAD)];
        let mut words = head.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        if words.next() != Some(b"*") {
            return None;
        }
        let mut next = || words.next().unwrap_or_default();
        let (first, second, third) = (next(), next(), next());
        let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is(first, "OK") {
            return Self::of_code(second, third);
        }
        if is(first, "VANISHED") {
            return (!is(second, "(EARLIER)")).then_some(Self::Vanished);
        }
        match &*second.to_ascii_uppercase() {
            b"EXISTS" => Some(Self::Exists(number(first))),
            b"EXPUNGE" => Some(Self::Expunge(number(first))),
            b"FETCH" => Some(Self::Fetch(number(first))),
            _ => None,
        }
    }

    /// Reads the response code of an untagged OK by its first two words.
    fn of_code(name: &[u8], value: &[u8]) -> Option<Self> {
        let name = name.strip_prefix(b"[")?;
        let value = number(value.strip_suffix(b"]").unwrap_or_default());
        match &*name.strip_suffix(b"]").unwrap_or(name).to_ascii_uppercase() {
            b"CLOSED" => Some(Self::Closed),
            b"UIDVALIDITY" => Some(Self::UidValidity(value)),
            b"UIDNEXT" => Some(Self::UidNext(value)),
            _ => None,
        }
    }
}

impl Selected {
    /// Forgets the mailbox, because another one is selected, or none.
    fn left(&mut self) {
        let Self { is_changing, is_notified, .. } = *self;
        *self = Self { is_changing, is_notified, ..Self::default() };
    }

    /// Tracks an untagged response by its first bytes.
    pub(super) fn came(&mut self, head: &[u8]) {
        match News::of(head) {
            None | Some(News::Fetch(_)) => {}
            Some(News::Exists(number)) => {
                self.count = number.map_or(Count::Unknown, Count::Known);
                self.last = number;
                if self.is_notified {
                    self.outdate();
                }
            }
            Some(News::Expunge(_)) => {
                self.last = self.last.map(|last| last.saturating_sub(1));
                if let Count::Known(count) = self.count {
                    self.count = Count::Known(count.saturating_sub(1));
                }
            }
            Some(News::Vanished) => {
                let last = self.last.map(|last| last.saturating_sub(1));
                self.outdate();
                self.last = last;
            }
            Some(News::Closed) => self.left(),
            Some(News::UidValidity(value)) => self.uid_validity = value.or(self.uid_validity),
            Some(News::UidNext(value)) => self.uid_next = value.or(self.uid_next),
        }
    }

    fn outdate(&mut self) {
        self.last = None;
        if self.count != Count::Unknown {
            self.count = Count::Outdated;
        }
    }

    /// What a response should have been, if it contradicts what was said of the mailbox before it
    /// came.
    pub(crate) fn contradicted(&self, response: &[u8]) -> Option<String> {
        let news = News::of(response)?;
        // It stays the same while the mailbox is selected.
        if let (News::UidValidity(Some(now)), Some(before)) = (news, self.uid_validity) {
            return (now != before).then(|| format!("UIDVALIDITY {before} (RFC 3501, 2.3.1.1)"));
        }
        if self.is_changing {
            return None;
        }
        match (news, self.count, self.last) {
            (News::Exists(Some(now)), Count::Known(count), _) if now < count => {
                Some(format!("EXISTS of at least {count}, or an EXPUNGE before it (RFC 3501, 5.2)"))
            }
            (News::Expunge(Some(number)), _, Some(last)) if number > last => {
                Some(format!("EXPUNGE of a message up to {last} (RFC 3501, 7.4.1)"))
            }
            (News::Fetch(Some(number)), _, Some(last)) if number > last => {
                Some(format!("numbers up to {last}, as EXISTS says (RFC 3501, 7.3.1)"))
            }
            (News::UidNext(Some(now)), ..) => {
                let next = self.uid_next.filter(|next| now < *next)?;
                Some(format!("UIDNEXT of at least {next} (RFC 3501, 2.3.1.1)"))
            }
            _ => None,
        }
    }
}

/// The selected mailbox through a dialogue, in which several commands may be in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    now: Selected,
    /// The tags of the commands in progress that select another mailbox, or none; and whether they
    /// select one.
    changing: Vec<(Vec<u8>, bool)>,
}

impl Selection {
    pub(super) fn now(&self) -> Selected {
        self.now
    }

    /// Tracks a command of the client.
    pub(super) fn asked(&mut self, tag: &[u8], verb: &[u8]) {
        let is_of =
            |names: &[&str]| names.iter().any(|name| verb.eq_ignore_ascii_case(name.as_bytes()));
        let selects = is_of(&SELECTING);
        if selects || is_of(&LEAVING) {
            self.changing.push((tag.to_vec(), selects));
            self.now.is_changing = true;
            self.now.left();
        }
        if is_of(&["NOTIFY"]) {
            self.now.is_notified = true;
            self.now.outdate();
        }
    }

    pub(super) fn came(&mut self, head: &[u8]) {
        self.now.came(head);
    }

    /// Tracks the end of the command with this tag.
    pub(super) fn ended(&mut self, tag: &[u8], is_ok: bool) {
        let Some(place) = self.changing.iter().position(|(changing, _)| changing == tag) else {
            return;
        };
        let (_, selects) = self.changing.remove(place);
        self.now.is_changing = !self.changing.is_empty();
        if self.now.is_changing || !selects || !is_ok {
            self.now.left();
        }
    }

    /// Tracks that the server answers none of the commands in progress any more.
    pub(super) fn waived(&mut self) {
        self.changing.clear();
        self.now.is_changing = false;
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
            let mut selection = Selection::default();
            for head in heads {
                selection.came(head.as_bytes());
            }
            assert_eq!(selection.now().count, count, "{heads:?}");
        }
    }

    #[test]
    fn a_response_agrees_with_what_came_before_it_or_contradicts_it() {
        let known = ["* 3 EXISTS", "* OK [UIDVALIDITY 7] x", "* OK [UIDNEXT 10] x"];
        for (responses, agrees) in [
            (&["* 3 EXISTS", "* 5 EXISTS"][..], true),
            (&["* 2 EXISTS"], false),
            (&["* 1 EXPUNGE", "* 2 EXISTS"], true),
            (&["* 1 EXPUNGE", "* 1 EXISTS"], false),
            (&["* VANISHED 7:8", "* 1 EXISTS"], true),
            (&["* VANISHED (EARLIER) 7:8", "* 1 EXISTS"], false),
            (&["* 4 EXPUNGE"], false),
            (&["* 4 EXISTS", "* 4 EXPUNGE"], true),
            (&["* 3 EXPUNGE", "* 3 EXPUNGE"], false),
            (&["* VANISHED 7", "* 3 EXPUNGE"], false),
            (&["* 4 FETCH (FLAGS ())"], false),
            (&["* 4 FETCH (FLAGS ())", "* 4 EXISTS"], false),
            (&["* 4 EXISTS", "* 4 FETCH (FLAGS ())"], true),
            (&["* 3 FETCH (FLAGS ())", "* 3 EXPUNGE"], true),
            (&["* 1 EXPUNGE", "* 3 FETCH (FLAGS ())"], false),
            (&["* 1 EXPUNGE", "* 2 FETCH (FLAGS ())"], true),
            (&["* 2 EXPUNGE", "* 2 EXISTS", "* 3 FETCH (FLAGS ())"], false),
            (&["* VANISHED 7", "* 3 FETCH (FLAGS ())"], false),
            (&["* VANISHED 7", "* 2 FETCH (FLAGS ())"], true),
            (&["* VANISHED 7", "* 4 EXISTS", "* 4 FETCH (FLAGS ())"], true),
            (&["* OK [UIDVALIDITY 7] x", "* OK [UIDNEXT 10] x"], true),
            (&["* OK [UIDVALIDITY 8] x"], false),
            (&["* OK [UIDNEXT 12] x", "* OK [UIDNEXT 11] x"], false),
            (&["* OK [CLOSED] x", "* 0 EXISTS"], true),
        ] {
            let mut selection = Selection::default();
            assert!(agree(&mut selection, &known));
            assert_eq!(agree(&mut selection, responses), agrees, "{responses:?}");
        }
        let mut selection = Selection::default();
        assert!(agree(&mut selection, &["* 9 FETCH (FLAGS ())", "* 9 EXPUNGE", "* 1 EXISTS"]));
    }

    fn agree(selection: &mut Selection, responses: &[&str]) -> bool {
        responses.iter().all(|response| {
            let agrees = selection.now().contradicted(response.as_bytes()).is_none();
            selection.came(response.as_bytes());
            agrees
        })
    }

    #[test]
    fn until_another_mailbox_is_selected_news_of_both_may_come() {
        let mut selection = Selection::default();
        assert!(agree(&mut selection, &["* 3 EXISTS", "* OK [UIDVALIDITY 7] x"]));
        selection.asked(b"a1", b"SELECT");
        selection.asked(b"a2", b"examine");
        assert!(agree(&mut selection, &["* 9 FETCH ()", "* 5 EXISTS", "* OK [UIDVALIDITY 8] x"]));
        assert!(!agree(&mut selection, &["* OK [UIDVALIDITY 9] x"]));
        selection.ended(b"a1", true);
        assert_eq!(selection.now().count, Count::Unknown, "a2 selects another one");
        assert!(agree(&mut selection, &["* 2 EXISTS", "* 1 EXISTS", "* OK [UIDVALIDITY 1] x"]));
        selection.ended(b"a2", true);
        assert_eq!(selection.now().count, Count::Known(1));
        assert!(!agree(&mut selection, &["* 2 FETCH ()"]));
        for (verb, is_ok, count) in [
            (&b"SELECT"[..], false, Count::Unknown),
            (b"CLOSE", true, Count::Unknown),
            (b"NOOP", true, Count::Known(4)),
        ] {
            selection.asked(b"a3", verb);
            selection.came(b"* 4 EXISTS");
            selection.ended(b"a3", is_ok);
            assert_eq!(selection.now().count, count, "{verb:?}");
        }
    }

    #[test]
    fn another_mailbox_has_a_count_of_its_own() {
        let mut selection = Selection::default();
        selection.came(b"* 3 EXISTS");
        selection.asked(b"a1", b"FETCH");
        assert_eq!(selection.now().count, Count::Known(3));
        selection.asked(b"a2", b"select");
        assert_eq!(selection.now().count, Count::Unknown);
        selection.came(b"* 3 EXISTS");
        selection.asked(b"a3", b"NOTIFY");
        assert!(selection.now().is_notified);
        assert_eq!(selection.now().count, Count::Outdated);
        selection.asked(b"a4", b"SELECT");
        for head in ["* 3 EXISTS", "* OK [UIDVALIDITY 4294967295] x", "* OK [uidnext 7] x"] {
            selection.came(head.as_bytes());
        }
        let now = selection.now();
        assert_eq!((now.uid_validity, now.uid_next), (Some(4_294_967_295), Some(7)));
        assert_eq!(now.count, Count::Outdated);
        selection.came(b"* OK [CLOSED] x");
        selection.waived();
        assert_eq!(selection.now(), Selected { is_notified: true, ..Selected::default() });
    }
}
