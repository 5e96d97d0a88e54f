//! Reads in a log line what became of a message. Only the fields at their place in the line count:
//! addresses, Message-IDs and what other servers said are chosen by others, and may contain anything.

use std::sync::LazyLock;

use memchr::memmem;
use regex::bytes::Regex;

/// The fate of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The message is in a mailbox, or the next host has accepted it.
    Delivered,
    /// The message will not be delivered.
    Refused,
    /// Delivery will be tried again.
    Deferred,
}

/// A line of Exim: its time, the identifier of the message, an operator. In syslog, there is the
/// name of the program in front.
static EXIM: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let prefix = r"(?-u)^(?:\S+ +\| )?(?:(?:[^:]|:[^ ])*exim[^ :]*: )?";
    let time = r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? )?(?:[+-]\d{4} )?(?:\[\d+\] )?";
    let id = "([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4})";
    Regex::new(&[prefix, time, id, r" (=>|->|>>|==|\*\*|<=) "].concat()).ok()
});

/// A line of Dovecot about a delivery: the process with its user and session, the Message-ID, and
/// what was done, for Sieve with the name of the action in front.
static DOVECOT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let prefix = r"(?-u)^(?:(?:[^:]|:[^ ])*? )?(?:[^ :]*dovecot[^ :]*: )?(?:Info: )?";
    let process = r"(?:lmtp|lda|deliver|imap)(?:\([^)]*\)|<[^>]*>|\[\d+\])*: (?:[^ :=]+: )*?";
    let said = r"msgid=<?([^ <>]+)>?: (?:\w+ action: )?(.*)$";
    Regex::new(&[prefix, process, said].concat()).ok()
});

/// The next queue identifier of a message, in the reply of the host that accepted it.
static HANDED_ON: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?-u)queued as ([0-9A-Za-z]+)").ok());

/// The fate that a line reports of the message with an identifier that `is_known` accepts; `None`
/// if it reports neither an end nor a delay.
pub(super) fn fate(line: &[u8], is_known: impl Fn(&[u8]) -> bool) -> Option<Fate> {
    queued(line, &is_known)
        .and_then(|(_, entry)| of_queued(entry))
        .or_else(|| {
            exim(line).filter(|(id, ..)| is_known(id)).and_then(|(_, sign, _)| of_exim(sign))
        })
        .or_else(|| {
            dovecot(line).filter(|(id, _)| is_known(id)).and_then(|(_, said)| of_dovecot(said))
        })
}

/// The queue identifier that a line links to an identifier that `is_known` accepts: the line says
/// that both are of one message.
pub(super) fn linked(line: &[u8], is_known: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
    if fate(line, &is_known) == Some(Fate::Delivered) {
        return HANDED_ON.as_ref()?.captures(line)?.get(1).map(|id| id.as_bytes());
    }
    let has_known = |value: &[u8]| is_known(bare(value));
    if let Some((id, entry)) = queued(line, |_| true) {
        let resent = entry.strip_prefix(b"resent-").unwrap_or(entry);
        let postfix = resent.strip_prefix(b"message-id=");
        let sendmail = || field(entry, b"msgid").filter(|_| entry.starts_with(b"from="));
        return postfix.or_else(sendmail).filter(|value| has_known(value)).map(|_| id);
    }
    let (id, sign, rest) = exim(line)?;
    let mut words = pieces(rest, b" ").filter_map(|word| word.strip_prefix(b"id="));
    (sign == b"<=" && words.any(has_known)).then_some(id)
}

/// A Message-ID without its angle brackets.
fn bare(id: &[u8]) -> &[u8] {
    let id = id.trim_ascii();
    id.strip_prefix(b"<").and_then(|id| id.strip_suffix(b">")).unwrap_or(id)
}

/// The queue identifier and the fields of a line of Postfix or Sendmail. The identifier is directly
/// after the name of the program, or at the beginning of a line that has no such name.
fn queued(line: &[u8], is_known: impl Fn(&[u8]) -> bool) -> Option<(&[u8], &[u8])> {
    let named = memmem::find(line, b": ").map(|at| &line[at + 2..]);
    // Solaris writes `[ID 197553 mail.info]` there.
    let named = named.map(|entry| match entry.strip_prefix(b"[ID ") {
        Some(rest) => memmem::find(rest, b"] ").map_or(entry, |at| &rest[at + 2..]),
        None => entry,
    });
    named.into_iter().chain([line]).find_map(|entry| {
        let at = memmem::find(entry, b": ")?;
        let (id, entry) = (&entry[..at], &entry[at + 2..]);
        let is_id = !id.is_empty() && id.iter().all(u8::is_ascii_alphanumeric);
        (is_id && is_known(id)).then_some((id, entry))
    })
}

/// The fate in the fields of Postfix and Sendmail about one recipient.
fn of_queued(entry: &[u8]) -> Option<Fate> {
    if entry.starts_with(b"reject: ") || entry.starts_with(b"milter-reject: ") {
        return Some(Fate::Refused);
    }
    if !entry.starts_with(b"to=") {
        return None;
    }
    let word = |text: &[u8]| text.split(|byte| *byte == b' ').next().unwrap_or_default().to_vec();
    if let Some(status) = field(entry, b"status") {
        return match &word(status)[..] {
            b"sent" => Some(Fate::Delivered),
            b"deferred" => Some(Fate::Deferred),
            b"bounced" | b"expired" | b"undeliverable" => Some(Fate::Refused),
            _ => None,
        };
    }
    let status = field(entry, b"stat")?;
    let is_delayed = field(entry, b"dsn").is_some_and(|dsn| dsn.starts_with(b"4"));
    match &word(status)[..] {
        b"Sent" => Some(Fate::Delivered),
        b"Deferred" | b"Deferred:" | b"queued" => Some(Fate::Deferred),
        _ if is_delayed => Some(Fate::Deferred),
        _ => Some(Fate::Refused),
    }
}

/// The value of a field, among fields that are separated by a comma and a blank.
fn field<'a>(entry: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    pieces(entry, b", ").find_map(|field| field.strip_prefix(name)?.strip_prefix(b"="))
}

/// The pieces of a text between separators that are neither in quotes nor in angle brackets.
fn pieces<'a>(text: &'a [u8], separator: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        let (mut is_quoted, mut is_in_angle, mut is_escaped) = (false, false, false);
        for (at, byte) in whole.iter().enumerate() {
            if !is_quoted && !is_in_angle && whole[at..].starts_with(separator) {
                rest = Some(&whole[at + separator.len()..]);
                return Some(&whole[..at]);
            }
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if is_quoted => is_escaped = true,
                b'"' => is_quoted = !is_quoted,
                b'<' if !is_quoted => is_in_angle = true,
                b'>' if !is_quoted => is_in_angle = false,
                _ => {}
            }
        }
        rest.take()
    })
}

/// The identifier, the operator and what follows it in a line of Exim.
fn exim(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let found = EXIM.as_ref()?.captures(line)?;
    let (whole, id, sign) = (found.get(0)?, found.get(1)?, found.get(2)?);
    Some((id.as_bytes(), sign.as_bytes(), &line[whole.end()..]))
}

fn of_exim(sign: &[u8]) -> Option<Fate> {
    match sign {
        b"=>" | b"->" | b">>" => Some(Fate::Delivered),
        b"==" => Some(Fate::Deferred),
        b"**" => Some(Fate::Refused),
        _ => None,
    }
}

/// The Message-ID and what follows it in a line of Dovecot.
fn dovecot(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let found = DOVECOT.as_ref()?.captures(line)?;
    Some((found.get(1)?.as_bytes(), found.get(2)?.as_bytes()))
}

fn of_dovecot(said: &[u8]) -> Option<Fate> {
    let begins = |texts: [&str; 2]| texts.iter().any(|text| said.starts_with(text.as_bytes()));
    if begins(["saved mail to ", "stored mail into mailbox "]) {
        return Some(Fate::Delivered);
    }
    begins(["save failed to ", "failed to store into mailbox "]).then_some(Fate::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIM_LINE: &str = "2026-11-29 22:00:00 1qWert-000123-AB ";

    fn fate_of(id: &str, line: &str) -> Option<Fate> {
        fate(line.as_bytes(), |known| known == id.as_bytes())
    }

    #[test]
    fn the_fate_of_a_message_is_read_from_the_log_of_each_server() {
        use Fate::{Deferred, Delivered, Refused};
        assert!(EXIM.is_some() && DOVECOT.is_some() && HANDED_ON.is_some());
        let postfix = "Nov 29 05:12:31 mx postfix/smtp[13]: ABC123: to=<a@b.example>, ";
        let sendmail = "Nov 29 05:12:31 mx sendmail[8]: ABC123: to=<c@x>, ";
        let dovecot = "Nov 29 05:12:31 mx dovecot: lmtp(carol)<1><abc>: ";
        let own_log = "Nov 29 05:12:31 lda(carol)<1><a/b+c>: Info: ";
        for (line, wanted) in [
            (
                format!("{postfix}relay=x[127.0.0.1]:10024, dsn=2.0.0, status=sent (250 ok)"),
                Delivered,
            ),
            ("ABC123: to=<\"a>, b\"@c>, relay=x, status=sent".to_owned(), Delivered),
            (
                "mx postfix/smtp[1]: [ID 197553 mail.info] ABC123: to=<a@b>, status=sent"
                    .to_owned(),
                Delivered,
            ),
            (format!("{postfix}relay=none, status=deferred (x: Connection refused)"), Deferred),
            (format!("{postfix}dsn=5.1.1, status=bounced (host said: 550)"), Refused),
            (
                "postfix/cleanup[1]: ABC123: milter-reject: END-OF-MESSAGE from x".to_owned(),
                Refused,
            ),
            (format!("{sendmail}ctladdr=<a@b> (1/1), dsn=2.0.0, stat=Sent (ok)"), Delivered),
            (format!("{sendmail}dsn=4.0.0, stat=Deferred: Connection refused by x."), Deferred),
            (format!("{sendmail}dsn=4.2.0, stat=Operating system error"), Deferred),
            (format!("{sendmail}dsn=5.1.1, stat=User unknown"), Refused),
            (format!("{dovecot}msgid=<ABC123>: saved mail to INBOX"), Delivered),
            (
                format!("{dovecot}sieve: msgid=<ABC123>: stored mail into mailbox 'INBOX'"),
                Delivered,
            ),
            (
                format!(
                    "{dovecot}sieve: msgid=<ABC123>: fileinto action: stored mail into mailbox 'a'"
                ),
                Delivered,
            ),
            (format!("{own_log}msgid=<ABC123>: saved mail to INBOX"), Delivered),
            (format!("{dovecot}msgid=<ABC123>: save failed to INBOX: Quota exceeded"), Refused),
        ] {
            assert_eq!(fate_of("ABC123", &line), Some(wanted), "{line}");
        }
        for (line, wanted) in [
            ("1qWert-000123-AB => carol <carol@x> R=local T=maildir".to_owned(), Delivered),
            (format!("{EXIM_LINE}-> carol@x R=mx T=smtp"), Delivered),
            (
                "mx exim[7]: 2026-11-29 22:00:00.123 +0100 [7] 1qWert-000123-AB >> a@b".to_owned(),
                Delivered,
            ),
            (format!("{EXIM_LINE}== carol@x R=mx T=smtp defer (111): x"), Deferred),
            (format!("{EXIM_LINE}** nobody@x: Unknown user"), Refused),
        ] {
            assert_eq!(fate_of("1qWert-000123-AB", &line), Some(wanted), "{line}");
        }
    }

    #[test]
    fn text_that_others_choose_is_no_delivery() {
        let smtp = "Nov 29 22:00:00 mx postfix/smtp[1]: ";
        let lda = "Nov 29 22:00:00 mx dovecot: lda(u)<1><abc>: ";
        for rest in [
            "ABC123: to=<a@b>, dsn=5.0.0, status=bounced (host x said: 550 status=sent already)",
            "ABC123: to=<a@b>, dsn=4.0.0, status=deferred (x), status=sent",
            "ABC123: to=<status=sent@b>, dsn=4.0.0, status=deferred (x)",
            "ABC123: to=<\"x, status=sent\"@b>, dsn=4.0.0, status=deferred (x)",
            "ABC123: from=<status=sent@x>, size=1, nrcpt=1 (queue active)",
            "ABC123: message-id=<status=sent@x>",
            "ABC123: to=<a@b>, dsn=2.0.0, status=sentinel",
            "ABC1234: to=<a@b>, dsn=2.0.0, status=sent (as ABC123: to=<c@d>, status=sent)",
            "OTHER1: warning: header Subject: ABC123: to=<a@b>, status=sent; from=<c@d>",
            "OTHER1: to=<a@b>, dsn=2.0.0, status=sent (250 queued as ABC123)",
            "ABC123: from=<stat=Sent>, size=1",
            "ABC123: to=<a@b>, dsn=5.1.1, stat=User unknown; was stat=Sent",
            "ABC123: to=<a@b>, dsn=5.1.1, stat=Sentinel",
        ] {
            let found = fate_of("ABC123", &format!("{smtp}{rest}"));
            assert_ne!(found, Some(Fate::Delivered), "{rest}");
        }
        for rest in [
            "1qWert-000123-AB == a@b R=x T=y defer (-1): 450 => later",
            "1qWert-000123-AB ** a@b R=x T=y: 550 a => b",
            "1qWert-000123-AB <= a@b H=x P=esmtp S=1 T=\"x => y\"",
            "1qWert-000123-AB *> a@b R=x T=y",
            "1qWert-000123-ABC => a@b R=x T=y",
            "1qWert-000123-XX <= a@b T=\"1qWert-000123-AB => a@b R=x\"",
            "1qWert-000123-XX SMTP error: 1qWert-000123-AB => a@b R=x",
        ] {
            let found = fate_of("1qWert-000123-AB", &format!("2026-11-29 22:00:00 {rest}"));
            assert_ne!(found, Some(Fate::Delivered), "{rest}");
        }
        for rest in [
            "msgid=<abc1@example.com.evil>: saved mail to INBOX",
            "msgid=<x.abc1@example.com>: saved mail to INBOX",
            "msgid=<abc1@example.com>: save failed to INBOX: quota (not saved mail to INBOX)",
            "msgid=<abc1@example.com>: rejected: saved mail to INBOX",
            "msgid=<x@y>: save failed to msgid=<abc1@example.com>: saved mail to INBOX",
        ] {
            let found = fate_of("abc1@example.com", &format!("{lda}{rest}"));
            assert_ne!(found, Some(Fate::Delivered), "{rest}");
        }
        let subject = "OTHER1: warning: header Subject: lda(u)<1><a>: msgid=<abc1@example.com>: saved mail to x";
        assert_eq!(fate_of("abc1@example.com", &format!("{smtp}{subject}")), None);
    }

    #[test]
    fn a_line_links_identifiers_only_in_its_own_fields() {
        let is_known = |id: &[u8]| [&b"1@c.example"[..], b"KNOWN1"].contains(&id);
        for (line, id) in [
            ("mx postfix/cleanup[12]: ABC123: message-id=<1@c.example>", Some("ABC123")),
            ("mx postfix/cleanup[12]: ABC123: resent-message-id=<1@c.example>", Some("ABC123")),
            (
                "mx sendmail[7]: ABC123: from=<a@b>, nrcpts=1, msgid=<1@c.example>, proto=ESMTP",
                Some("ABC123"),
            ),
            (
                "mx postfix/smtp[1]: KNOWN1: to=<a@b>, status=sent (250 Ok: queued as NEXT12)",
                Some("NEXT12"),
            ),
            ("1qWert-000123-AB <= a@b H=x P=esmtp S=1 id=1@c.example", Some("1qWert-000123-AB")),
            ("1qWert-000123-AB <= a@b H=x S=1 T=\"x id=1@c.example\"", None),
            ("1qWert-000123-AB <= a@b H=x S=1 id=11@c.example", None),
            ("mx postfix/cleanup[12]: ABC123: message-id=<1@c.example.x>", None),
            ("mx sendmail[7]: ABC123: from=<1@c.example>, msgid=<2@c.example>", None),
            ("mx postfix/smtp[1]: OTHER1: to=<a@b>, status=sent (queued as NEXT12, KNOWN1)", None),
            ("mx postfix/smtp[1]: KNOWN1: to=<a@b>, status=bounced (queued as NEXT12)", None),
        ] {
            assert_eq!(linked(line.as_bytes(), is_known), id.map(str::as_bytes), "{line}");
        }
    }
}
