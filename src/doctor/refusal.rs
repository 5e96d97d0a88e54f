//! What a refusal is about: only that of relaying or of a stranger answers a question.

/// What the refusal of a foreign recipient, or of a client without AUTH, is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Relaying: the server wants AUTH for it, or never relays.
    Relaying,
    /// The foreign domain itself, which takes no mail: a server that relays refuses it, too.
    Destination,
    /// The client or its name, whatever it asks for.
    Client,
    /// It does not say.
    Unsaid,
}

/// The words of refusals, in small letters, of the servers in the field.
const WORDS: [(Refusal, &[&str]); 3] = [
    (Refusal::Relaying, &["relay", "auth", "rcpthosts", "log in", "logged in"]),
    (
        Refusal::Destination,
        &["nullmx", "null mx", "unrouteable", "not accept mail", "no mx", "domain not found"],
    ),
    (
        Refusal::Client,
        &[
            "blocked",
            "blacklist",
            "blocklist",
            "block list",
            "listed",
            "reputation",
            "spam",
            "helo",
            "ehlo",
        ],
    ),
];

impl Refusal {
    /// What a reply is about, by its words and then by its enhanced status code (RFC 3463 section
    /// 3); `None` if it is no refusal. A temporary one counts only if it is of relaying: Postfix
    /// gives one if it is configured so (`relay_domains` from a table that no longer exists).
    pub(super) fn of(reply: &str) -> Option<Self> {
        // The address that was tried may have any word in it.
        let words = reply.split_whitespace().filter(|word| !word.contains('@'));
        let lower = words.collect::<Vec<_>>().join(" ").to_ascii_lowercase();
        let is_temporary = reply.starts_with('4');
        if is_temporary {
            return lower.contains("relay").then_some(Self::Relaying);
        }
        if !reply.starts_with('5') {
            return None;
        }
        if reply.starts_with("530") {
            return Some(Self::Relaying);
        }
        let of_words =
            WORDS.iter().find(|(_, words)| words.iter().any(|word| lower.contains(word)));
        let detail = lower.split([' ', '-']).find_map(|word| word.strip_prefix("5."));
        Some(match (of_words, detail.and_then(|detail| detail.split_once('.'))) {
            (Some((refusal, _)), _) => *refusal,
            (None, Some(("1", "2" | "10"))) => Self::Destination,
            (None, Some(("1", "7" | "8") | ("5", _))) => Self::Client,
            (None, _) => Self::Unsaid,
        })
    }
}

/// Whether two replies say the same, apart from the addresses in them.
pub(super) fn is_same(reply: &str, other: &str) -> bool {
    let words = |reply: &str| -> Vec<String> {
        reply.split_whitespace().filter(|word| !word.contains('@')).map(str::to_owned).collect()
    };
    words(reply) == words(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_servers_in_the_field_are_told_apart() {
        for (reply, about) in [
            ("554 5.7.1 <a@example.net>: Relay access denied", Some(Refusal::Relaying)),
            ("454 4.7.1 <a@example.net>: Relay access denied", Some(Refusal::Relaying)),
            ("550 5.7.1 <a@example.net>... Relaying denied", Some(Refusal::Relaying)),
            ("550 5.1.2 Relay not allowed.", Some(Refusal::Relaying)),
            ("530 5.7.0 Must issue a STARTTLS command first", Some(Refusal::Relaying)),
            ("503 AUTH first", Some(Refusal::Relaying)),
            (
                "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
                Some(Refusal::Relaying),
            ),
            (
                "556 5.1.10 <relay-test@example.net>: Recipient address rejected: Domain example.net does not accept mail (nullMX)",
                Some(Refusal::Destination),
            ),
            ("550 Unrouteable address", Some(Refusal::Destination)),
            (
                "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.example",
                Some(Refusal::Client),
            ),
            (
                "504 5.5.2 <[192.0.2.7]>: Helo command rejected: need fully-qualified hostname",
                Some(Refusal::Client),
            ),
            ("550 5.1.8 <a@example.com>: Sender address rejected", Some(Refusal::Client)),
            (
                "554 5.7.1 <unknown[192.0.2.7]>: Client host rejected: Access denied",
                Some(Refusal::Unsaid),
            ),
            ("550 I cannot deliver mail for {a@example.net}", Some(Refusal::Unsaid)),
            ("451 4.7.1 Greylisted", None),
            ("250 2.1.5 Ok", None),
        ] {
            assert_eq!(Refusal::of(reply), about, "{reply}");
        }
        assert!(is_same("550 <a@b>: no", "550 <c@d>: no") && !is_same("550 no", "550 yes"));
    }
}
