//! The server's side of every mechanism (RFC 4422): it reads responses and returns challenges and a
//! verdict.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::scram::{Hash, Proofs};
use super::{cram_md5, digest_md5, nonce};
use crate::error::Result;

/// The salt and the rounds of SCRAM. They need not be secure, because the test knows the passwords
/// anyway.
const SALT: &[u8] = b"sea salt";
const ROUNDS: u32 = 4096;

/// The users who may log in, and their secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judge {
    /// Users and their passwords or tokens.
    pub(crate) users: Vec<(String, Password)>,
    /// The verdict to give whatever the client proves; `None` to judge by the proof.
    pub(crate) verdict: Option<bool>,
    /// Whether the server's proof in SCRAM and DIGEST-MD5 is a wrong one.
    pub(crate) forge: bool,
}

/// A password. Its debug form does not show it.
#[derive(Clone)]
pub(crate) struct Password(pub(crate) String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

impl Judge {
    fn password(&self, user: &str) -> Option<&str> {
        let known = self.users.iter().find(|(known, _)| known == user);
        known.map(|(_, Password(password))| password.as_str())
    }

    fn admits(&self, user: &str, password: &str) -> bool {
        self.verdict.unwrap_or_else(|| self.password(user) == Some(password))
    }

    /// Whether `user` may act as `identity`. Users may act only as themselves.
    fn may_act_as(&self, user: &str, identity: &str) -> bool {
        self.verdict.unwrap_or(identity.is_empty() || identity == user)
    }

    /// Whether a client that proves nothing may log in, as with ANONYMOUS.
    fn admits_unproved(&self) -> bool {
        self.verdict.unwrap_or(true)
    }
}

/// The server's next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Challenge(Vec<u8>),
    /// The exchange is over: the user who logged in or tried to, and whether the login is granted.
    Verdict {
        user: String,
        granted: bool,
    },
    /// The exchange is over: the response does not have the form that the mechanism requires.
    Malformed,
}

/// One exchange, from the server's side.
#[derive(Debug)]
pub(crate) struct Exchange {
    mechanism: String,
    judge: Judge,
    nonce: String,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Start,
    /// LOGIN: the user name was given, and the password is asked for.
    Password(String),
    /// SCRAM: the client's first message without its header, the server's challenge, the header,
    /// and the user.
    Proof {
        first: String,
        challenge: String,
        header: String,
        user: String,
    },
    /// The server has sent its last message, and the client has nothing more to prove.
    End {
        user: String,
        granted: bool,
    },
}

fn text(response: &[u8]) -> String {
    String::from_utf8_lossy(response).into_owned()
}

/// Reads a name, in which a comma is written as `=2C` and an equals sign as `=3D` (RFC 5802 section
/// 5.1).
fn name_of(written: &str) -> String {
    written.replace("=2C", ",").replace("=3D", "=")
}

fn refused(user: impl Into<String>) -> Move {
    Move::Verdict { user: user.into(), granted: false }
}

impl Exchange {
    /// Begins an exchange; `None` if the mechanism is unknown.
    pub(crate) fn begin(mechanism: &str, judge: Judge) -> Result<Option<Self>> {
        let mechanism = mechanism.to_ascii_uppercase();
        if !super::MECHANISMS.iter().any(|known| known.name == mechanism) {
            return Ok(None);
        }
        let nonce = nonce::random()?;
        Ok(Some(Self { mechanism, judge, nonce, stage: Stage::Start }))
    }

    /// The first challenge, for a client that has sent nothing yet.
    pub(crate) fn open(&self) -> Vec<u8> {
        match self.mechanism.as_str() {
            "LOGIN" => b"Username:".to_vec(),
            "CRAM-MD5" => self.cram_challenge().into_bytes(),
            "DIGEST-MD5" => digest_md5::challenge(&self.nonce).into_bytes(),
            _ => Vec::new(),
        }
    }

    fn cram_challenge(&self) -> String {
        format!("<{}@localhost>", self.nonce)
    }

    /// The server's next step after a response.
    pub(crate) fn respond(&mut self, response: &[u8]) -> Move {
        match std::mem::replace(&mut self.stage, Stage::Start) {
            // The client only confirms that it has read the last message.
            Stage::End { user, granted } => {
                Move::Verdict { user, granted: granted && response.is_empty() }
            }
            Stage::Password(user) => {
                let granted = self.judge.admits(&user, &text(response));
                Move::Verdict { user, granted }
            }
            Stage::Proof { first, challenge, header, user } => {
                self.scram_proof(user, &format!("{first},{challenge}"), &header, &text(response))
            }
            Stage::Start => self.first(response),
        }
    }

    fn first(&mut self, response: &[u8]) -> Move {
        match self.mechanism.as_str() {
            scram if Hash::of(scram).is_some() => self.scram(&text(response)),
            "PLAIN" => self.plain(response),
            "LOGIN" => {
                self.stage = Stage::Password(text(response));
                Move::Challenge(b"Password:".to_vec())
            }
            "CRAM-MD5" => self.cram_md5(&text(response)),
            "DIGEST-MD5" => self.digest_md5(response),
            "XOAUTH2" | "OAUTHBEARER" => self.bearer(&text(response)),
            _ => {
                let granted = self.judge.admits_unproved();
                Move::Verdict { user: text(response), granted }
            }
        }
    }

    fn plain(&self, message: &[u8]) -> Move {
        let parts: Vec<_> = message.split(|byte| *byte == 0).map(text).collect();
        let [identity, user, password] = &parts[..] else { return Move::Malformed };
        let granted = self.judge.may_act_as(user, identity) && self.judge.admits(user, password);
        Move::Verdict { user: user.clone(), granted }
    }

    fn cram_md5(&self, response: &str) -> Move {
        let Some((user, digest)) = response.rsplit_once(' ') else { return refused("") };
        let proved = self.judge.password(user).is_some_and(|password| {
            cram_md5::digest(self.cram_challenge().as_bytes(), password.as_bytes()) == digest
        });
        let granted = self.judge.verdict.unwrap_or(proved);
        Move::Verdict { user: user.to_owned(), granted }
    }

    fn digest_md5(&mut self, response: &[u8]) -> Move {
        let users = |user: &str| self.judge.password(user).map(str::to_owned);
        let Some(checked) = digest_md5::check(response, &self.nonce, users) else {
            return refused("");
        };
        let granted = self.judge.verdict.unwrap_or(checked.is_proved);
        if !granted {
            return refused(checked.user);
        }
        let proof =
            if self.judge.forge { checked.proof.chars().rev().collect() } else { checked.proof };
        self.stage = Stage::End { user: checked.user, granted };
        Move::Challenge(format!("rspauth={proof}").into_bytes())
    }

    /// The client's first message: the GS2 header (RFC 5801 section 4), the user and a nonce (RFC
    /// 5802 section 5.1). Channel binding is not supported.
    fn scram(&mut self, message: &str) -> Move {
        let Some((at, _)) = message.match_indices(',').nth(1) else { return Move::Malformed };
        let (header, first) = message.split_at(at + 1);
        let identity = header.strip_prefix("n,").or_else(|| header.strip_prefix("y,"));
        let identity = identity.map(|rest| rest.strip_prefix("a=").unwrap_or(rest));
        let Some(identity) = identity.and_then(|rest| rest.strip_suffix(',')) else {
            return Move::Malformed;
        };
        let parts = first.strip_prefix("n=").and_then(|first| first.split_once(",r="));
        let Some((user, client)) = parts else { return Move::Malformed };
        let user = name_of(user);
        if !self.judge.may_act_as(&user, &name_of(identity)) {
            return refused(user);
        }
        let salt = BASE64_STANDARD.encode(SALT);
        let challenge = format!("r={client}{},s={salt},i={ROUNDS}", self.nonce);
        self.stage = Stage::Proof {
            first: first.to_owned(),
            challenge: challenge.clone(),
            header: header.to_owned(),
            user,
        };
        Move::Challenge(challenge.into_bytes())
    }

    /// The client's last message, with its proof. `said` is the messages before it, without the
    /// header.
    fn scram_proof(&mut self, user: String, said: &str, header: &str, message: &str) -> Move {
        let Some((bare, proof)) = message.rsplit_once(",p=") else { return Move::Malformed };
        let nonce =
            said.split(',').find(|part| part.starts_with("r=") && part.ends_with(&self.nonce));
        if bare != format!("c={},{}", BASE64_STANDARD.encode(header), nonce.unwrap_or_default()) {
            return Move::Malformed;
        }
        let known = self.judge.password(&user).map(super::scram::prepared);
        let messages = format!("{said},{bare}");
        let password = known.clone().unwrap_or_default();
        let Some(hash) = Hash::of(&self.mechanism) else { return Move::Malformed };
        let proofs = Proofs::new(hash, password.as_bytes(), (SALT, ROUNDS), &messages);
        let proved = known.is_some() && proof == proofs.client;
        let granted = self.judge.verdict.unwrap_or(proved);
        if !granted {
            return refused(user);
        }
        let signature = if self.judge.forge { proofs.client } else { proofs.server };
        self.stage = Stage::End { user, granted };
        Move::Challenge(format!("v={signature}").into_bytes())
    }

    fn bearer(&mut self, message: &str) -> Move {
        let fields: Vec<_> = message.split('\u{1}').collect();
        let value = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name));
        let user = if self.mechanism == "XOAUTH2" {
            value("user=").unwrap_or_default()
        } else {
            let header = fields.first().copied().unwrap_or_default();
            header.split(',').find_map(|part| part.strip_prefix("a=")).unwrap_or_default()
        };
        let token = value("auth=").and_then(|auth| auth.split_once(' ')).map(|(_, token)| token);
        let user = name_of(user);
        let admitted = token.is_some_and(|token| {
            // A client may leave out the name and be identified by the token.
            let by_token = user.is_empty()
                && self.judge.users.iter().any(|(_, Password(known))| known == token);
            by_token || self.judge.admits(&user, token)
        });
        if self.judge.verdict.unwrap_or(admitted) {
            return Move::Verdict { user, granted: true };
        }
        // The error is sent as a challenge, which the client answers before it is refused (RFC
        // 7628, 3.2.3).
        self.stage = Stage::End { user, granted: false };
        Move::Challenge(br#"{"status":"invalid_token","schemes":"bearer"}"#.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::{Credentials, Known, MECHANISMS, Opening, Service};

    fn judge() -> Judge {
        Judge {
            users: vec![("ho=ge,x".to_owned(), Password("ppp\u{e9}www".to_owned()))],
            ..Judge::default()
        }
    }

    /// Runs an exchange of both sides: returns the server's verdict, and whether the client is
    /// satisfied.
    fn outcome(known: &Known, judge: Judge, password: &str) -> (Option<bool>, bool) {
        let credentials = Credentials::new("ho=ge,x", password);
        let service = Service { name: "smtp", host: "localhost".into(), port: None };
        let mut client = known.begin(&credentials, &service).unwrap();
        let mut server = Exchange::begin(known.name, judge).unwrap().unwrap();
        let mut challenge = server.open();
        if client.opening() == Opening::Client {
            challenge.clear();
        }
        for _ in 0..5 {
            let Ok(response) = client.respond(&challenge) else { return (None, false) };
            match server.respond(&response) {
                Move::Challenge(next) => challenge = next,
                Move::Verdict { granted, .. } => return (Some(granted), client.is_done()),
                Move::Malformed => return (None, client.is_done()),
            }
        }
        panic!("{} has no end", known.name)
    }

    #[test]
    fn each_mechanism_of_the_client_has_its_server() {
        for known in &MECHANISMS {
            let unproved = ["EXTERNAL", "ANONYMOUS"].contains(&known.name);
            assert_eq!(outcome(known, judge(), "ppp\u{e9}www").0, Some(true), "{}", known.name);
            let wrong = outcome(known, judge(), "wrong").0;
            assert_eq!(wrong == Some(true), unproved, "{}", known.name);
            let no = Judge { verdict: Some(false), ..judge() };
            assert_ne!(outcome(known, no, "ppp\u{e9}www").0, Some(true), "{}", known.name);
        }
    }

    #[test]
    fn a_forged_proof_of_the_servers_is_not_believed() {
        for known in &MECHANISMS {
            let forged = outcome(known, Judge { forge: true, ..judge() }, "ppp\u{e9}www");
            let proves = known.name.starts_with("SCRAM") || known.name == "DIGEST-MD5";
            assert_eq!(forged == (None, false), proves, "{}: {forged:?}", known.name);
        }
    }

    #[test]
    fn responses_that_are_none_are_refused() {
        for known in &MECHANISMS {
            for junk in [&b""[..], b"\0", b"n,,", b",,,", b"\xff\xff", b"a b", b"r=,p="] {
                let mut server = Exchange::begin(known.name, judge()).unwrap().unwrap();
                for _ in 0..4 {
                    let next = server.respond(junk);
                    if matches!(next, Move::Malformed) {
                        break;
                    }
                    if let Move::Verdict { granted, .. } = next {
                        let proved = granted && !["EXTERNAL", "ANONYMOUS"].contains(&known.name);
                        assert!(!proved, "{}: {junk:?}", known.name);
                        break;
                    }
                }
            }
        }
        assert!(Exchange::begin("NTLM", judge()).unwrap().is_none());
    }
}
