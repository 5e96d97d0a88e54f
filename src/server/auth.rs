//! SASL: PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195) and SCRAM-SHA-256 (RFC 7677), in base64 as all
//! mail protocols carry it.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::accounts::Accounts;
use crate::sasl::{self, Hash, Proofs};

pub(super) const USER: &str = "hoge@example.com";
pub(super) const PASSWORD: &str = "pppwww";

/// The mechanisms, as EHLO lists them.
pub(super) const MECHANISMS: &str = "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256";

/// Of SCRAM's passwords; a server with more than one user would have one for each.
const SALT: &[u8] = b"sea salt";
const ROUNDS: u32 = 4096;

/// `Username:` and `Password:`, as all LOGIN servers ask.
const ASK_USER: &str = "VXNlcm5hbWU6";
const ASK_PASSWORD: &str = "UGFzc3dvcmQ6";

/// An exchange that waits for the client's next response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    Plain,
    LoginUser,
    LoginPassword {
        user: Vec<u8>,
    },
    CramMd5 {
        challenge: String,
    },
    ScramFirst,
    /// What was said, without the header, and the nonce of both.
    ScramLast {
        said: String,
        nonce: String,
    },
    /// The server has proved itself, and waits for an empty response.
    ScramEnd {
        user: String,
    },
}

/// Where an exchange stands after what the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The client is asked for one more response, by this challenge in base64.
    Ask(Exchange, String),
    /// The client is this user.
    Granted(String),
    /// It is over.
    Refused(Refusal),
}

/// Why an exchange is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The user or the password is wrong.
    Invalid,
    /// The response is not what the mechanism has.
    Malformed,
    Cancelled,
    /// There is no such mechanism.
    Unknown,
    /// The system gives no random numbers.
    Unavailable,
}

/// Begins an exchange; the initial response is in base64, `=` for an empty one (RFC 4954 section 4).
pub(super) fn begin(accounts: &Accounts, mechanism: &str, initial: Option<&[u8]>) -> Step {
    let exchange = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => Exchange::Plain,
        "LOGIN" => Exchange::LoginUser,
        "CRAM-MD5" => match sasl::random_nonce() {
            Ok(nonce) => Exchange::CramMd5 { challenge: format!("<{nonce}@localhost>") },
            Err(_) => return Step::Refused(Refusal::Unavailable),
        },
        "SCRAM-SHA-256" => Exchange::ScramFirst,
        _ => return Step::Refused(Refusal::Unknown),
    };
    match initial {
        None => exchange.ask(),
        Some(b"=") => exchange.accept(accounts, Vec::new()),
        Some(response) => exchange.respond(accounts, response),
    }
}

impl Exchange {
    /// Goes on with the client's response: base64, or `*` to cancel.
    pub(super) fn respond(self, accounts: &Accounts, line: &[u8]) -> Step {
        if line == b"*" {
            return Step::Refused(Refusal::Cancelled);
        }
        match BASE64_STANDARD.decode(line) {
            Ok(response) => self.accept(accounts, response),
            Err(_) => malformed(),
        }
    }

    fn ask(self) -> Step {
        let challenge = match &self {
            Self::LoginUser => ASK_USER.to_owned(),
            Self::LoginPassword { .. } => ASK_PASSWORD.to_owned(),
            Self::CramMd5 { challenge } => BASE64_STANDARD.encode(challenge),
            Self::Plain | Self::ScramFirst | Self::ScramLast { .. } | Self::ScramEnd { .. } => {
                String::new()
            }
        };
        Step::Ask(self, challenge)
    }

    /// Goes on with a challenge made of what was said so far.
    fn challenge(self, challenge: &str) -> Step {
        Step::Ask(self, BASE64_STANDARD.encode(challenge))
    }

    fn accept(self, accounts: &Accounts, response: Vec<u8>) -> Step {
        match self {
            Self::Plain => plain(accounts, &response),
            Self::LoginUser => Self::LoginPassword { user: response }.ask(),
            Self::LoginPassword { user } => decide(accounts, &user, &response),
            Self::CramMd5 { challenge } => cram_md5(accounts, &challenge, &response),
            Self::ScramFirst => {
                scram_first(&String::from_utf8_lossy(&response)).unwrap_or_else(malformed)
            }
            Self::ScramLast { said, nonce } => {
                scram_last(accounts, &said, &nonce, &String::from_utf8_lossy(&response))
            }
            Self::ScramEnd { user } if response.is_empty() => Step::Granted(user),
            Self::ScramEnd { .. } => invalid(),
        }
    }
}

/// PLAIN's message: authorization identity, NUL, user, NUL, password. Nobody may act for another,
/// so the identity is empty or the user's own.
fn plain(accounts: &Accounts, message: &[u8]) -> Step {
    let parts: Vec<_> = message.split(|byte| *byte == 0).collect();
    match parts[..] {
        [identity, user, password] if identity.is_empty() || identity == user => {
            decide(accounts, user, password)
        }
        [_, _, _] => invalid(),
        _ => malformed(),
    }
}

fn decide(accounts: &Accounts, user: &[u8], password: &[u8]) -> Step {
    if accounts.has(user, password) {
        Step::Granted(String::from_utf8_lossy(user).into_owned())
    } else {
        invalid()
    }
}

/// The client's answer of CRAM-MD5: the user, a blank, the digest.
fn cram_md5(accounts: &Accounts, challenge: &str, response: &[u8]) -> Step {
    let response = String::from_utf8_lossy(response);
    let Some((user, digest)) = response.rsplit_once(' ') else { return invalid() };
    let Some(password) = accounts.password(user) else { return invalid() };
    if digest == sasl::cram_md5_digest(challenge.as_bytes(), password.as_bytes()) {
        Step::Granted(user.to_owned())
    } else {
        invalid()
    }
}

/// The client's first message of SCRAM (RFC 5802 section 5.1); nothing if it is none.
fn scram_first(message: &str) -> Option<Step> {
    // Nobody may act for another, and there is no channel to bind to.
    let bare = message.strip_prefix("n,,").or_else(|| message.strip_prefix("y,,"))?;
    let (_, client) = bare.strip_prefix("n=")?.split_once(",r=")?;
    let Ok(ours) = sasl::random_nonce() else { return Some(Step::Refused(Refusal::Unavailable)) };
    let nonce = format!("{client}{ours}");
    let challenge = format!("r={nonce},s={},i={ROUNDS}", BASE64_STANDARD.encode(SALT));
    Some(Exchange::ScramLast { said: format!("{bare},{challenge}"), nonce }.challenge(&challenge))
}

/// Its last one, with the proof.
fn scram_last(accounts: &Accounts, said: &str, nonce: &str, message: &str) -> Step {
    let Some((bare, proof)) = message.rsplit_once(",p=") else { return malformed() };
    // `n,,` or `y,,`, as it was at first.
    if ![format!("c=biws,r={nonce}"), format!("c=eSws,r={nonce}")]
        .iter()
        .any(|wanted| wanted == bare)
    {
        return malformed();
    }
    let user = said.strip_prefix("n=").and_then(|said| said.split(',').next()).unwrap_or_default();
    // A comma or an equals sign in a name is written so (RFC 5802 section 5.1).
    let user = user.replace("=2C", ",").replace("=3D", "=");
    let Some(password) = accounts.password(&user) else { return invalid() };
    let proofs =
        Proofs::new(Hash::Sha256, password.as_bytes(), (SALT, ROUNDS), &format!("{said},{bare}"));
    if proof == proofs.client {
        Exchange::ScramEnd { user }.challenge(&format!("v={}", proofs.server))
    } else {
        invalid()
    }
}

fn invalid() -> Step {
    Step::Refused(Refusal::Invalid)
}

fn malformed() -> Step {
    Step::Refused(Refusal::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts::new([(USER.to_owned(), PASSWORD.to_owned())])
    }

    /// How an exchange ends that begins so: the last challenge, or the verdict.
    fn outcome(argument: &str, responses: &[&str]) -> String {
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let initial = (!initial.is_empty()).then_some(initial.as_bytes());
        let mut step = begin(&accounts(), mechanism, initial);
        for response in responses {
            step = match step {
                Step::Ask(exchange, _) => exchange.respond(&accounts(), response.as_bytes()),
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
        assert_eq!(outcome("PLAIN", &[&encoded("\0\0")]), INVALID);
    }

    #[test]
    fn what_cannot_be_decoded_is_a_syntax_error() {
        for response in
            ["!", "abc", "=", "aG9n ZQ==", &encoded("two\0parts"), &encoded("a\0b\0c\0d"), ""]
        {
            assert_eq!(outcome("PLAIN", &[response]), MALFORMED, "{response}");
        }
        assert_eq!(outcome("PLAIN =", &[]), MALFORMED);
        assert_eq!(outcome("LOGIN", &["!"]), MALFORMED);
        assert_eq!(outcome("LOGIN", &[&encoded(USER), "!"]), MALFORMED);
    }

    /// The verdict on what our own client says.
    fn verdict_on(mechanism: &str, user: &str, password: &str) -> String {
        let credentials = sasl::Credentials::new(user, password);
        let place = sasl::Place { service: "smtp", host: "localhost".into(), port: None };
        let mut client =
            sasl::Known::named(mechanism).unwrap().begin(&credentials, &place).unwrap();
        let mut step = begin(&accounts(), mechanism, None);
        while let Step::Ask(exchange, challenge) = step {
            let challenge = BASE64_STANDARD.decode(challenge).unwrap();
            let response = BASE64_STANDARD.encode(client.respond(&challenge).unwrap());
            step = exchange.respond(&accounts(), response.as_bytes());
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
        for message in ["", "p=tls-unique,,n=u,r=x", "n,a=root,n=u,r=x", "n,,r=x", "n,,n=u"] {
            assert_eq!(outcome("SCRAM-SHA-256", &[&encoded(message)]), MALFORMED, "{message}");
        }
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
    fn what_is_not_listed_is_not_known() {
        assert_eq!(outcome("DIGEST-MD5", &[]), "Unknown");
        assert_eq!(outcome("", &[]), "Unknown");
    }
}
