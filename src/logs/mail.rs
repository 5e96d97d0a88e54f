//! Reads what the log lines of Postfix, Dovecot, Exim and Sendmail say about a message.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::fate::{Fate, fate, linked};
use crate::error::{Error, Kind, Result};
use crate::visible;

/// The maximum number of identifiers of a message. A message has one in each server that it passes;
/// more cannot all be identifiers of the same message.
const MOST: usize = 64;
/// The minimum length of an identifier. A shorter one is found in too many lines.
const SHORTEST: usize = 4;
/// The most bytes of a reply that an error shows.
const SHOWN: usize = 200;

/// A message, known by its identifiers in a log: its Message-ID and its queue identifiers.
#[derive(Debug)]
pub(crate) struct Subject {
    known: Vec<Vec<u8>>,
}

/// Compiles a pattern. The tests make sure that each pattern is valid.
fn regex(source: &str) -> Option<Regex> {
    Regex::new(source).ok()
}

/// Find the identifier of a message in the reply that accepts it: for Postfix, Exim, and Sendmail.
static QUEUED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let sources = [
        r"queued as ([0-9A-Za-z]+)",
        r"^2\d\d OK id=([0-9A-Za-z-]+)",
        r"([0-9A-Za-z]{8,}) Message accepted for delivery",
    ];
    sources.into_iter().filter_map(regex).collect()
});

impl Subject {
    /// A message with an identifier that a script gives.
    ///
    /// # Errors
    /// Usage for text that cannot be an identifier.
    pub(crate) fn named(text: &str) -> Result<Self> {
        let bare = text.trim().trim_start_matches('<').trim_end_matches('>');
        if bare.len() >= SHORTEST && !bare.contains(char::is_whitespace) {
            return Ok(Self { known: vec![bare.as_bytes().to_vec()] });
        }
        let error = Error::usage("that is no identifier of a message");
        Err(error.hint("give the queue id, the Message-ID, or the reply to the end of the message"))
    }

    /// A message with the identifier in the reply of the server that accepted it.
    ///
    /// # Errors
    /// A mismatch for a reply without an identifier.
    pub(crate) fn queued(reply: &[u8]) -> Result<Self> {
        let mut found = QUEUED.iter().filter_map(|regex| regex.captures(reply));
        let id = found.find_map(|groups| groups.get(1)).map(|id| id.as_bytes().to_vec());
        let id = id.ok_or_else(|| {
            let why = "the reply does not say under which identifier the message is";
            let error = Error::new(Kind::Mismatch, why);
            let error = error.with_expected("a queue id, such as `queued as 4fK2xT5Cz1z9s`");
            let error = error.with_got(visible::excerpt(reply.trim_ascii_end(), SHOWN));
            error.hint("give the Message-ID as text: #{id: \"<1@client.example>\"}")
        })?;
        Ok(Self { known: vec![id] })
    }

    /// Whether a line is about the message.
    pub(crate) fn is_in(&self, line: &[u8]) -> bool {
        self.known.iter().any(|id| has_word(line, id))
    }

    /// Learns other identifiers of the message from a line about it. Returns whether there were new
    /// ones.
    pub(crate) fn learn(&mut self, line: &[u8]) -> bool {
        if self.known.len() >= MOST || !self.is_in(line) {
            return false;
        }
        // A filter passes a message back, which then gets a second queue identifier.
        let Some(id) = linked(line, |id| self.is(id)).filter(|id| !self.is(id)) else {
            return false;
        };
        self.known.push(id.to_vec());
        true
    }

    /// The fate of the message that a line reports.
    pub(crate) fn fate(&self, line: &[u8]) -> Option<Fate> {
        fate(line, |id| self.is(id))
    }

    fn is(&self, id: &[u8]) -> bool {
        self.known.iter().any(|known| known == id)
    }

    /// The identifiers, as errors show them.
    pub(crate) fn shown(&self) -> String {
        let ids = self.known.iter().map(|id| crate::visible::escape(id));
        ids.collect::<Vec<_>>().join(", ")
    }
}

/// Whether an identifier stands in a line and is not part of another one. A Message-ID may have all
/// characters of an atom and dots (RFC 5322 section 3.6.4).
fn has_word(line: &[u8], id: &[u8]) -> bool {
    let is_message_id = id.contains(&b'@');
    let is_part = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || byte >= 0x80
            || b"-_".contains(&byte)
            || (is_message_id && b"!#$%&*+/=?^`{|}~.@".contains(&byte))
            || (!is_message_id && b"@.".contains(&byte))
    };
    memchr::memmem::find_iter(line, id).any(|start| {
        let (before, after) = (&line[..start], &line[start + id.len()..]);
        let is_end = match after {
            // The dot at the end of a sentence.
            [b'.', next, ..] => next.is_ascii_whitespace(),
            [b'.'] | [] => true,
            [next, ..] => !is_part(*next),
        };
        is_end && (before.last().is_none_or(|byte| !is_part(*byte)) || is_field(before))
    })
}

/// Whether a text ends with the name of a field and `=`, as before `id=1@client.example`.
fn is_field(before: &[u8]) -> bool {
    let Some(name) = before.strip_suffix(b"=") else { return false };
    let start =
        name.iter().rposition(|byte| !(byte.is_ascii_alphanumeric() || b"-_".contains(byte)));
    let is_named = start.map_or(!name.is_empty(), |start| start + 1 < name.len());
    is_named && start.is_none_or(|start| b" ,;([".contains(&name[start]))
}

fn has(line: &[u8], text: &str) -> bool {
    memchr::memmem::find(line, text.as_bytes()).is_some()
}

/// Well-known log lines: the texts that they contain, and advice on what to do.
const KNOWN: [(&[&str], &str); 18] = [
    (
        &["status=deferred", "refused"],
        "Postfix could not connect to the next host: see relayhost and transport_maps; postqueue -f tries again",
    ),
    (
        &["status=deferred"],
        "Postfix keeps the message and tries again later: postqueue -p shows it, postqueue -f tries at once",
    ),
    (
        &["status=bounced"],
        "Postfix gave the message back to its sender; the reason is in parentheses (mailexpect explain)",
    ),
    (
        &["milter-reject: "],
        "a milter of Postfix refused it: see smtpd_milters, and the milter's own log",
    ),
    (
        &["NOQUEUE: reject: "],
        "Postfix refused it before the message came: the words after `reject:` name the stage, see smtpd_*_restrictions",
    ),
    (
        &["SASL", "authentication failed"],
        "Postfix could not authenticate the client: wrong credentials, or see smtpd_sasl_type and smtpd_sasl_path",
    ),
    (
        &["SSL_accept error"],
        "Postfix did not agree on TLS with the client: see the lines around it, and smtpd_tls_*",
    ),
    (
        &["postfix/", "fatal: "],
        "a process of Postfix has ended: postfix check finds most mistakes of its configuration",
    ),
    (
        &["dovecot", "auth failed"],
        "Dovecot refused the credentials: doveadm auth test USER, and auth_debug=yes for the reason",
    ),
    (
        &["dovecot", "Permission denied"],
        "Dovecot may not touch a file: the user that it runs as owns another mailbox, see mail_uid",
    ),
    (
        &[" save failed to "],
        "Dovecot could not deliver it: the words after that are why; doveadm quota get and doveadm mailbox list",
    ),
    (&["rejected RCPT"], "Exim refused the recipient: exim -bh ADDRESS shows which ACL does"),
    (
        &["rejected AUTH"],
        "Exim refused to authenticate: see the authenticators and auth_advertise_hosts",
    ),
    (&["authenticator failed"], "Exim refused the credentials: exim -d+auth shows why"),
    (
        &[" == "],
        "Exim keeps the message and tries again later: exim -bp shows it, exim -M ID tries at once",
    ),
    (
        &[" ** "],
        "Exim gave the message back to its sender; the end of the line is why (mailexpect explain)",
    ),
    (
        &["stat=Deferred"],
        "Sendmail keeps the message and tries again later: mailq shows it, sendmail -q tries at once",
    ),
    (
        &["ruleset=", "reject="],
        "Sendmail refused it by the ruleset that the line names: see access_db and relay-domains",
    ),
];

/// Advice on a log line, if it is a well-known one.
pub(crate) fn advice(line: &[u8]) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(texts, _)| texts.iter().all(|text| has(line, text)));
    known.map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTFIX: [&str; 4] = [
        "Nov 29 05:12:31 mx postfix/smtpd[99]: 4dJtW01Zk7z1x: client=localhost[127.0.0.1]",
        "Nov 29 05:12:31 mx postfix/cleanup[12]: 4dJtW01Zk7z1x: message-id=<1@client.example>",
        "Nov 29 05:12:31 mx postfix/smtp[13]: 4dJtW01Zk7z1x: to=<a@b.example>, relay=127.0.0.1[127.0.0.1]:10024, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4dJtW03Qr1z2y)",
        "Nov 29 05:12:32 mx postfix/lmtp[14]: 4dJtW03Qr1z2y: to=<a@b.example>, relay=none, dsn=4.4.1, status=deferred (connect to 127.0.0.1: Connection refused)",
    ];

    /// The numbers of the lines that are about a message.
    fn about(mut subject: Subject, lines: &[&str]) -> Vec<usize> {
        while lines.iter().any(|line| subject.learn(line.as_bytes())) {}
        let places = 0..lines.len();
        places.filter(|place| subject.is_in(lines[*place].as_bytes())).collect()
    }

    #[test]
    fn a_message_is_followed_from_queue_to_queue() {
        let other = "Nov 29 05:12:31 mx postfix/qmgr[1]: 4dJtW01Zk7z1xQ: removed";
        let lines = [&POSTFIX[..], &[other]].concat();
        for id in ["<1@client.example>", "1@client.example", "4dJtW01Zk7z1x"] {
            assert_eq!(about(Subject::named(id).unwrap(), &lines), [0, 1, 2, 3], "{id}");
        }
        assert_eq!(about(Subject::named("11@client.example").unwrap(), &lines), [0; 0]);
        for (reply, id) in [
            ("250 2.0.0 Ok: queued as 4dJtW01Zk7z1x\r\n", "4dJtW01Zk7z1x"),
            ("250 OK id=1vP8Zq-00000004Kmx-1aBc\r\n", "1vP8Zq-00000004Kmx-1aBc"),
            ("250 2.0.0 5AT5CVxY012345 Message accepted for delivery\r\n", "5AT5CVxY012345"),
        ] {
            assert_eq!(Subject::queued(reply.as_bytes()).unwrap().shown(), id);
        }
        let error = Subject::queued(b"250 ok\r\n").unwrap_err();
        assert!(error.is_mismatch(), "the server named no identifier: {error}");
        assert_eq!(error.got(), Some("250 ok"));
        assert!(Subject::named("a b").unwrap_err().is_usage());
        let exim = [
            "2026-11-29 05:12:31 1vP8Zq-00000004Kmx-1aBc <= a@b.example H=(x) [127.0.0.1] P=esmtp S=400 id=2@client.example",
            "2026-11-29 05:12:31 1vP8Zq-00000004Kmx-1aBc => carol <carol@x.example> R=local T=maildir",
            "2026-11-29 05:12:31 1vP8Zq-00000004Kmx-1aBc Completed",
        ];
        assert_eq!(about(Subject::named("2@client.example").unwrap(), &exim), [0, 1, 2]);
        let sendmail = [
            "Nov 29 05:12:31 mx sendmail[7]: 5AT5CVxY012345: from=<a@b.example>, size=9, class=0, nrcpts=1, msgid=<3@client.example>, proto=ESMTP",
            "Nov 29 05:12:31 mx sendmail[8]: 5AT5CVxY012345: to=<carol@x.example>, dsn=2.0.0, stat=Sent",
        ];
        assert_eq!(about(Subject::named("3@client.example").unwrap(), &sendmail), [0, 1]);
    }

    #[test]
    fn an_identifier_is_found_whole() {
        for (line, id, is_there) in [
            ("msgid=<abc1@example.com>: x", "abc1@example.com", true),
            ("<= a@b id=abc1@example.com", "abc1@example.com", true),
            ("queued as 4dJtW01.", "4dJtW01", true),
            ("open deferred/4/4dJtW01: no", "4dJtW01", true),
            ("id=4dJtW01, x", "4dJtW01", true),
            ("<abc1@example.com.evil>", "abc1@example.com", false),
            ("<x.abc1@example.com>", "abc1@example.com", false),
            ("<x=abc1@example.com>", "abc1@example.com", false),
            ("<x+abc1@example.com>", "abc1@example.com", false),
            ("id=x=abc1@example.com", "abc1@example.com", false),
            ("<2026.4dJtW01@mx>", "4dJtW01", false),
            ("4dJtW01Q: removed", "4dJtW01", false),
        ] {
            assert_eq!(has_word(line.as_bytes(), id.as_bytes()), is_there, "{line}");
        }
    }

    #[test]
    fn known_lines_have_advice_and_the_patterns_are_right() {
        assert_eq!(QUEUED.len(), 3);
        assert!(advice(POSTFIX[3].as_bytes()).unwrap().contains("transport_maps"));
        assert!(
            advice(b"postfix/smtpd[1]: NOQUEUE: reject: RCPT from x")
                .unwrap()
                .contains("restrictions")
        );
        assert!(advice(b"dovecot: imap-login: Disconnected (auth failed, 1 attempts)").is_some());
        assert_eq!(advice(POSTFIX[0].as_bytes()), None);
    }
}
