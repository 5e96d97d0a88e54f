//! SASL exchanges: AUTH in SMTP (RFC 4954).

mod manner;

use bytes::Bytes;

use super::{Session, Verb};
use crate::error::{Error, Kind, Result};
use crate::proto::{Speech, chomp};
use crate::reply::Reply;
use crate::sasl::{Credentials, Known, Mechanism, Opening, Place};
use crate::session::SHOWN;
use crate::target::{self, Target};
use crate::visible;
use manner::Manner;

/// The protocols that have exchanges.
const SASL: [Speech; 3] = [Speech::Smtp, Speech::Lmtp, Speech::Pop3];

/// An exchange under way.
#[derive(Debug)]
struct Exchange {
    name: &'static str,
    mechanism: Box<dyn Mechanism>,
    /// The first message, where it was made and has not been sent.
    first: Option<Vec<u8>>,
    cancel: bool,
}

impl Session {
    /// Authenticates: AUTH in SMTP (RFC 4954), with the mechanism that is named, or else with the strongest that the server
    /// advertised.
    ///
    /// All of the exchange is one operation: each challenge is answered as the mechanism wants it, and the verdict has to be 235.
    /// A mechanism in which the server proves itself (SCRAM, DIGEST-MD5) holds it to that. Where [`Session::expecting`] fits a
    /// challenge, such as 334, the exchange ends there and is the caller's to go on with.
    ///
    /// ```
    /// use mailexpect::{Credentials, Session, server::Embedded};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Embedded::start()?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Session::connect(&server.submission()).await?;
    /// session.expect(220).await?;
    /// session.send("EHLO client.example").await?;
    /// session.expect(250).await?;
    /// let wrong = Credentials::new("hoge@example.com", "wrong").mechanism("LOGIN");
    /// session.expecting(535).auth(wrong).await?;
    /// session.auth(("PLAIN", "hoge@example.com", "pppwww")).await?;
    /// assert!(!session.transcript().to_string().contains("pppwww"));
    /// session.quit().await?;
    /// # Ok::<_, mailexpect::Error>(())
    /// # })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the verdict is another; usage for a mechanism that is not
    /// known; malformed for a challenge that cannot be read, and unexpected where the server does not prove itself: the exchange
    /// is cancelled then.
    pub async fn auth(&mut self, credentials: impl Into<Credentials>) -> Result<Reply> {
        let credentials = credentials.into();
        self.keep_secret(credentials.secret.expose());
        let manner = Manner::of(self.protocol.speech());
        let verb = self.verb("auth", &SASL, manner.verdict(credentials.cancel)?)?;
        let mut exchange = self.open_exchange(&credentials, manner).map_err(|error| self.here(error, &verb))?;
        let command = exchange.command(&credentials, manner).map_err(|error| self.here(error, &verb))?;
        self.send_line(command.as_bytes(), verb.wait).await?;
        loop {
            let reply = self.answer(&verb).await?;
            let Some(challenge) = manner.challenge(&reply).filter(|_| verb.wanted.matches(chomp(&reply)).is_none()) else {
                return self.verdict(reply, &verb, &*exchange.mechanism);
            };
            let response = match exchange.answer(challenge) {
                Ok(response) => Manner::response(response.as_deref()),
                Err(error) => return Err(self.give_up(error, &verb).await),
            };
            if let Some(proof) = exchange.mechanism.proof() {
                self.secrets.learn(proof.as_bytes());
            }
            self.send_line(response.as_bytes(), verb.wait).await?;
        }
    }

    /// Keeps a secret from here on, whatever goes wrong.
    pub(crate) fn keep_secret(&mut self, secret: &str) {
        self.secrets.learn(secret.as_bytes());
    }

    /// Begins an exchange, of the mechanism that was named, or the strongest that was advertised.
    fn open_exchange(&self, credentials: &Credentials, manner: &Manner) -> Result<Exchange> {
        let known = match &credentials.mechanism {
            Some(name) => Known::named(name)?,
            None => Known::strongest(credentials, &self.offered()?)?,
        };
        let (host, port) = match Target::parse(&self.peer).map(|target| target.place) {
            Ok(target::Place::Host { host, port }) => (host, Some(port)),
            _ => ("localhost".to_owned(), None),
        };
        let host = credentials.host.clone().unwrap_or(host);
        let mechanism = known.begin(credentials, &Place { service: manner.service, host, port })?;
        Ok(Exchange { name: known.name, mechanism, first: None, cancel: credentials.cancel })
    }

    /// The mechanisms that the server has said it offers.
    fn offered(&self) -> Result<Vec<String>> {
        if let Some(capabilities) = self.capabilities() {
            return Ok(capabilities.auth());
        }
        let error = Error::usage("which mechanisms the server offers was not asked");
        Err(error.hint("ask by ehlo(...) before, or name a mechanism"))
    }

    /// The error, with where it arose.
    fn here(&self, error: Error, verb: &Verb) -> Error {
        let mut error = error.session(format!("{}, {}", self.id, self.peer)).waited(verb.wait.waited());
        // What a server says in base64 is decoded by now, whatever it holds.
        error.mask(&self.secrets);
        error
    }

    /// The error, with the line that what came was the answer to.
    fn answered(&self, error: Error, verb: &Verb) -> Error {
        let line = self.answered.as_ref().map(|line| visible::excerpt(line, SHOWN));
        self.here(error.sent(line), verb)
    }

    /// Cancels an exchange that cannot go on, so that the session is of use behind it, and says why it cannot.
    async fn give_up(&mut self, error: Error, verb: &Verb) -> Error {
        let error = self.answered(error, verb);
        let cancelled = async {
            self.send_line(Manner::response(None).as_bytes(), verb.wait).await?;
            self.answer(verb).await
        };
        match cancelled.await {
            Ok(_) => error.hint("the exchange was cancelled"),
            // Why it could not go on matters more than why it could not be cancelled; the transcript has both.
            Err(_) => error.hint("the exchange could not be cancelled either"),
        }
    }

    /// The reply that ends an exchange. Success is none before the mechanism has come to its end.
    fn verdict(&mut self, reply: Bytes, verb: &Verb, mechanism: &dyn Mechanism) -> Result<Reply> {
        let reply = self.conclude(reply, verb)?;
        let manner = Manner::of(self.protocol.speech());
        if !manner.is_success(reply.bytes()) || mechanism.is_done() {
            return Ok(reply);
        }
        let error = Error::new(Kind::Unexpected, "the server says success before the exchange has come to its end")
            .expected("the rest of the exchange, with the server's own proof where the mechanism has one")
            .got(self.shown_lines(reply.bytes()))
            .hint(
                "a server that takes what was not said yet may take anybody; write it out with send(...) to go on all the same",
            );
        Err(self.answered(error, verb))
    }
}

impl Exchange {
    /// The command that begins it, with the first response where that goes with it.
    fn command(&mut self, credentials: &Credentials, manner: &Manner) -> Result<String> {
        let opening = self.mechanism.opening();
        let wanted = credentials.initial.unwrap_or(opening == Opening::Client && !credentials.cancel);
        if !wanted {
            return Ok(manner.command(self.name, None));
        }
        // Where the server opens there is nothing to say yet, which is what an empty response says.
        let message = if opening == Opening::Server { Vec::new() } else { self.mechanism.respond(b"")? };
        let command = manner.command(self.name, Some(&message));
        if credentials.initial.is_none() && command.len() + 2 > manner.longest {
            self.first = Some(message);
            return Ok(manner.command(self.name, None));
        }
        Ok(command)
    }

    /// The response to a challenge in base64; `None` cancels.
    fn answer(&mut self, challenge: &[u8]) -> Result<Option<Vec<u8>>> {
        if self.cancel {
            return Ok(None);
        }
        let challenge = manner::decode(challenge)?;
        self.first.take().map_or_else(|| self.mechanism.respond(&challenge), Ok).map(Some)
    }
}
