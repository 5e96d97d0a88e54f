//! AUTH (RFC 4954) with PLAIN (RFC 4616) and LOGIN, for the one user there is.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::answer::Answer;

pub(super) const USER: &str = "hoge@example.com";
pub(super) const PASSWORD: &str = "pppwww";

/// `Username:` and `Password:`, as all LOGIN servers ask.
const ASK_USER: &str = "VXNlcm5hbWU6";
const ASK_PASSWORD: &str = "UGFzc3dvcmQ6";

/// An exchange that waits for the client's next response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    Plain,
    LoginUser,
    LoginPassword { user: Vec<u8> },
}

/// Where an exchange stands after what the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The client is asked for one more response.
    Ask(Exchange, Answer),
    /// The client is who it says; the name and the answer.
    Granted(String, Answer),
    /// It is over.
    Refused(Answer),
}

/// Begins an exchange from what stands behind AUTH: a mechanism and perhaps an initial response, `=` for an empty one
/// (RFC 4954 section 4).
pub(super) fn begin(argument: &str) -> Step {
    let mut words = argument.split(' ').filter(|word| !word.is_empty());
    let (mechanism, initial) = (words.next().unwrap_or_default(), words.next());
    if mechanism.is_empty() || words.next().is_some() {
        return Step::Refused(Answer::new(501, "5.5.4 Syntax: AUTH mechanism [initial-response]"));
    }
    let exchange = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => Exchange::Plain,
        "LOGIN" => Exchange::LoginUser,
        _ => return Step::Refused(Answer::new(504, "5.5.4 Unrecognized authentication mechanism")),
    };
    match initial {
        None => exchange.ask(),
        Some("=") => exchange.accept(Vec::new()),
        Some(response) => exchange.respond(response.as_bytes()),
    }
}

impl Exchange {
    /// Goes on with the client's response: base64, or `*` to cancel.
    pub(super) fn respond(self, line: &[u8]) -> Step {
        if line == b"*" {
            return Step::Refused(Answer::new(501, "5.7.0 Authentication cancelled"));
        }
        match BASE64_STANDARD.decode(line) {
            Ok(response) => self.accept(response),
            Err(_) => malformed(),
        }
    }

    fn ask(self) -> Step {
        let challenge = match self {
            Self::Plain => "",
            Self::LoginUser => ASK_USER,
            Self::LoginPassword { .. } => ASK_PASSWORD,
        };
        Step::Ask(self, Answer::new(334, challenge))
    }

    fn accept(self, response: Vec<u8>) -> Step {
        match self {
            Self::Plain => plain(&response),
            Self::LoginUser => Self::LoginPassword { user: response }.ask(),
            Self::LoginPassword { user } => decide(&user, &response),
        }
    }
}

/// PLAIN's message: authorization identity, NUL, user, NUL, password. Nobody may act for another, so the identity is empty
/// or the user's own.
fn plain(message: &[u8]) -> Step {
    let parts: Vec<_> = message.split(|byte| *byte == 0).collect();
    match parts[..] {
        [identity, user, password] if identity.is_empty() || identity == user => decide(user, password),
        [_, _, _] => invalid(),
        _ => malformed(),
    }
}

fn decide(user: &[u8], password: &[u8]) -> Step {
    if user == USER.as_bytes() && password == PASSWORD.as_bytes() {
        return Step::Granted(USER.to_owned(), Answer::new(235, "2.7.0 Authentication successful"));
    }
    invalid()
}

fn invalid() -> Step {
    Step::Refused(Answer::new(535, "5.7.8 Authentication credentials invalid"))
}

fn malformed() -> Step {
    Step::Refused(Answer::new(501, "5.5.2 Cannot decode the response"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last reply of an exchange, without its line end.
    fn outcome(argument: &str, responses: &[&str]) -> String {
        let mut step = begin(argument);
        for response in responses {
            step = match step {
                Step::Ask(exchange, _) => exchange.respond(response.as_bytes()),
                done => done,
            };
        }
        let (Step::Ask(_, answer) | Step::Granted(_, answer) | Step::Refused(answer)) = step;
        answer.wire().trim_end_matches("\r\n").to_owned()
    }

    fn encoded(text: &str) -> String {
        BASE64_STANDARD.encode(text)
    }

    const GRANTED: &str = "235 2.7.0 Authentication successful";
    const INVALID: &str = "535 5.7.8 Authentication credentials invalid";
    const MALFORMED: &str = "501 5.5.2 Cannot decode the response";

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
        assert_eq!(outcome("PLAIN", &[&encoded("\0\0")]), INVALID);
    }

    #[test]
    fn what_cannot_be_decoded_is_a_syntax_error() {
        for response in ["!", "abc", "=", "aG9n ZQ==", &encoded("two\0parts"), &encoded("a\0b\0c\0d"), ""] {
            assert_eq!(outcome("PLAIN", &[response]), MALFORMED, "{response}");
        }
        assert_eq!(outcome("PLAIN =", &[]), MALFORMED);
        assert_eq!(outcome("LOGIN", &["!"]), MALFORMED);
        assert_eq!(outcome("LOGIN", &[&encoded(USER), "!"]), MALFORMED);
    }

    #[test]
    fn an_asterisk_cancels() {
        assert_eq!(outcome("PLAIN", &["*"]), "501 5.7.0 Authentication cancelled");
        assert_eq!(outcome("LOGIN", &[&encoded(USER), "*"]), "501 5.7.0 Authentication cancelled");
    }

    #[test]
    fn only_plain_and_login_are_known() {
        assert_eq!(outcome("CRAM-MD5", &[]), "504 5.5.4 Unrecognized authentication mechanism");
        assert_eq!(outcome("", &[]), "501 5.5.4 Syntax: AUTH mechanism [initial-response]");
        assert_eq!(outcome("PLAIN a b", &[]), "501 5.5.4 Syntax: AUTH mechanism [initial-response]");
    }
}
