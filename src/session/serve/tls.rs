//! TLS on the server's side: after STARTTLS, or as soon as a client connects.

use std::io;

use tokio::time::timeout_at;

use super::super::operation::Operation;
use super::super::wait::Arrival;
use super::super::waiting::Wait;
use super::super::{Role, Session};
use super::command::Command;
use crate::error::{Error, Kind, Result};
use crate::tls::{self, Established, ServerOptions};
use crate::transcript::What;
use crate::transport::{Broken, Tls, Transport};

/// How errors name the handshake as something that was wanted.
const WANTED: &str = "a TLS handshake";

/// Server: TLS (RFC 3207).
impl Session {
    /// Takes the client's command for TLS (STARTTLS, or STLS in POP3), accepts it, and makes the
    /// handshake. `options` replace those of the listener. In `ManageSieve` the server then sends
    /// its capabilities (RFC 5804 section 2.2).
    ///
    /// # Errors
    /// A mismatch if another command comes; malformed if the command has arguments; `injected` if the client sent more in clear after its
    /// command; `tls` if the handshake fails; a time-out.
    pub fn expect_starttls(
        &mut self,
        options: impl Into<Option<ServerOptions>>,
    ) -> Operation<'_, Command> {
        let options = options.into();
        self.operation(move |session, mut call| {
            Box::pin(async move {
                if let Some(options) = &options {
                    options.check(false)?;
                }
                let fault = call.fault.take();
                let wait = session.begin_next_command(&call, "expect_starttls")?;
                let speech = session.turn.speech();
                let tls = speech.facts().tls;
                let verb = tls.map_or("STARTTLS", |tls| tls.command);
                let command = session.command_alone(verb, wait).await?;
                session.read_ready().await?;
                if !session.stream.held().is_empty() {
                    let got = session.shown_held();
                    return Err(session.injected_by_client(got, wait));
                }
                let go_ahead = tls.map_or("220 2.0.0 go ahead", |tls| tls.go_ahead);
                let is_garbage = session.say_with(&go_ahead.into(), fault, wait).await?;
                if !session.stream.is_open() {
                    return Ok(command);
                }
                let options = options.or_else(|| session.own_tls()).unwrap_or_default();
                if !options.injected().is_empty() {
                    let injected = bytes::Bytes::copy_from_slice(options.injected());
                    session.write_for(&bytes::Bytes::new(), injected, wait).await?;
                }
                if options.is_garbage() || is_garbage {
                    session.send_garbage(wait).await?;
                    return Ok(command);
                }
                session.serve_handshake(Some(options), wait).await?;
                if tls.is_some_and(|tls| tls.greets_again) {
                    session.say(&super::replies::usual(speech), wait).await?;
                }
                Ok(command)
            })
        })
    }

    /// The TLS options of the listener.
    fn own_tls(&self) -> Option<ServerOptions> {
        self.serving.as_ref().map(|serving| serving.tls.clone())
    }

    /// Sends plain text in place of the handshake, once the client has begun it, and closes.
    async fn send_garbage(&mut self, wait: Wait) -> Result<()> {
        while !is_record(self.stream.held()) {
            match self.read_for(&WANTED, wait, wait.deadline()).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(self.timed_out(wait, WANTED)),
                Arrival::End => return Err(self.closed(wait, WANTED, None)),
            }
        }
        // The `ClientHello` is dropped. In the transcript, its random bytes would differ each time;
        // left unread, it would make the close a reset, before the client has read our bytes.
        let hello = self.stream.held().len();
        self.stream.buffer_mut().take(hello);
        let garbage = bytes::Bytes::from_static(b"220 this is no TLS\r\n");
        self.write_for(&bytes::Bytes::new(), garbage, wait).await?;
        self.turn.settle_all();
        self.hang_up();
        Ok(())
    }

    /// Makes the handshake as the server, without a command before it.
    pub(in crate::session) async fn serve_handshake(
        &mut self,
        options: Option<ServerOptions>,
        wait: Wait,
    ) -> Result<()> {
        self.transport()?;
        let Some(serving) = &self.serving else {
            return Err(Error::usage("this session is not on the server's side"));
        };
        let options = options.unwrap_or_else(|| serving.tls.clone());
        options.secrets().for_each(|line| self.record.secrets().learn(line));
        let (acceptor, versions) = (options.acceptor(&serving.authority)?, options.versions());
        let attempt = acceptor.attempt();
        let Some(transport) = self.stream.take_transport() else { return Ok(()) };
        let (transport, segment) = transport.into_uncut();
        self.await_for(&WANTED, wait);
        let accepting = Box::pin(Tls::accept(attempt.config(), transport));
        match timeout_at(wait.deadline(), accepting).await {
            Ok(Ok(tls)) => {
                self.stream.secure(Transport::Tls(Box::new(tls)), segment);
                self.note_accepted_tls();
                Ok(())
            }
            Ok(Err(Broken { error, transport, began })) => {
                self.stream.put_back(transport);
                if began.first().is_some_and(|byte| *byte >= b' ') {
                    self.record.note(What::Tls("failed: the client went on in clear".to_owned()));
                    let got = self.shown(&began);
                    let error = self.injected_by_client(got, wait);
                    self.hang_up();
                    return Err(error);
                }
                let error = attempt.explain(error);
                Err(self.client_broke_off(&error, versions).with_waited(wait.waited()))
            }
            Err(_) => {
                self.record.note(What::TimedOut(wait.allowed));
                let message = "the client did not finish the TLS handshake in time";
                let error = self.fault(Kind::Timeout, message);
                self.hang_up();
                Err(error.with_expected(WANTED).with_waited(wait.waited()))
            }
        }
    }

    /// Records the TLS parameters of a connection from a client, if TLS is on.
    pub(in crate::session) fn note_accepted_tls(&mut self) {
        let transport = self.stream.transport_mut().map(Transport::uncut);
        let Some(Transport::Tls(tls)) = transport else { return };
        let Some(connection) = tls.server() else { return };
        let words = tls::spoken(connection);
        let established = Established::accepted(connection);
        let name = match established.name.as_str() {
            "" => "no name asked for".to_owned(),
            name => format!("{name} asked for"),
        };
        let shown = established.certificate.as_ref().map(|shown| shown.subject.clone());
        let shown = shown.map(|subject| format!(", client certificate {subject}"));
        self.record.note(What::Tls(format!("{words}, {name}{}", shown.unwrap_or_default())));
        self.stream.establish(established);
    }

    /// Makes the error for a client that did not complete the handshake; `allowed` are the lowest
    /// and the highest version that it may have.
    pub(in crate::session) fn client_broke_off(
        &mut self,
        error: &io::Error,
        allowed: (Option<tls::Version>, Option<tls::Version>),
    ) -> Error {
        let tls::Refused { why, certificate, hint } =
            if error.kind() == io::ErrorKind::UnexpectedEof {
                self.ending.seen(Role::Client.closes());
                tls::Refused {
                    why: "the client closed the connection in the middle of the handshake".into(),
                    certificate: None,
                    hint: Some("a client that refuses the certificate may close like this".into()),
                }
            } else {
                tls::of_client(error, allowed)
            };
        self.record.note(What::Tls(format!("failed: {why}")));
        let fault = self.fault(Kind::Tls, format!("TLS failed: {why}"));
        self.hang_up();
        let (wanted, came) = certificate.unwrap_or_else(|| (WANTED.to_owned(), why));
        let fault = fault.with_expected(wanted).with_got(came);
        fault.hint(hint.as_deref().unwrap_or("catch the error if the client is right to break off"))
    }

    /// Makes the error for what came in clear, in one packet with the command or in the next one.
    fn injected_by_client(&self, got: String, wait: Wait) -> Error {
        let error =
            self.fault(Kind::Injected, "the client sent more in clear after its command for TLS");
        error
            .with_expected("nothing before the handshake (RFC 3207, 4.2)")
            .with_got(got)
            .with_waited(wait.waited())
            .hint("a server that keeps these bytes lets a man in the middle put commands there")
    }
}

/// Whether the bytes are a whole TLS record, such as a `ClientHello` (RFC 8446 section 5.1), or
/// cannot begin one.
fn is_record(bytes: &[u8]) -> bool {
    match bytes {
        [] => false,
        [22, _, _, high, low, rest @ ..] => {
            rest.len() >= usize::from(u16::from_be_bytes([*high, *low]))
        }
        [first, ..] => *first != 22,
    }
}
