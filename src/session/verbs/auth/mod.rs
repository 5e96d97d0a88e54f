//! SASL exchanges: AUTH in SMTP (RFC 4954) and POP3 (RFC 5034), AUTHENTICATE in IMAP (RFC 3501
//! section 6.2.2) and ManageSieve (RFC 5804 section 2.1).

mod imap;
mod manner;

use super::{Call, Session, Verb};
use crate::error::{Error, Kind, Result};
use crate::proto::Speech;
use crate::reply::Reply;
use crate::sasl::{Credentials, Known, Mechanism, Opening, Service};
use crate::session::SHOWN;
use crate::target::{self, Target};
use crate::transport::Transport;
use crate::visible;
use manner::Manner;

/// An exchange in progress.
#[derive(Debug)]
struct Exchange {
    name: &'static str,
    mechanism: Box<dyn Mechanism>,
    manner: Manner,
    /// The initial message, if it was computed but not sent yet.
    first: Option<Vec<u8>>,
    cancel: bool,
    /// A recording is played in place of the server.
    is_played: bool,
    /// The reason why the exchange was cancelled, if we failed to answer a challenge.
    failure: Option<Error>,
}

impl Session {
    /// Runs the exchange in a protocol whose replies have no tags.
    pub(super) async fn auth_in_replies(
        &mut self,
        credentials: &Credentials,
        call: Call,
    ) -> Result<Reply> {
        let manner = Manner::of(self.turn.speech());
        let spoken = Speech::ALL
            .into_iter()
            .filter(|speech| speech.facts().has_command(speech.facts().sasl.command));
        let verb = self.verb(
            call,
            "auth",
            &spoken.collect::<Vec<_>>(),
            manner.verdict(credentials.cancel)?,
        )?;
        self.ask_what_is_offered(credentials, &verb).await?;
        let mut exchange =
            self.open_exchange(credentials, manner).map_err(|error| self.here(error, &verb))?;
        let command =
            exchange.command(credentials, true).map_err(|error| self.here(error, &verb))?;
        self.send_line(command.as_bytes(), verb.wait).await?;
        loop {
            let reply = self.answer(&verb).await.map_err(|error| exchange.cancelled(error))?;
            let mut challenge = manner.challenge(&reply);
            if challenge.is_some()
                && self.matched_in_time(&reply, &verb.wanted, verb.wait).await?.is_some()
            {
                challenge = None;
            }
            let Some(challenge) = challenge else {
                exchange.went_well()?;
                let reply = self.conclude(reply, &verb).await?;
                self.hear_last_words(&mut exchange, reply.bytes(), &verb)?;
                self.check_end(&exchange, reply.bytes(), &verb)?;
                return Ok(reply);
            };
            exchange.went_well()?;
            self.respond(&mut exchange, challenge, &verb).await?;
        }
    }

    /// Masks a secret from here on, in the transcript and in errors.
    pub(crate) fn keep_secret(&mut self, secret: &str) {
        self.record.secrets().keep(secret.as_bytes());
    }

    /// Begins an exchange with the named mechanism, or with the strongest that was advertised.
    fn open_exchange(&self, credentials: &Credentials, manner: Manner) -> Result<Exchange> {
        let known = match &credentials.mechanism {
            Some(name) => Known::named(name)?,
            None => Known::strongest(credentials, &self.offered()?)?,
        };
        let port = match Target::parse(&self.peer).map(|target| target.endpoint) {
            Ok(target::Endpoint::Host { port, .. } | target::Endpoint::Exchangers { port, .. }) => {
                Some(port)
            }
            _ => None,
        };
        let host = credentials
            .host
            .clone()
            .or_else(|| self.host())
            .unwrap_or_else(|| "localhost".to_owned());
        let service = Service { name: manner.service, host, port };
        let mut mechanism = known.begin(credentials, &service)?;
        let is_played = matches!(self.stream.transport(), Some(Transport::Recorded(_)));
        if is_played {
            mechanism.believe();
        }
        Ok(Exchange {
            name: known.name,
            mechanism,
            manner,
            first: None,
            cancel: credentials.cancel,
            is_played,
            failure: None,
        })
    }

    /// Asks the server for its mechanisms, if they are needed, are not known yet, and the protocol
    /// can ask at any time.
    async fn ask_what_is_offered(&mut self, credentials: &Credentials, verb: &Verb) -> Result<()> {
        let manner = Manner::of(self.turn.speech());
        let Some(question) = manner
            .question
            .filter(|_| credentials.mechanism.is_none() && self.capabilities().is_none())
        else {
            return Ok(());
        };
        self.send_line(question.as_bytes(), verb.wait).await?;
        self.answer(verb).await?;
        if self.turn.protocol().owes_block() {
            self.multiline(true, verb.wait).await?;
        }
        Ok(())
    }

    /// The mechanisms that the server has advertised.
    fn offered(&self) -> Result<Vec<String>> {
        if let Some(capabilities) = self.capabilities() {
            return Ok(capabilities.auth());
        }
        let error =
            Error::new(Kind::Unexpected, "it is not known which mechanisms the server offers");
        Err(error.hint("ask for its capabilities before (ehlo(...) in SMTP), or name a mechanism"))
    }

    /// Answers a challenge. If that fails, cancels the exchange, so that the session can still be
    /// used.
    async fn respond(
        &mut self,
        exchange: &mut Exchange,
        challenge: &[u8],
        verb: &Verb,
    ) -> Result<()> {
        let response = exchange.answer(challenge).unwrap_or_else(|error| {
            exchange.failure = Some(self.answered(error, verb));
            None
        });
        if let Some(proof) = exchange.mechanism.proof() {
            self.record.secrets().learn_proof(proof.as_bytes());
        }
        let line = exchange.manner.response(response.as_deref());
        self.send_line(line.as_bytes(), verb.wait).await.map_err(|error| exchange.cancelled(error))
    }

    /// If the server sends its proof along with success, checks the proof.
    fn hear_last_words(
        &mut self,
        exchange: &mut Exchange,
        reply: &[u8],
        verb: &Verb,
    ) -> Result<()> {
        let Some(words) = exchange.manner.last_words(reply) else { return Ok(()) };
        let heard = exchange.decode(&words).and_then(|words| exchange.mechanism.respond(&words));
        if let Some(proof) = exchange.mechanism.proof() {
            self.record.secrets().learn_proof(proof.as_bytes());
        }
        match heard {
            // A challenge with success: what answers it was never sent.
            Ok(answer) if !answer.is_empty() => Err(self.too_early(reply, verb)),
            Ok(_) => Ok(()),
            Err(error) => Err(self.answered(error, verb)),
        }
    }

    /// Returns the error with the session and the time that was waited.
    fn here(&self, error: Error, verb: &Verb) -> Error {
        let mut error = error.with_session(self.name()).with_waited(verb.wait.waited());
        // Data that the server sent in base64 is decoded by now, and may contain secrets.
        error.mask(self.record.secrets());
        error
    }

    /// Returns the error with the line that the last reply answered.
    fn answered(&self, error: Error, verb: &Verb) -> Error {
        let line = self.turn.answered().map(|line| visible::excerpt(line, SHOWN));
        self.here(error.with_sent(line), verb)
    }

    /// Fails on success that comes before the mechanism has finished.
    fn check_end(&self, exchange: &Exchange, reply: &[u8], verb: &Verb) -> Result<()> {
        if !exchange.manner.is_success(reply) || exchange.mechanism.is_done() {
            return Ok(());
        }
        Err(self.too_early(reply, verb))
    }

    /// The error for success that comes before the mechanism has finished.
    fn too_early(&self, reply: &[u8], verb: &Verb) -> Error {
        let error = Error::new(
            Kind::Unexpected,
            "the server says success before the end of the exchange",
        )
        .with_expected(
            "the rest of the exchange, with the server's own proof where the mechanism has one",
        )
        .with_got(self.shown_lines(reply));
        let error = error.hint(
            "a server that takes what was not said yet may take anybody; write it out with send(...) to go on all the same",
        );
        self.answered(error, verb)
    }
}

impl Exchange {
    /// The command that begins the exchange, with the initial response if there is one; `may` says
    /// whether the server accepts an initial response.
    fn command(&mut self, credentials: &Credentials, may: bool) -> Result<String> {
        let opening = self.mechanism.opening();
        let usual = may && opening == Opening::Client && !credentials.cancel;
        if !credentials.initial.unwrap_or(usual) {
            return Ok(self.manner.command(self.name, None));
        }
        // If the server speaks first in the mechanism, the client has nothing to say yet, and sends
        // an empty response.
        let message =
            if opening == Opening::Server { Vec::new() } else { self.mechanism.respond(b"")? };
        let command = self.manner.command(self.name, Some(&message));
        if credentials.initial.is_none() && command.len() + 2 > self.manner.longest {
            self.first = Some(message);
            return Ok(self.manner.command(self.name, None));
        }
        Ok(command)
    }

    /// Returns the reason why the exchange failed, if it was cancelled for one.
    fn went_well(&mut self) -> Result<()> {
        self.failure
            .take()
            .map_or(Ok(()), |failure| Err(failure.hint("the exchange was cancelled")))
    }

    /// Returns the reason why the exchange failed, if there is one. It matters more than why the
    /// exchange could not be cancelled; the transcript has both.
    fn cancelled(&mut self, error: Error) -> Error {
        self.failure
            .take()
            .map_or(error, |failure| failure.hint("the exchange could not be cancelled either"))
    }

    /// The decoded challenge. In a recording the server's proof is masked, and cannot be decoded.
    fn decode(&self, challenge: &[u8]) -> Result<Vec<u8>> {
        let decoded = manner::decode(challenge);
        if self.is_played { Ok(decoded.unwrap_or_default()) } else { decoded }
    }

    /// The response to a challenge that is in base64; `None` cancels the exchange.
    fn answer(&mut self, challenge: &[u8]) -> Result<Option<Vec<u8>>> {
        if self.cancel {
            return Ok(None);
        }
        let challenge = self.decode(challenge)?;
        self.first.take().map_or_else(|| self.mechanism.respond(&challenge), Ok).map(Some)
    }
}
