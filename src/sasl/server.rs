//! The server's side of every mechanism (RFC 4422): it reads responses and returns challenges and a
//! verdict.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::scram::{Hash, Proofs};
use super::{
    Wrong, anonymous, attributes, cram_md5, digest_md5, nonce, oauthbearer, plain, xoauth2,
};
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
    Malformed(Wrong),
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
    /// SCRAM: the client's first message without its header, the server's challenge, the whole
    /// nonce in it, the header, and the user.
    Proof {
        first: String,
        challenge: String,
        nonce: String,
        header: String,
        user: String,
    },
    /// The server has sent its last message, and the client has nothing more to prove.
    End {
        user: String,
        granted: bool,
    },
}

fn refused(user: impl Into<String>) -> Move {
    Move::Verdict { user: user.into(), granted: false }
}

impl Exchange {
    /// Begins an exchange; `None` if the mechanism is unknown.
    pub(crate) fn begin(mechanism: &str, judge: Judge) -> crate::error::Result<Option<Self>> {
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

    /// The server's next step after a response that came with the command. A mechanism that begins
    /// with a challenge takes none (RFC 4954 section 4).
    pub(crate) fn respond_at_once(&mut self, response: &[u8]) -> Move {
        if matches!(self.mechanism.as_str(), "CRAM-MD5" | "DIGEST-MD5") {
            return Move::Malformed(
                "the mechanism begins with a challenge, and the command has a response",
            );
        }
        self.respond(response)
    }

    /// The server's next step after a response.
    pub(crate) fn respond(&mut self, response: &[u8]) -> Move {
        self.step(response).unwrap_or_else(Move::Malformed)
    }

    fn step(&mut self, response: &[u8]) -> Result<Move, Wrong> {
        let text = std::str::from_utf8(response).map_err(|_| "the response is not UTF-8");
        match std::mem::replace(&mut self.stage, Stage::Start) {
            // The client only confirms that it has read the last message.
            Stage::End { granted: true, .. } if !response.is_empty() => {
                Err("the response to the last challenge is not empty")
            }
            Stage::End { user, granted } => Ok(Move::Verdict { user, granted }),
            Stage::Password(user) => {
                let granted = self.judge.admits(&user, text?);
                Ok(Move::Verdict { user, granted })
            }
            Stage::Proof { first, challenge, nonce, header, user } => {
                let said = format!("{first},{challenge}");
                self.scram_proof(user, &said, (&header, &nonce), text?)
            }
            Stage::Start if self.mechanism == "DIGEST-MD5" => self.digest_md5(response),
            Stage::Start => self.first(text?),
        }
    }

    fn first(&mut self, response: &str) -> Result<Move, Wrong> {
        match self.mechanism.as_str() {
            scram if Hash::of(scram).is_some() => self.scram(response),
            "PLAIN" => self.plain(response),
            "LOGIN" => {
                self.stage = Stage::Password(response.to_owned());
                Ok(Move::Challenge(b"Password:".to_vec()))
            }
            "CRAM-MD5" => self.cram_md5(response),
            "XOAUTH2" => {
                xoauth2::read(response).map(|(user, token)| self.bearer(user.to_owned(), token))
            }
            "OAUTHBEARER" => {
                oauthbearer::read(response).map(|(user, token)| self.bearer(user, token))
            }
            "ANONYMOUS" => anonymous::check(response).map(|()| self.unproved(response)),
            _ if response.contains('\0') => Err("the identity has a NUL"),
            _ => Ok(self.unproved(response)),
        }
    }

    /// The verdict on a client that proves nothing, as with ANONYMOUS.
    fn unproved(&self, user: &str) -> Move {
        Move::Verdict { user: user.to_owned(), granted: self.judge.admits_unproved() }
    }

    fn plain(&self, message: &str) -> Result<Move, Wrong> {
        let plain::Message { identity, user, password } = plain::read(message)?;
        let granted = self.judge.may_act_as(user, identity) && self.judge.admits(user, password);
        Ok(Move::Verdict { user: user.to_owned(), granted })
    }

    fn cram_md5(&self, response: &str) -> Result<Move, Wrong> {
        let (user, digest) = cram_md5::read(response)?;
        let proved = self.judge.password(user).is_some_and(|password| {
            cram_md5::digest(self.cram_challenge().as_bytes(), password.as_bytes()) == digest
        });
        let granted = self.judge.verdict.unwrap_or(proved);
        Ok(Move::Verdict { user: user.to_owned(), granted })
    }

    fn digest_md5(&mut self, response: &[u8]) -> Result<Move, Wrong> {
        let users = |user: &str| self.judge.password(user).map(str::to_owned);
        let checked = digest_md5::check(response, &self.nonce, users)?;
        let proved = checked.is_proved && self.judge.may_act_as(&checked.user, &checked.identity);
        let granted = self.judge.verdict.unwrap_or(proved);
        if !granted {
            return Ok(refused(checked.user));
        }
        let proof =
            if self.judge.forge { checked.proof.chars().rev().collect() } else { checked.proof };
        self.stage = Stage::End { user: checked.user, granted };
        Ok(Move::Challenge(format!("rspauth={proof}").into_bytes()))
    }

    /// The client's first message: the GS2 header (RFC 5801 section 4), the user and a nonce (RFC
    /// 5802 section 5.1). Channel binding is not supported.
    fn scram(&mut self, message: &str) -> Result<Move, Wrong> {
        let (header, first) = attributes::header(message)?;
        let attributes::First { user, nonce } = attributes::first(first)?;
        if !self.judge.may_act_as(&user, &header.identity) {
            return Ok(refused(user));
        }
        let salt = BASE64_STANDARD.encode(SALT);
        let nonce = format!("{nonce}{}", self.nonce);
        let challenge = format!("r={nonce},s={salt},i={ROUNDS}");
        self.stage = Stage::Proof {
            first: first.to_owned(),
            challenge: challenge.clone(),
            nonce,
            header: header.text.to_owned(),
            user,
        };
        Ok(Move::Challenge(challenge.into_bytes()))
    }

    /// The client's last message, with its proof. `said` is the messages before it, without the
    /// header.
    fn scram_proof(
        &mut self,
        user: String,
        said: &str,
        (header, nonce): (&str, &str),
        message: &str,
    ) -> Result<Move, Wrong> {
        let last = attributes::last(message)?;
        if last.binding != BASE64_STANDARD.encode(header) {
            return Err("the channel binding (c=) is not the GS2 header of the first message");
        }
        if last.nonce != nonce {
            return Err("the nonce (r=) is not the one of the server");
        }
        let known = self.judge.password(&user).map(super::scram::prepared);
        let messages = format!("{said},{}", last.bare);
        let password = known.clone().unwrap_or_default();
        let hash = Hash::of(&self.mechanism).ok_or("the mechanism is not SCRAM")?;
        let proofs = Proofs::new(hash, password.as_bytes(), (SALT, ROUNDS), &messages);
        let proved = known.is_some() && last.proof == proofs.client;
        let granted = self.judge.verdict.unwrap_or(proved);
        if !granted {
            return Ok(refused(user));
        }
        let signature = if self.judge.forge { proofs.client } else { proofs.server };
        self.stage = Stage::End { user, granted };
        Ok(Move::Challenge(format!("v={signature}").into_bytes()))
    }

    fn bearer(&mut self, user: String, token: &str) -> Move {
        // A client may leave out the name and be identified by the token.
        let by_token =
            user.is_empty() && self.judge.users.iter().any(|(_, Password(known))| known == token);
        if self.judge.verdict.unwrap_or(by_token || self.judge.admits(&user, token)) {
            return Move::Verdict { user, granted: true };
        }
        // The error is sent as a challenge, which the client answers before it is refused (RFC
        // 7628, 3.2.3).
        self.stage = Stage::End { user, granted: false };
        Move::Challenge(br#"{"status":"invalid_token","schemes":"bearer"}"#.to_vec())
    }
}

#[cfg(test)]
mod tests;
