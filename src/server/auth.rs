//! SASL: PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195) and SCRAM-SHA-256 (RFC 7677), in the base64
//! encoding of SMTP, IMAP, POP3 and `ManageSieve`.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::accounts::Accounts;
use crate::sasl::{self, Move};

pub(super) const USER: &str = "hoge@example.com";
pub(super) const PASSWORD: &str = "pppwww";

/// The mechanisms, as EHLO lists them.
pub(super) const MECHANISMS: &str = "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256";

/// An exchange that waits for the client's next response.
#[derive(Debug)]
pub(super) struct Exchange(sasl::Exchange);

/// The state of an exchange after a response.
#[derive(Debug)]
pub(super) enum Step {
    /// The client is asked for one more response; the challenge is in base64.
    Ask(Exchange, String),
    /// The client has authenticated as this user.
    Granted(String),
    /// The exchange has failed.
    Refused(Refusal),
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The user or the password is wrong.
    Invalid,
    /// The response does not have the format of the mechanism.
    Malformed,
    Cancelled,
    /// The server does not have the mechanism.
    Unknown,
    /// The system gives no random numbers.
    Unavailable,
}

/// Begins an exchange. The initial response is in base64, or `=` if it is empty (RFC 4954 section
/// 4).
pub(super) fn begin(accounts: &Accounts, mechanism: &str, initial: Option<&[u8]>) -> Step {
    if !MECHANISMS.split(' ').any(|known| known.eq_ignore_ascii_case(mechanism)) {
        return Step::Refused(Refusal::Unknown);
    }
    let exchange = match sasl::Exchange::begin(mechanism, accounts.judge()) {
        Ok(Some(exchange)) => Exchange(exchange),
        Ok(None) => return Step::Refused(Refusal::Unknown),
        Err(_) => return Step::Refused(Refusal::Unavailable),
    };
    match initial {
        None => {
            let challenge = exchange.0.open();
            exchange.ask(&challenge)
        }
        Some(b"=") => exchange.take(|exchange| exchange.respond_at_once(b"")),
        Some(response) => match BASE64_STANDARD.decode(response) {
            Ok(response) => exchange.take(|exchange| exchange.respond_at_once(&response)),
            Err(_) => exchange.respond(response),
        },
    }
}

impl Exchange {
    /// Continues with the client's response: base64, or `*` to cancel.
    pub(super) fn respond(self, line: &[u8]) -> Step {
        if line == b"*" {
            return Step::Refused(Refusal::Cancelled);
        }
        match BASE64_STANDARD.decode(line) {
            Ok(response) => self.take(|exchange| exchange.respond(&response)),
            Err(_) => Step::Refused(Refusal::Malformed),
        }
    }

    fn ask(self, challenge: &[u8]) -> Step {
        Step::Ask(self, BASE64_STANDARD.encode(challenge))
    }

    fn take(mut self, respond: impl FnOnce(&mut sasl::Exchange) -> Move) -> Step {
        match respond(&mut self.0) {
            Move::Challenge(challenge) => self.ask(&challenge),
            Move::Verdict { user, granted: true } => Step::Granted(user),
            Move::Verdict { .. } => Step::Refused(Refusal::Invalid),
            Move::Malformed(_) => Step::Refused(Refusal::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts::new([(USER.to_owned(), PASSWORD.to_owned())])
    }

    /// The end of an exchange that begins with this argument: the last challenge, or the verdict.
    fn outcome(argument: &str, responses: &[&str]) -> String {
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let initial = (!initial.is_empty()).then_some(initial.as_bytes());
        let mut step = begin(&accounts(), mechanism, initial);
        for response in responses {
            step = match step {
                Step::Ask(exchange, _) => exchange.respond(response.as_bytes()),
                done => done,
            };
        }
        told(step)
    }

    fn told(step: Step) -> String {
        match step {
            Step::Ask(_, challenge) => format!("334 {challenge}"),
            Step::Granted(user) => format!("granted to {user}"),
            Step::Refused(refusal) => format!("{refusal:?}"),
        }
    }

    fn encoded(text: &str) -> String {
        BASE64_STANDARD.encode(text)
    }

    const GRANTED: &str = "granted to hoge@example.com";
    const INVALID: &str = "Invalid";
    const MALFORMED: &str = "Malformed";

    #[test]
    fn plain_takes_its_response_at_once_or_when_asked() {
        let response = encoded(&format!("\0{USER}\0{PASSWORD}"));
        assert_eq!(outcome(&format!("PLAIN {response}"), &[]), GRANTED);
        assert_eq!(outcome("plain", &[]), "334 ");
        assert_eq!(outcome("plain", &[&response]), GRANTED);
    }

    #[test]
    fn plain_takes_no_identity_but_the_users_own() {
        assert_eq!(outcome("PLAIN", &[&encoded(&format!("{USER}\0{USER}\0{PASSWORD}"))]), GRANTED);
        assert_eq!(outcome("PLAIN", &[&encoded(&format!("root\0{USER}\0{PASSWORD}"))]), INVALID);
    }

    #[test]
    fn login_asks_for_the_user_and_the_password() {
        let (user, password) = (encoded(USER), encoded(PASSWORD));
        assert_eq!(outcome("LOGIN", &[]), "334 VXNlcm5hbWU6");
        assert_eq!(outcome("LOGIN", &[&user]), "334 UGFzc3dvcmQ6");
        assert_eq!(outcome("LOGIN", &[&user, &password]), GRANTED);
        assert_eq!(outcome(&format!("login {user}"), &[&password]), GRANTED);
    }

    #[test]
    fn wrong_credentials_are_refused() {
        assert_eq!(outcome("LOGIN", &[&encoded(USER), &encoded("wrong")]), INVALID);
        assert_eq!(outcome("LOGIN", &[&encoded("other"), &encoded(PASSWORD)]), INVALID);
        assert_eq!(outcome("LOGIN =", &[""]), INVALID);
        assert_eq!(outcome("PLAIN", &[&encoded("\0u\0p")]), INVALID);
    }

    #[test]
    fn a_response_that_is_no_base64_is_a_syntax_error() {
        for response in [
            "!",
            "abc",
            "=",
            "aG9n ZQ==",
            &encoded("two\0parts"),
            &encoded("a\0b\0c\0d"),
            &encoded("\0\0"),
            "",
        ] {
            assert_eq!(outcome("PLAIN", &[response]), MALFORMED, "{response}");
        }
        assert_eq!(outcome("PLAIN =", &[]), MALFORMED);
        assert_eq!(outcome("LOGIN", &["!"]), MALFORMED);
        assert_eq!(outcome("LOGIN", &[&encoded(USER), "!"]), MALFORMED);
    }

    /// The verdict on the responses of our own client.
    fn verdict_on(mechanism: &str, user: &str, password: &str) -> String {
        let credentials = sasl::Credentials::new(user, password);
        let service = sasl::Service { name: "smtp", host: "localhost".into(), port: None };
        let mut client =
            sasl::Known::named(mechanism).unwrap().begin(&credentials, &service).unwrap();
        let mut step = begin(&accounts(), mechanism, None);
        while let Step::Ask(exchange, challenge) = step {
            let challenge = BASE64_STANDARD.decode(challenge).unwrap();
            let response = BASE64_STANDARD.encode(client.respond(&challenge).unwrap());
            step = exchange.respond(response.as_bytes());
        }
        assert_eq!(
            matches!(step, Step::Granted(..)),
            client.is_done() && password == PASSWORD && user == USER
        );
        told(step)
    }

    #[test]
    fn the_password_can_be_proved_without_being_said() {
        for mechanism in MECHANISMS.split(' ') {
            assert_eq!(verdict_on(mechanism, USER, PASSWORD), GRANTED, "{mechanism}");
            assert_eq!(verdict_on(mechanism, USER, "wrong"), INVALID, "{mechanism}");
            assert_eq!(verdict_on(mechanism, "other", PASSWORD), INVALID, "{mechanism}");
        }
    }

    #[test]
    fn messages_of_scram_that_are_none_are_syntax_errors() {
        let first = encoded("n,,n=hoge@example.com,r=x");
        for message in ["", "p=tls-unique,,n=u,r=x", "n,,r=x", "n,,n=u"] {
            assert_eq!(outcome("SCRAM-SHA-256", &[&encoded(message)]), MALFORMED, "{message}");
        }
        let for_another = encoded("n,a=root,n=u,r=x");
        assert_eq!(outcome("SCRAM-SHA-256", &[&for_another]), INVALID);
        for message in ["", "c=biws,r=x,p=AAAA", "c=biws", "e=what"] {
            assert_eq!(
                outcome("SCRAM-SHA-256", &[&first, &encoded(message)]),
                MALFORMED,
                "{message}"
            );
        }
    }

    #[test]
    fn an_asterisk_cancels() {
        assert_eq!(outcome("PLAIN", &["*"]), "Cancelled");
        assert_eq!(outcome("LOGIN", &[&encoded(USER), "*"]), "Cancelled");
    }

    #[test]
    fn a_mechanism_that_is_not_listed_is_not_known() {
        assert_eq!(outcome("DIGEST-MD5", &[]), "Unknown");
        assert_eq!(outcome("", &[]), "Unknown");
    }
}
