//! What to try next, for the replies that everybody meets.

use crate::error::Error;

/// A reply that is known: its code, or the status behind a tag, a word of its text (lower case), and the advice.
struct Known {
    code: &'static str,
    text: &'static str,
    advice: &'static str,
}

/// In the order in which they are tried; an empty text fits all replies of the code.
const KNOWN: [Known; 18] = [
    Known {
        code: "554",
        text: "synchronization",
        advice: "the server saw input before it had answered: expect each reply before the next send (smtpd_forbid_unauth_pipelining in Postfix 3.9, smtp_enforce_sync in Exim)",
    },
    Known {
        code: "503",
        text: "pipelin",
        advice: "the server refuses commands that run ahead of its replies: expect each reply before the next send",
    },
    Known {
        code: "421",
        text: "too soon",
        advice: "the server wants its greeting to be awaited: expect(220) before the first send",
    },
    Known { code: "530", text: "starttls", advice: "the server wants TLS before this command (RFC 3207)" },
    Known {
        code: "530",
        text: "",
        advice: "the server wants AUTH before this command, and perhaps TLS before that (RFC 4954, 6)",
    },
    Known { code: "538", text: "", advice: "the server wants TLS before this mechanism (RFC 4954, 6)" },
    Known {
        code: "535",
        text: "",
        advice: "wrong credentials; where the user is name@domain, try the name alone, and the other way round",
    },
    Known { code: "534", text: "", advice: "the server wants a stronger mechanism; see the AUTH line of its EHLO reply" },
    Known {
        code: "454",
        text: "relay",
        advice: "this client may not relay: it is not in mynetworks and has not authenticated (Postfix's deferring form of 554 5.7.1)",
    },
    Known { code: "454", text: "tls", advice: "the server cannot start TLS now: look at its certificate and key" },
    Known { code: "454", text: "auth", advice: "the server's authentication service does not answer: look at its log" },
    Known { code: "450", text: "greylist", advice: "greylisted: the same delivery passes some minutes later" },
    Known {
        code: "no",
        text: "[authenticationfailed]",
        advice: "wrong credentials; where the user is name@domain, try the name alone, and the other way round",
    },
    Known { code: "no", text: "[privacyrequired]", advice: "the server wants TLS before this command (RFC 5530)" },
    Known { code: "no", text: "[trycreate]", advice: "there is no such mailbox: create(...) it first (RFC 3501, 7.1)" },
    Known {
        code: "no",
        text: "[nonexistent]",
        advice: "there is no such mailbox: list(\"\", \"*\") shows those that there are",
    },
    Known { code: "bad", text: "expected done", advice: "an IDLE is under way: done() ends it (RFC 2177)" },
    Known {
        code: "bad",
        text: "",
        advice: "the server does not take this command here: look for a slip in it, or for the login or select(...) that it needs",
    },
];

/// Adds the advice for the reply that came, where it is a known one.
pub(super) fn add(error: Error, reply: &[u8]) -> Error {
    match advice(&String::from_utf8_lossy(reply).to_lowercase()) {
        Some(advice) => error.hint(advice),
        None => error,
    }
}

fn advice(reply: &str) -> Option<&'static str> {
    KNOWN.iter().find(|known| reply.starts_with(known.code) && reply.contains(known.text)).map(|known| known.advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_replies_have_a_hint() {
        for (reply, word) in [
            ("554 5.5.0 Error: SMTP protocol synchronization", "before the next send"),
            ("530 5.7.0 Must issue a STARTTLS command first", "TLS"),
            ("530 5.7.0 Authentication required", "AUTH"),
            ("454 4.7.1 <a@b>: Relay access denied", "mynetworks"),
            ("454 4.7.0 TLS not available due to local problem", "certificate"),
            ("535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6", "name@domain"),
            ("NO [AUTHENTICATIONFAILED] Authentication failed.", "name@domain"),
            ("NO [TRYCREATE] Mailbox doesn't exist", "create("),
            ("BAD Expected DONE", "done()"),
            ("BAD Error in IMAP command", "login"),
        ] {
            assert!(advice(&reply.to_lowercase()).unwrap().contains(word), "{reply}");
        }
        assert_eq!(advice("250 ok"), None);
        assert_eq!(advice("554 5.7.1 no"), None);
    }
}
