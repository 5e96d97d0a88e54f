//! Opening sessions: by connecting, by a command, from a recording, and as a server.

use std::sync::Arc;

use bytes::Bytes;

use super::Session;
use super::caller::{Caller, explain_clock};
use super::ending::Ending;
use super::options::Options;
use super::record::Record;
use super::role::Role;
use super::serve::OnConnection;
use super::serve::serving::Serving;
use super::stream::{Stream, Terms};
use super::turn::Turn;
use super::waiting::Wait;
use crate::error::{Error, Kind, Result};
use crate::proto::{Protocol, Scheme};
use crate::runtime;
use crate::target::Target;
use crate::tls;
use crate::transcript::{Close, SessionId, What};
use crate::transport::{Process, Transport, connect};

/// A connection that a listener has accepted.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) transport: Transport,
    /// The address that the connection comes from.
    pub(crate) peer: String,
    /// The faults that the server plays on this connection.
    pub(crate) faults: OnConnection,
    /// The most bytes a second that are read from the connection; `None` for no limit.
    pub(crate) read_rate: Option<u32>,
    /// Why the handshake failed, if TLS had to be on from the start.
    pub(crate) tls_failed: Option<std::io::Error>,
}

impl Options {
    /// Returns the recorded session with this number, to play in place of a connection to `peer`;
    /// `None` if no recording is played.
    fn played(&self, id: SessionId, peer: &str) -> Result<Option<Transport>> {
        let Some(recording) = &self.recording else { return Ok(None) };
        let name = id.to_string();
        let scheme = |url: &str| url.split("://").next().unwrap_or_default().to_owned();
        let got = match recording.session(&name) {
            Some((url, recorded)) if scheme(url) == scheme(peer) => {
                let result = "recorded".into();
                let attempt = What::Attempt { address: url.into(), result };
                self.transcript.record_on(id, attempt);
                return Ok(Some(Transport::Recorded(Box::new(recorded))));
            }
            Some((url, _)) => format!("one with {url}"),
            None => "no such session".to_owned(),
        };
        let error = Error::usage(format!("the recording has no session {name} with {peer}"));
        let error = error.with_expected(peer).with_got(got).with_session(format!("{name}, {peer}"));
        Err(error.hint("run against a server to record it anew: --trace on"))
    }

    /// Connects to `smtp://host:port`, `smtp+unix:///path`, other schemes of these forms, or the
    /// mail exchangers of `mx://domain`. With `smtps`, `submissions`, `lmtps`, `pop3s`, `imaps`
    /// and `tls`, the TLS handshake comes before anything else (RFC 8314 section 3).
    ///
    /// # Errors
    /// Unreachable, with each address that was tried and why it failed; `tls` if the handshake
    /// fails, with the reason; a usage error for a URL that cannot be read.
    pub async fn connect(self, url: &str) -> Result<Session> {
        // The future is boxed so that a script which waits for something else later does not keep
        // room for it on its stack.
        let began = std::time::Instant::now();
        Box::pin(self.open(url)).await.map_err(|error| explain_clock(error, began.elapsed()))
    }

    async fn open(self, url: &str) -> Result<Session> {
        let target = Target::parse(url)?;
        let caller = self.caller();
        let unheard = self.pace.turn().await;
        let id = self.transcript.open();
        let peer = target.to_string();
        let started = Wait::new(self.timeout);
        let record = |what| self.transcript.record_on(id, what);
        record(What::Connecting(peer.clone()));
        let report = |address: &str, result: &str| {
            record(What::Attempt { address: address.into(), result: result.into() });
        };
        if let Some(transport) = self.played(id, &peer)? {
            let mut session = self.session(id, peer, transport, protocol(target.scheme));
            if target.scheme.is_tls() {
                session.handshake(None, started).await?;
            }
            return Ok(session);
        }
        let proxy = self.route.proxy;
        let connected = connect(&target, &self.route, self.timeout, report).await;
        let connected = connected.map_err(|error| error.with_session(format!("{id}, {peer}")))?;
        let protocol = protocol(target.scheme);
        #[cfg(feature = "script")]
        let opened = (connected.lookup, connected.elapsed, connected.transport.peer_address());
        let mut session = self.session(id, peer, connected.transport, protocol);
        #[cfg(feature = "script")]
        {
            session.opened = Some(opened);
        }
        session.exchanger = connected.exchanger;
        session.proxy = proxy;
        session.stream.hold(unheard);
        if target.scheme.is_tls() {
            session.handshake(None, started).await?;
        }
        // Set only after the handshake: if the handshake fails, the session is dropped here, and
        // must not panic over its unfinished dialogue.
        session.caller = caller;
        Ok(session)
    }

    /// Starts a command without a shell, and speaks with its stdin and stdout.
    ///
    /// `protocol` is `smtp` for commands such as `sendmail -bs`, or `tcp` for a plain stream.
    ///
    /// # Errors
    /// Unreachable if the command cannot be started; a usage error for an empty command or for a
    /// protocol that mailexpect does not speak.
    pub fn pipe(self, command: &[String], protocol_name: &str) -> Result<Session> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(Error::usage("no command to start").hint("pipe(\"sendmail -bs\")"));
        };
        let scheme = Target::parse(&format!("{protocol_name}://localhost:1"))?.scheme;
        if scheme.is_tls() {
            let error =
                Error::usage(format!("a command cannot be spoken with by {protocol_name} at once"));
            return Err(error.hint(
                "name the protocol without TLS, and put TLS on by starttls() or tls_handshake()",
            ));
        }
        let id = self.transcript.open();
        let peer = command.join(" ");
        self.transcript.record_on(id, What::Connecting(peer.clone()));
        if let Some(transport) = self.played(id, &peer)? {
            return Ok(self.session(id, peer, transport, protocol(scheme)));
        }
        let started = Process::start(program, arguments);
        let result = started.as_ref().map_or_else(ToString::to_string, |_| "started".to_owned());
        self.transcript.record_on(
            id,
            What::Attempt { address: program.as_str().into(), result: result.as_str().into() },
        );
        let process = started.map_err(|cause| {
            let error = Error::new(Kind::Unreachable, format!("cannot start `{program}`"))
                .with_expected("a running command")
                .with_got(result);
            runtime::explained(error, &cause)
                .with_session(format!("{id}, {peer}"))
                .hint("look for a mistake in its name, or give its whole path")
        })?;
        let caller = self.caller();
        let process = Transport::Process(Box::new(process));
        let mut session = self.session(id, peer, process, protocol(scheme));
        session.caller = caller;
        Ok(session)
    }

    fn caller(&self) -> Option<Caller> {
        self.is_judged.then(|| Caller::new(self.transcript.clone()))
    }

    fn session(
        self,
        id: SessionId,
        peer: String,
        transport: Transport,
        protocol: Box<dyn Protocol>,
    ) -> Session {
        self.of_role(Role::Client, id, peer, (transport, protocol))
    }

    /// Opens a session of the server's side on an accepted connection.
    pub(crate) fn accepted(
        self,
        incoming: Incoming,
        scheme: &'static Scheme,
        tls: (&tls::ServerOptions, &Arc<tls::Authority>),
    ) -> Result<Session> {
        let id = self.transcript.open();
        let from = incoming.peer;
        self.transcript.record_on(id, What::Accepted(from.clone()));
        let peer = format!("the client of {from}");
        let made = (incoming.transport, protocol(scheme));
        let caller = self.caller();
        let mut session = self.of_role(Role::Server, id, peer, made);
        session.serving =
            Some(Box::new(Serving::new(tls.0.clone(), Arc::clone(tls.1), incoming.faults)));
        if let Some(rate) = incoming.read_rate {
            session.stream.slow_down(rate);
        }
        if let Some(error) = incoming.tls_failed {
            return Err(session.client_broke_off(&error, tls.0.versions()));
        }
        session.note_accepted_tls();
        session.caller = caller;
        Ok(session)
    }

    /// Records a client that came and could not be accepted: what was said to it, and how its
    /// connection ended, if it did.
    pub(crate) fn came_and_went(&self, from: String, said: &'static [u8], close: Option<Close>) {
        let id = self.transcript.open();
        self.transcript.record_on(id, What::Accepted(from));
        if !said.is_empty() {
            self.transcript.record_on(id, What::Server(Bytes::from_static(said).into()));
        }
        if let Some(close) = close {
            self.transcript.record_on(id, What::Closed(close));
        }
    }

    fn of_role(
        self,
        role: Role,
        id: crate::transcript::SessionId,
        peer: String,
        (transport, protocol): (Transport, Box<dyn Protocol>),
    ) -> Session {
        let record = Record::new(id, role, self.transcript);
        self.tls.secrets().for_each(|line| record.secrets().learn(line));
        let terms =
            Terms { timeout: self.timeout, settle: self.settle, limit: self.limit, tls: self.tls };
        Session {
            peer,
            exchanger: None,
            proxy: None,
            turn: Turn::new(role, protocol),
            ending: Ending::new(self.grace),
            record,
            stream: Stream::new(transport.cut(self.segment), terms),
            capabilities: None,
            tags: super::verbs::imap::Tags::default(),
            #[cfg(feature = "script")]
            opened: None,
            serving: None,
            caller: None,
            before: None,
        }
    }
}

fn protocol(scheme: &Scheme) -> Box<dyn Protocol> {
    (scheme.speech.facts().dialogue)(scheme.plain_name())
}
