//! Hints on what to try next, for common replies of servers.
//!
//! # How to add a hint
//!
//! If the reply alone tells what to try, add a line to `ADVICE` in the facts of its protocol
//! (`proto/*/facts.rs`), before lines that fit the same reply. If the pattern or the line that was
//! sent tells it, add the hint to `slip.rs`; if an earlier reply tells it, to `near.rs`.

use crate::error::Error;
use crate::proto::{Advice, Speech, WRONG_CREDENTIALS, smtp};
use crate::transport::Proxy;

/// Codes that concern credentials and mechanisms if they answer AUTH (RFC 4954 section 6). After
/// other commands they may mean anything.
const OF_AUTH: [&str; 3] = ["534", "535", "538"];

/// The advice that is known for a protocol. For a plain stream, that of several protocols.
fn known(speech: Speech) -> impl Iterator<Item = &'static Advice> {
    // The protocol of a plain stream is unknown. Replies of SMTP and POP3 cannot be mistaken for
    // each other, so both are looked up.
    let speeches: &[Speech] = match speech {
        Speech::Stream => &[Speech::Smtp, Speech::Pop3],
        _ => &[speech],
    };
    let all: Vec<_> = speeches.iter().map(|speech| speech.facts().advice).collect();
    all.into_iter().flatten()
}

/// The hint for a dialogue that began with a PROXY header and failed before its first command was
/// answered: a server that expects no header takes it for a command, or closes.
pub(super) fn proxy_refused(proxy: Proxy) -> String {
    format!(
        "the connection began with a header, {proxy}, that the server may have refused: leave `proxy` out, or have \
         the server expect one from this client (postscreen_upstream_proxy_protocol or smtpd_upstream_proxy_protocol \
         in Postfix, haproxy = yes and haproxy_trusted_networks in Dovecot, hosts_proxy in Exim)"
    )
}

/// The hint if the script sent a PROXY header as a command.
pub(super) const PROXY_BY_HAND: &str = "a server that expects no PROXY header takes it for a command; one that does wants it before anything else: \
     connect(url, #{proxy: 1}) sends it";

/// Whether a line is a PROXY header of version 1.
pub(super) fn is_proxy_header(line: &[u8]) -> bool {
    [&b"PROXY TCP4 "[..], b"PROXY TCP6 ", b"PROXY UNKNOWN"]
        .iter()
        .any(|begin| line.starts_with(begin))
}

/// Adds the advice for the reply that came, if there is any.
pub(super) fn add(speech: Speech, error: Error, reply: &[u8]) -> Error {
    let advice = advice(speech, &String::from_utf8_lossy(reply).to_lowercase(), error.sent());
    match advice {
        Some(advice) => error.hint(advice),
        None => error,
    }
}

fn advice(speech: Speech, reply: &str, answered: Option<&str>) -> Option<&'static str> {
    let fits = |known: &&Advice| reply.starts_with(known.code) && reply.contains(known.text);
    let is_about =
        |known: &&Advice| !OF_AUTH.contains(&known.code) || answered.is_some_and(is_of_auth);
    let advice = known(speech).filter(is_about).find(fits).map(|known| known.says)?;
    let nothing_sent = advice == WRONG_CREDENTIALS && answered.is_some_and(is_bare_auth);
    Some(if nothing_sent { NO_CREDENTIALS } else { advice })
}

/// The advice if the command that begins an exchange is refused before any credentials were sent.
const NO_CREDENTIALS: &str = "no credentials were sent: the server refused the command that begins the exchange; it may require the first response with it, as in auth(..., #{initial: true}), or TLS, or another mechanism";

/// Whether a line begins an exchange without an initial response: `AUTH PLAIN`, or AUTHENTICATE
/// with or without a tag.
fn is_bare_auth(line: &str) -> bool {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let is_command =
        |word: &str| word.eq_ignore_ascii_case("AUTH") || word.eq_ignore_ascii_case("AUTHENTICATE");
    matches!(words[..], [command, _] | [_, command, _] if is_command(command))
}

/// Whether a line that was sent is AUTH or a response in its exchange. A response is one word that
/// is no command; a lone dot ends a message and is no response either.
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
    fn all_advice_is_given_for_the_reply_that_it_is_about() {
        let mut count = 0;
        for speech in Speech::ALL {
            for known in speech.facts().advice {
                let reply = format!("{} {}", known.code, known.text);
                assert_eq!(reply, reply.to_lowercase(), "replies are compared in lower case");
                let given = advice(speech, &reply, Some("AUTH PLAIN [SECRET]"));
                assert_eq!(given, Some(known.says), "{speech}: {reply}");
                count += 1;
            }
        }
        assert!(count > 35, "only {count} replies have advice");
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
