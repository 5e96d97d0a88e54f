//! Authentication on the server's side, with every mechanism that the client's side supports.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::super::operation::Operation;
use super::super::waiting::Wait;
use super::super::{SHOWN, Session};
use super::command::Command;
use super::fault::Fault;
use crate::error::{Error, Kind, Result};
use crate::pattern::IntoPattern as _;
use crate::proto::{Speech, Success, chomp};
use crate::sasl::{Exchange, Judge, Known, Move, Password};
use crate::visible;

/// The users who may log in, for [`Session::expect_auth`].
#[derive(Clone, Debug, Default)]
pub struct Users {
    judge: Judge,
    mechanism: Option<String>,
}

impl Users {
    /// No users: every login is refused.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user with a password or a token.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.judge.users.push((name.into(), Password(password.into())));
        self
    }

    /// Grants or refuses every login, whatever the client proves. For the server's own proof in
    /// SCRAM and DIGEST-MD5, the user's password is still needed.
    #[must_use]
    pub fn verdict(mut self, granted: bool) -> Self {
        self.judge.verdict = Some(granted);
        self
    }

    /// Makes the server send a wrong signature in SCRAM and DIGEST-MD5, which the client has to
    /// refuse.
    #[must_use]
    pub fn forge(mut self, forge: bool) -> Self {
        self.judge.forge = forge;
        self
    }

    /// Sets the mechanism that the client has to use.
    #[must_use]
    pub fn mechanism(mut self, name: impl Into<String>) -> Self {
        self.mechanism = Some(name.into());
        self
    }
}

/// The outcome of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authenticated {
    /// The mechanism, in capital letters.
    pub mechanism: String,
    /// The user who logged in, or tried to; empty if the client never named one.
    pub user: String,
    /// Whether the login was granted.
    pub granted: bool,
    /// Whether the client cancelled the exchange.
    pub cancelled: bool,
    /// What breaks the rules of the mechanism in the client's message; then the login was refused.
    pub malformed: Option<&'static str>,
}

/// Server: authentication (RFC 4954).
impl Session {
    /// Takes the client's command to authenticate and goes through the exchange with it, up to the
    /// reply that grants or refuses. What the client says in it is masked. A fault is one of the
    /// first thing that we say in it.
    ///
    /// # Errors
    /// A mismatch if another command or mechanism comes, or one that is not known; malformed if a
    /// response is not base64; a time-out; a close.
    pub fn expect_auth(&mut self, users: Users) -> Operation<'_, Authenticated> {
        self.operation(move |session, mut call| {
            Box::pin(async move {
                let fault = call.fault.take();
                for (_, Password(password)) in &users.judge.users {
                    session.record.secrets().keep(password.as_bytes());
                }
                let wait = session.begin_next_command(&call, "expect_auth")?;
                let verb = session.turn.speech().facts().sasl.command.into_pattern()?;
                let command = session.command_matching(&verb, wait).await?;
                session.authenticate_client(&command, users, (fault, wait)).await
            })
        })
    }

    async fn authenticate_client(
        &mut self,
        command: &Command,
        users: Users,
        (mut fault, wait): (Option<Box<Fault>>, Wait),
    ) -> Result<Authenticated> {
        let mut arguments = command.each_argument();
        let mechanism = arguments.next().unwrap_or_default().to_ascii_uppercase();
        if let Some(wanted) =
            users.mechanism.as_ref().filter(|wanted| !wanted.eq_ignore_ascii_case(&mechanism))
        {
            let error = self.fault(Kind::Mismatch, "the client uses another mechanism");
            let got = visible::excerpt(mechanism.as_bytes(), SHOWN);
            return Err(error.with_expected(wanted).with_got(got));
        }
        let Some(mut exchange) = Exchange::begin(&mechanism, users.judge)? else {
            return Err(self.unknown_mechanism(&mechanism));
        };
        let mut next = match arguments.next() {
            _ if arguments.next().is_some() => {
                Move::Malformed("the command has more arguments than a mechanism and a response")
            }
            // An empty initial response is written as an equals sign (RFC 4954, 4).
            Some(initial) if initial == "=" => exchange.respond_at_once(b""),
            Some(initial) => {
                let initial = self.decoded(initial.as_bytes(), wait)?;
                exchange.respond_at_once(&initial)
            }
            None => Move::Challenge(exchange.open()),
        };
        let mut came = Authenticated {
            mechanism,
            user: String::new(),
            granted: false,
            cancelled: false,
            malformed: None,
        };
        while let Move::Challenge(challenge) = &next {
            let Some(response) = self.challenged(challenge, (fault.take(), wait)).await? else {
                came.cancelled = true;
                break;
            };
            next = exchange.respond(&response);
        }
        match next {
            Move::Challenge(_) => {}
            Move::Verdict { user, granted } => (came.user, came.granted) = (user, granted),
            Move::Malformed(why) => came.malformed = Some(why),
        }
        self.conclude_auth(&came, (fault.take(), wait)).await?;
        Ok(came)
    }

    fn unknown_mechanism(&self, mechanism: &str) -> Error {
        let why = if mechanism.is_empty() {
            "the client's command to authenticate names no mechanism"
        } else {
            "the client uses a mechanism that is not known"
        };
        let error = self.fault(Kind::Mismatch, why);
        error
            .with_expected(format!("one of {}", Known::names().join(", ")))
            .with_got(visible::excerpt(mechanism.as_bytes(), SHOWN))
            .hint("take the command with expect_command(...), and answer it by hand")
    }

    /// Sends a challenge and takes the response to it; `None` if the client cancels.
    async fn challenged(
        &mut self,
        challenge: &[u8],
        (fault, wait): (Option<Box<Fault>>, Wait),
    ) -> Result<Option<Vec<u8>>> {
        let challenge = BASE64_STANDARD.encode(challenge);
        let line = match self.turn.speech().facts().sasl.challenge {
            b"" => format!("\"{challenge}\"\r\n"),
            begins => format!("{} {challenge}\r\n", String::from_utf8_lossy(begins)),
        };
        self.utter(line.into_bytes(), fault, wait).await?;
        if !self.stream.is_open() {
            return Ok(None);
        }
        let wanted = "a response to the challenge";
        let Some(taken) = self.next_frame(&wanted, wait).await? else {
            return Err(self.closed(wait, wanted, None));
        };
        self.turn.expected();
        let response = chomp(&taken);
        let response = match self.turn.speech() {
            Speech::Sieve => Command::words(response).into_iter().next().unwrap_or_default(),
            _ => String::from_utf8_lossy(response).into_owned(),
        };
        if response == "*" {
            return Ok(None);
        }
        self.decoded(response.as_bytes(), wait).map(Some)
    }

    fn decoded(&self, response: &[u8], wait: Wait) -> Result<Vec<u8>> {
        BASE64_STANDARD.decode(response).map_err(|_| {
            let error = self.fault(Kind::Malformed, "the client's response is not base64");
            error.with_expected("base64 (RFC 4648, 4)").with_waited(wait.waited())
        })
    }

    async fn conclude_auth(
        &mut self,
        came: &Authenticated,
        (fault, wait): (Option<Box<Fault>>, Wait),
    ) -> Result<()> {
        if !self.stream.is_open() {
            return Ok(());
        }
        let sasl = self.turn.speech().facts().sasl;
        let line = match came {
            Authenticated { granted: true, .. } => sasl.granted.to_owned(),
            Authenticated { cancelled: true, .. } => cancelled(self.turn.speech()),
            _ => sasl.denied.to_owned(),
        };
        self.say_with(&line.into(), fault, wait).await.map(drop)
    }
}

/// The reply after the client has cancelled the exchange.
fn cancelled(speech: Speech) -> String {
    let text = "authentication cancelled";
    match speech.facts().sasl.cancelled {
        Success::Code(code) => format!("{code} 5.7.0 {text}"),
        Success::Word(word) if speech == Speech::Sieve => format!("{word} \"{text}\""),
        Success::Word(word) => format!("{word} {text}"),
    }
}
