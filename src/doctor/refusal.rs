//! What a refusal is about. Only one that says it is about relaying, or about a client without AUTH,
//! shows that the server does not relay: an open relay may send any other. What is not known to be
//! such a statement counts as unsaid.

use std::sync::LazyLock;

use regex::Regex;

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

/// A clause that says that the server does not relay, or demands AUTH. The words stand at its
/// start, because those of a sender ("unknown relay denied") are about the client.
static STATED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let some = "(?:(?:is|are|was|be|been|the|any|to|for|access|mail|smtp|proper|first) )*";
    let auth = "(?:auth|authenticate|authenticated|authentication|login|log in|logged in)";
    let allowed = "(?:permitted|allowed|authori[sz]ed)";
    let may = format!("(?:(?:{allowed}|configured|able) (?:to|for) )?");
    // What may follow a demand to authenticate: "authenticate your domain" is none.
    let so = "(?: (?:first|yourself|(?:before|and|to|with|when|in|using|via) .*))?$";
    let statements = [
        format!("{some}relay(?:ing)? {some}(?:denied|refused|rejected|prohibited|forbidden)"),
        // "Relay not available" is a fault.
        format!("{some}relay(?:ing)? {some}not {some}{allowed}"),
        format!(
            "(?:.* )?(?:not|cannot|unable|never|wont|dont|doesnt) {some}{may}{some}relay(?:ing)?"
        ),
        format!("(?:.* )?no {some}(?:relaying|relay(?: {some}{allowed})?$)"),
        format!("{some}{auth} {some}(?:required|needed|mandatory|necessary)"),
        "auth(?:enticate)? first".to_owned(),
        format!("(?:you )?(?:must|please|needs?|requires?) {some}(?:issue )?{auth}{so}"),
        format!("please (?:turn on|enable|use) {some}{auth}{so}"),
        format!("this {some}server requires {some}{auth}"),
        format!("(?:client|user|you) {some}not {some}{auth}"),
        "not logged in$".to_owned(),
        "i cannot deliver mail for".to_owned(),
    ];
    Regex::new(&format!("^(?:{})(?: |$)", statements.join("|"))).ok()
});

/// The beginnings of words about the client, its name or its mail.
const OF_CLIENT: [&str; 16] = [
    "block",
    "blacklist",
    "listed",
    "reputation",
    "spam",
    "helo",
    "ehlo",
    "spf",
    "dkim",
    "dmarc",
    "rbl",
    "dnsbl",
    "ptr",
    "rdns",
    "reverse",
    "dynamic",
];

const OF_DESTINATION: [&str; 6] =
    ["nullmx", "null mx", "unrouteable", "not accept mail", "no mx", "domain not found"];

/// The beginnings of words about a fault that passes, in a temporary refusal.
const OF_FAULT: [&str; 16] = [
    "again",
    "available",
    "busy",
    "cannot",
    "connect",
    "could",
    "current",
    "error",
    "fail",
    "later",
    "moment",
    "now",
    "temporar",
    "time",
    "unable",
    "unavailable",
];

impl Refusal {
    /// What a reply is about, by its enhanced status code (RFC 3463 section 3, RFC 7372) and its
    /// words; `None` if it is no refusal. A temporary one counts only if it is about relaying, and
    /// not about a fault that passes: Postfix gives one if it is configured so (`relay_domains`
    /// from a table that no longer exists).
    pub(super) fn of(reply: &str) -> Option<Self> {
        let about = match reply.as_bytes().first()? {
            b'4' | b'5' => Self::about(reply),
            _ => return None,
        };
        (reply.starts_with('5') || about == Self::Relaying).then_some(about)
    }

    fn about(reply: &str) -> Self {
        let clauses = clauses(reply);
        let words = format!(" {}", clauses.join(" "));
        let has = |starts: &[&str]| starts.iter().any(|start| words.contains(&format!(" {start}")));
        let is_stated =
            || clauses.iter().any(|clause| STATED.as_ref().is_some_and(|is| is.is_match(clause)));
        match enhanced(reply) {
            // The lists of qmail and its kin, in which no foreign domain is.
            _ if has(&["rcpthosts"]) => Self::Relaying,
            Some((7, 20..=29) | (1, 7 | 8)) => Self::Client,
            Some((1, 10)) => Self::Destination,
            _ if has(&OF_CLIENT) => Self::Client,
            _ if has(&OF_DESTINATION) => Self::Destination,
            _ if reply.starts_with('4') && has(&OF_FAULT) => Self::Unsaid,
            _ if is_stated() => Self::Relaying,
            // It demands AUTH (RFC 4954 section 6) or TLS (RFC 3207 section 4).
            _ if reply.starts_with("530") && !has(&["starttls", "tls", "ssl", "encrypt"]) => {
                Self::Relaying
            }
            Some((1, 2) | (4, _)) => Self::Destination,
            Some((5, _)) => Self::Client,
            _ => Self::Unsaid,
        }
    }
}

/// The subject and the detail of the enhanced status code (RFC 3463 section 2), wherever it is:
/// qmail writes it at the end.
fn enhanced(reply: &str) -> Option<(u16, u16)> {
    reply.split([' ', '-']).find_map(|word| {
        let mut parts = word.trim_matches(|c: char| !c.is_ascii_digit()).split('.');
        let (Some("4" | "5"), Some(subject), Some(detail), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        Some((subject.parse().ok()?, detail.parse().ok()?))
    })
}

/// Whether a refusal denies access to the client or the recipient, and does not say why. With the
/// usual settings (`permit_sasl_authenticated, reject`), Postfix says so to whoever did not log in.
pub(super) fn denies_access(reply: &str) -> bool {
    let rejected = ["client host rejected", "recipient address rejected"];
    reply.starts_with('5')
        && Refusal::of(reply) == Some(Refusal::Unsaid)
        && clauses(reply)
            .windows(2)
            .any(|two| rejected.contains(&&*two[0]) && two[1] == "access denied")
}

/// The clauses of a reply, in small letters, without codes and mail addresses, and with an ellipsis
/// for names of hosts and URLs, which may have any word in them. A clause goes on in the next line
/// unless that begins with a capital letter.
fn clauses(reply: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut begins = false;
    for word in reply.split_whitespace() {
        if word == "/" {
            begins = true;
            continue;
        }
        // The code of a line before the last.
        let word = word.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches('-');
        if begins && word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            begins = false;
            plain.push_str(if word.starts_with(char::is_uppercase) { ". " } else { "" });
        }
        let word = word.to_ascii_lowercase();
        let bare = word.trim_end_matches(|c: char| c.is_ascii_punctuation() && c != '>');
        let is_code = bare
            .trim_start_matches(['(', '#', '.'])
            .split('.')
            .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        plain.push_str(match bare {
            _ if is_code || bare.contains('@') => "",
            _ if bare.contains(['.', '/']) => "\u{2026}",
            _ => bare,
        });
        plain.push_str(&word[bare.len()..]);
        plain.push(' ');
    }
    let plain = plain.replace('\'', "");
    let clauses = plain.split(['.', ',', ';', ':', '!', '?', '(', ')', '/']);
    clauses.map(|clause| clause.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
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
    fn refusals_of_servers_in_the_field_say_that_they_are_about_relaying_or_auth() {
        for reply in [
            "554 5.7.1 <a@example.net>: Relay access denied",
            "454 4.7.1 <a@example.net>: Relay access denied",
            "550 5.7.1 <a@example.net>... Relaying denied",
            "550 5.1.2 Relay not allowed.",
            "530 5.7.0 Authentication required",
            "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
            "550 5.7.64 TenantAttribution; Relay Access Denied",
            "550 5.7.1 Relaying to <a@example.net> denied (authentication required)",
            "550 relay not permitted",
            "553 sorry, we don't relay mail",
            "553 not listed in rcpthosts",
            "503 This mail server requires authentication when sending",
            "550-5.7.1 Relaying denied. / 550 5.7.1 See https://mx.example/why",
            "503 AUTH first",
            "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
            "550 I cannot deliver mail for {a@example.net}",
            "550-Please turn on SMTP Authentication in your mail client. / 550-a.example (x) [192.0.2.7]:4711 is not permitted to relay through this / 550 server without authentication.",
            "550-192.0.2.7 is not permitted / 550 to relay through this server",
            "550-Access refused / 550 Authentication required",
            "550 5.7.1 This system is not configured to relay mail from 192.0.2.7",
            "550 You are not authorized to relay",
            "553 5.7.1 <postmaster@example.com>: Sender address rejected: not logged in",
            "550 Please authenticate before sending",
            "550 No relaying allowed",
        ] {
            assert_eq!(Refusal::of(reply), Some(Refusal::Relaying), "{reply}");
        }
    }

    #[test]
    fn refusals_that_an_open_relay_may_send_are_told_apart() {
        for (reply, about) in [
            ("530 5.7.0 Must issue a STARTTLS command first", Some(Refusal::Unsaid)),
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
            ("550 Invalid recipient: <a@example.net>", Some(Refusal::Unsaid)),
            ("451 4.7.1 Greylisted", None),
            ("451 4.3.0 relay1.example.net is busy", None),
            ("550 5.7.1 unauthenticated relay1.example.net refused", Some(Refusal::Unsaid)),
            ("550 5.7.1 Mail from an unknown relay denied", Some(Refusal::Unsaid)),
            (
                "550 5.7.1 not authorized, see https://mx.example/relaying/denied",
                Some(Refusal::Unsaid),
            ),
            ("550 5.7.1 Your domain must be authenticated", Some(Refusal::Unsaid)),
            ("550 5.7.1 You must authenticate by SPF or DKIM", Some(Refusal::Client)),
            ("550 5.7.23 <a@example.net>: SPF fail - not authorized", Some(Refusal::Client)),
            ("550 5.7.26 Authentication required", Some(Refusal::Client)),
            ("554 5.7.1 Relay access denied: listed at rbl.example", Some(Refusal::Client)),
            ("451 4.3.2 Relay not available, try again later", None),
            ("451 4.4.1 Unable to relay, connection timed out", None),
            ("550 5.3.2 Relay not available", Some(Refusal::Unsaid)),
            ("550 5.4.4 No relay found for example.net", Some(Refusal::Destination)),
            ("550-5.7.1 Mail from an unknown / 550 5.7.1 relay denied", Some(Refusal::Unsaid)),
            ("550 Please authenticate your domain", Some(Refusal::Unsaid)),
            ("550 5.7.1 Message rejected: not authenticated", Some(Refusal::Unsaid)),
            ("550 192.0.2.7 is not an authorized relay", Some(Refusal::Unsaid)),
            ("250 2.1.5 Ok", None),
        ] {
            assert_eq!(Refusal::of(reply), about, "{reply}");
        }
        for (reply, denies) in [
            ("554 5.7.1 <unknown[192.0.2.7]>: Client host rejected: Access denied", true),
            ("554 5.7.1 <a@example.net>: Recipient address rejected: Access denied", true),
            ("454 4.7.1 <a@example.net>: Recipient address rejected: Access denied", false),
            ("554 5.7.1 Client host rejected: Access denied, listed at rbl.example", false),
            ("554 5.7.1 Access denied", false),
        ] {
            assert_eq!(denies_access(reply), denies, "{reply}");
        }
        assert!(is_same("550 <a@b>: no", "550 <c@d>: no") && !is_same("550 no", "550 yes"));
    }
}
