//! What to try next, for the replies that everybody meets.

use crate::error::Error;
use crate::proto::{Speech, smtp};
use crate::transport::Proxy;

/// A reply that is known: its code, or its status without a tag, a word of its text (both lower
/// case), and the advice.
struct Known {
    code: &'static str,
    text: &'static str,
    advice: &'static str,
}

/// In the order in which they are tried; an empty text fits all replies of the code.
const SMTP: [Known; 12] = [
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
    Known {
        code: "530",
        text: "starttls",
        advice: "the server wants TLS before this command: starttls() (RFC 3207)",
    },
    Known {
        code: "530",
        text: "",
        advice: "the server wants AUTH before this command, and perhaps TLS before that (RFC 4954, 6)",
    },
    Known {
        code: "538",
        text: "",
        advice: "the server wants TLS before this mechanism (RFC 4954, 6)",
    },
    Known {
        code: "535",
        text: "",
        advice: "wrong credentials; where the user is name@domain, try the name alone, and the other way round",
    },
    Known {
        code: "534",
        text: "",
        advice: "the server wants a stronger mechanism; see the AUTH line of its EHLO reply",
    },
    Known {
        code: "454",
        text: "relay",
        advice: "this client may not relay: it is not in mynetworks and has not authenticated (Postfix's deferring form of 554 5.7.1)",
    },
    Known {
        code: "454",
        text: "tls",
        advice: "the server cannot start TLS now: look at its certificate and key",
    },
    Known {
        code: "454",
        text: "auth",
        advice: "the server's authentication service does not answer: look at its log",
    },
    Known {
        code: "450",
        text: "greylist",
        advice: "greylisted: the same delivery passes some minutes later",
    },
];

/// RFC 3501, RFC 5530.
const IMAP: [Known; 6] = [
    Known {
        code: "no",
        text: "[authenticationfailed]",
        advice: "wrong credentials; where the user is name@domain, try the name alone, and the other way round",
    },
    Known {
        code: "no",
        text: "[privacyrequired]",
        advice: "the server wants TLS before this command (RFC 5530)",
    },
    Known {
        code: "no",
        text: "[trycreate]",
        advice: "there is no such mailbox: create(...) it first (RFC 3501, 7.1)",
    },
    Known {
        code: "no",
        text: "[nonexistent]",
        advice: "there is no such mailbox: list(\"\", \"*\") shows those that there are",
    },
    Known {
        code: "bad",
        text: "expected done",
        advice: "an IDLE is under way: done() ends it (RFC 2177)",
    },
    Known {
        code: "bad",
        text: "",
        advice: "the server does not take this command here: look for a slip in it, or for the login or select(...) that it needs",
    },
];

/// RFC 2449 section 8.1, RFC 3206.
const POP3: [Known; 7] = [
    Known {
        code: "-err",
        text: "[in-use]",
        advice: "another session holds the maildrop: let it say QUIT, or wait until the server has given it up",
    },
    Known {
        code: "-err",
        text: "[login-delay]",
        advice: "this user logged in too short a while ago: CAPA says how long to wait",
    },
    Known {
        code: "-err",
        text: "[auth]",
        advice: "wrong credentials; where the user is name@domain, try the name alone, and the other way round",
    },
    Known {
        code: "-err",
        text: "[sys/temp]",
        advice: "the server has a passing trouble of its own: the same may work later",
    },
    Known {
        code: "-err",
        text: "[sys/perm]",
        advice: "the server has a lasting trouble of its own: look at its log",
    },
    Known {
        code: "-err",
        text: "disallowed on non-secure",
        advice: "the server wants TLS before a password: stls(), or the pop3s port (RFC 2595)",
    },
    Known {
        code: "-err",
        text: "unknown command",
        advice: "the server may know it in another state: before the login there are few commands (RFC 1939, 4)",
    },
];

/// RFC 5804 section 1.3.
const SIEVE: [Known; 10] = [
    Known {
        code: "no",
        text: "(quota/maxsize)",
        advice: "the script is larger than this server takes; havespace(name, size) asks before",
    },
    Known {
        code: "no",
        text: "(quota/maxscripts)",
        advice: "the user has as many scripts as may be: deletescript(name) makes room",
    },
    Known {
        code: "no",
        text: "(quota",
        advice: "the user's scripts take all the room there is: deletescript(name) makes some",
    },
    Known {
        code: "no",
        text: "(nonexistent)",
        advice: "there is no script of that name: listscripts() says which there are",
    },
    Known {
        code: "no",
        text: "(alreadyexists)",
        advice: "there is a script of that name: renamescript never replaces one",
    },
    Known {
        code: "no",
        text: "(active)",
        advice: "the active script cannot be deleted: setactive(\"\") comes first",
    },
    Known {
        code: "no",
        text: "(encrypt-needed)",
        advice: "the server wants TLS before this mechanism: STARTTLS comes first",
    },
    Known {
        code: "no",
        text: "(auth-too-weak)",
        advice: "the server wants a stronger mechanism: see SASL among its capabilities",
    },
    Known {
        code: "no",
        text: "(trylater)",
        advice: "the server has a passing trouble of its own: the same may work later",
    },
    Known {
        code: "no",
        text: "authentication failed",
        advice: "wrong credentials; where the user is name@domain, try the name alone, and the other way round",
    },
];

/// The codes that are about credentials and mechanisms where they answer AUTH; elsewhere they are
/// whatever the server means (RFC 4954 section 6).
const OF_AUTH: [&str; 3] = ["534", "535", "538"];

/// Those of a protocol; a stream may be in any.
fn known(speech: Speech) -> impl Iterator<Item = &'static Known> {
    let tables: &[&[Known]] = match speech {
        Speech::Smtp | Speech::Lmtp => &[&SMTP],
        Speech::Pop3 => &[&POP3],
        Speech::Sieve => &[&SIEVE],
        Speech::Imap => &[&IMAP],
        Speech::Stream => &[&SMTP, &POP3],
    };
    tables.iter().copied().flatten()
}

/// What to try if a dialogue fails before its first command was answered, on a connection that began
/// with a PROXY header: a server that expects none takes it for a command, or closes.
pub(super) fn proxy_refused(proxy: Proxy) -> String {
    format!(
        "the connection began with a header, {proxy}, that the server may have refused: leave `proxy` out, or have \
         the server expect one from this client (postscreen_upstream_proxy_protocol or smtpd_upstream_proxy_protocol \
         in Postfix, haproxy = yes and haproxy_trusted_networks in Dovecot, hosts_proxy in Exim)"
    )
}

/// Adds the advice for the reply that came, where it is a known one.
pub(super) fn add(speech: Speech, error: Error, reply: &[u8]) -> Error {
    let advice = advice(speech, &String::from_utf8_lossy(reply).to_lowercase(), error.sent());
    match advice {
        Some(advice) => error.hint(advice),
        None => error,
    }
}

fn advice(speech: Speech, reply: &str, answered: Option<&str>) -> Option<&'static str> {
    let fits = |known: &&Known| reply.starts_with(known.code) && reply.contains(known.text);
    let is_about =
        |known: &&Known| !OF_AUTH.contains(&known.code) || answered.is_some_and(is_of_auth);
    let advice = known(speech).filter(is_about).find(fits).map(|known| known.advice)?;
    let nothing_sent =
        advice.starts_with("wrong credentials") && answered.is_some_and(is_bare_auth);
    Some(if nothing_sent { NO_CREDENTIALS } else { advice })
}

/// The advice if the command that begins an exchange is refused before anything was proved.
const NO_CREDENTIALS: &str = "no credentials were sent: the server refused the command that begins the exchange; it may want the first response with it, as in auth(..., #{initial: true}), or TLS, or another mechanism";

/// Whether a line begins an exchange without a response: `AUTH PLAIN`, or AUTHENTICATE after a tag
/// or without one.
fn is_bare_auth(line: &str) -> bool {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let is_command =
        |word: &str| word.eq_ignore_ascii_case("AUTH") || word.eq_ignore_ascii_case("AUTHENTICATE");
    matches!(words[..], [command, _] | [_, command, _] if is_command(command))
}

/// Whether a line that was sent is AUTH, or a response in its exchange, which is one word and no
/// command. A message ends with a dot.
fn is_of_auth(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    first.eq_ignore_ascii_case("AUTH")
        || (words.next().is_none() && first != "." && !smtp::is_verb(line.as_bytes()))
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
        ] {
            assert!(
                advice(Speech::Smtp, &reply.to_lowercase(), Some("AUTH PLAIN [SECRET]"))
                    .unwrap()
                    .contains(word),
                "{reply}"
            );
        }
        for (reply, word) in [
            ("NO [AUTHENTICATIONFAILED] Authentication failed.", "name@domain"),
            ("NO [TRYCREATE] Mailbox doesn't exist", "create("),
            ("BAD Expected DONE", "done()"),
            ("BAD Error in IMAP command", "login"),
        ] {
            assert!(
                advice(Speech::Imap, &reply.to_lowercase(), None).unwrap().contains(word),
                "{reply}"
            );
        }
        assert_eq!(advice(Speech::Smtp, "250 ok", None), None);
        assert_eq!(advice(Speech::Smtp, "554 5.7.1 no", None), None);
    }

    #[test]
    fn wrong_credentials_are_a_hint_only_where_some_were_given() {
        let hint = |answered| advice(Speech::Smtp, "535 5.7.8 authentication required", answered);
        for answered in ["AUTH PLAIN", "auth login"] {
            assert!(hint(Some(answered)).is_some_and(|hint| hint.starts_with("no credentials")));
        }
        let refused =
            advice(Speech::Imap, "no [authenticationfailed]", Some("a1 AUTHENTICATE PLAIN"));
        assert!(refused.is_some_and(|hint| hint.starts_with("no credentials")));
        for answered in ["AUTH PLAIN [SECRET]", "[SECRET]", "aG9nZQ==", "*", ""] {
            assert!(hint(Some(answered)).is_some(), "{answered}");
        }
        for answered in ["MAIL FROM:<hoge@example.com>", "data", "NOOP", "XFOO bar", "."] {
            assert_eq!(hint(Some(answered)), None, "{answered}");
        }
        assert_eq!(hint(None), None, "a greeting");
    }

    #[test]
    fn each_protocol_has_hints_of_its_own() {
        let in_use = "-err [in-use] do you have another session running?";
        assert!(advice(Speech::Pop3, in_use, None).unwrap().contains("QUIT"));
        assert!(advice(Speech::Stream, in_use, None).is_some());
        assert_eq!(advice(Speech::Smtp, in_use, None), None);
        assert_eq!(advice(Speech::Pop3, "-err no such message", None), None);
        assert!(
            advice(Speech::Sieve, "no (quota/maxsize) \"too large\"", None)
                .unwrap()
                .contains("havespace")
        );
        assert!(
            advice(Speech::Sieve, "no (quota) \"full\"", None).unwrap().contains("deletescript")
        );
    }
}
