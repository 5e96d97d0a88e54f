//! The dialogue of a probe with one port, up to the depth that was asked for.

use std::time::{Duration, Instant};

use super::deadline::{GOODBYE, left};
use super::delivery;
use super::encrypted::check_encrypted;
use super::{Depth, Found, Port, Probe, State, host_ports};
use crate::error::{Error, Kind, Result};
use crate::message::Draft;
use crate::pattern::Regex;
use crate::proto::Speech;
use crate::proto::capabilities::Capabilities;
use crate::session::{Options, Session};
use crate::tls::Established;
use crate::visible;

/// The number of bytes of a greeting that are kept.
const GREETING: usize = 400;
/// How long a port with an unknown protocol may be silent before TLS is tried.
const SILENT: Duration = Duration::from_secs(3);
/// The service at an open port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    pub(crate) speech: Option<Speech>,
    /// The first line from the server.
    pub(crate) greeting: Option<String>,
    /// Whether the connection begins with TLS.
    pub(crate) is_tls: bool,
    /// Whether the server offers STARTTLS; `None` if it was not asked.
    pub(crate) starttls: Option<bool>,
    pub(crate) tls: Option<Established>,
    /// The SASL mechanisms that the server offers.
    pub(crate) mechanisms: Vec<String>,
}

pub(super) struct Talk<'a> {
    pub(super) probe: &'a Probe,
    pub(super) options: Options,
    pub(super) host: &'a str,
    pub(super) port: Port,
    pub(super) found: &'a mut Found,
}

impl Talk<'_> {
    /// Talks to the port, and records in `found` what the service is and how far the dialogue got.
    pub(super) async fn run(mut self) -> Result<()> {
        let deadline = Instant::now() + self.probe.timeout;
        let (speech, is_tls) = match self.port.speech() {
            Some(known) => known,
            None => match self.recognised(deadline).await? {
                Some(known) => known,
                // The port is open but speaks no known protocol, or it could not be reached.
                None => return self.unknown(),
            },
        };
        self.found.service.speech = Some(speech);
        self.found.service.is_tls = is_tls;
        let connected = self.connect(scheme(speech), deadline).await?;
        let Some(mut session) = connected else { return Ok(()) };
        session.set_until(Some(deadline));
        let own = self.probe.helo.clone().unwrap_or_else(|| session.own_literal());
        let mut steps = Steps { session, speech, deadline, own, token: String::new(), talk: self };
        let done = steps.all().await;
        steps.leave(done.is_ok()).await;
        done
    }

    /// Connects without TLS. `None` if the port is not open, which is a result and not a failure.
    async fn connect(&mut self, scheme: &str, deadline: Instant) -> Result<Option<Session>> {
        let url = host_ports::url(self.host, scheme, self.port.number);
        match self.options.clone().timeout(left(deadline)).connect(&url).await {
            Ok(session) => Ok(Some(session)),
            Err(error) => match State::of(&error) {
                Some(state) => {
                    self.found.state = state;
                    Ok(None)
                }
                None => Err(error),
            },
        }
    }

    /// Recognises the protocol of an unknown port by its first line, in clear or with TLS. Returns
    /// the protocol and whether it needs TLS first.
    async fn recognised(&mut self, deadline: Instant) -> Result<Option<(Speech, bool)>> {
        for is_tls in [false, true] {
            let Some(mut session) = self.connect("tcp", deadline).await? else { return Ok(None) };
            session.set_timeout(SILENT.min(left(deadline) / 2));
            let up = if is_tls { session.tls_handshake().await } else { Ok(()) };
            let line = match up {
                Ok(()) => session.expect_line(Regex::new("")?).await.ok(),
                Err(_) => None,
            };
            let line = line.map(|reply| reply.bytes().to_vec());
            if line.is_none() {
                session.hang_up();
                continue;
            }
            session.hang_up();
            let line = line.unwrap_or_default();
            self.found.service.greeting = Some(self.shown(&line));
            let speech = Speech::of_greeting(&line).or_else(|| Speech::of_refusal(&line));
            return Ok(speech.map(|speech| (speech, is_tls)));
        }
        Ok(None)
    }

    /// A line of the server as reports show it.
    fn shown(&self, line: &[u8]) -> String {
        let line = crate::proto::chomp(line);
        visible::excerpt(&self.options.secrets().mask(line, &[]), GREETING)
    }

    /// The result for a port that speaks no mail protocol or could not be reached.
    fn unknown(self) -> Result<()> {
        if self.found.state != State::Open || self.probe.depth == Depth::Banner {
            return Ok(());
        }
        match &self.found.service.greeting {
            None => Err(Error::new(Kind::Timeout, "nothing was said there, in clear or by TLS")
                .hint("name what speaks there by a URL: smtp://host:port")),
            Some(greeting) => {
                Err(Error::new(Kind::Mismatch, "what speaks there is no mail protocol")
                    .with_got(greeting.clone()))
            }
        }
    }
}

/// The URL scheme without TLS for a protocol.
fn scheme(speech: Speech) -> &'static str {
    speech.facts().schemes.first().map_or("tcp", |scheme| scheme.name)
}

/// A dialogue in progress.
struct Steps<'a> {
    session: Session,
    speech: Speech,
    deadline: Instant,
    /// The name that we give in EHLO.
    own: String,
    /// The token in the subject by which our message is recognised.
    token: String,
    talk: Talk<'a>,
}

impl Steps<'_> {
    /// Takes one step after the other, down to the depth that was asked for. Each step returns
    /// whether there was anything for it to do.
    async fn all(&mut self) -> Result<()> {
        let mut depth = Depth::Banner;
        while depth <= self.goal() {
            self.talk.found.at = depth;
            let was_done = match depth {
                Depth::Banner => self.greeting().await?,
                Depth::Ehlo => self.hello().await?,
                Depth::Tls => self.tls().await?,
                Depth::Auth => self.auth().await?,
                Depth::Rcpt => self.rcpt().await?,
                Depth::Data => self.data().await?,
                Depth::Delivered => self.delivered().await?,
            };
            if was_done {
                self.talk.found.reached = Some(depth);
            }
            let Some(next) = depth.next() else { break };
            depth = next;
        }
        Ok(())
    }

    /// The deepest step in this protocol: only SMTP and LMTP have transactions.
    fn goal(&self) -> Depth {
        if self.is_smtp() { self.talk.probe.depth } else { self.talk.probe.depth.min(Depth::Auth) }
    }

    fn is_smtp(&self) -> bool {
        self.speech.facts().has_messages
    }

    async fn greeting(&mut self) -> Result<bool> {
        if self.talk.found.service.is_tls {
            self.session.tls_handshake().await?;
            self.talk.found.service.tls = self.session.tls().cloned();
        }
        let wanted = self.speech.facts().greeting;
        let reply = match self.session.expect_any(wanted.iter().copied()).await {
            Ok(reply) => reply,
            Err(error) => {
                self.talk.found.service.greeting = error.got().map(first_line);
                return Err(error);
            }
        };
        let first = reply.bytes().split(|byte| *byte == b'\n').next().unwrap_or_default();
        self.talk.found.service.greeting = Some(self.talk.shown(first));
        Ok(true)
    }

    /// Sends EHLO or its equivalent, and reads what the server can do.
    async fn hello(&mut self) -> Result<bool> {
        let name = self.own.clone();
        match self.speech {
            Speech::Smtp => drop(self.session.ehlo(&name).await?),
            Speech::Lmtp => drop(self.session.lhlo(&name).await?),
            // Any reply to CAPA will do, because old servers do not know the command.
            Speech::Pop3 => drop(self.session.capability().expect(Regex::new("")?).await?),
            Speech::Imap => drop(self.session.capability().await?),
            _ => {}
        }
        let service = &mut self.talk.found.service;
        let capabilities = self.session.capabilities();
        let tls = self.speech.facts().tls.map_or("STARTTLS", |tls| tls.command);
        if self.session.tls().is_none() {
            service.starttls = Some(capabilities.is_some_and(|capabilities| capabilities.has(tls)));
        }
        service.mechanisms = capabilities.map(Capabilities::auth).unwrap_or_default();
        // Mechanisms are shown in capitals, in which a password is not searched for.
        for password in self.talk.probe.passwords().map(|password| password.to_uppercase()) {
            for mechanism in service.mechanisms.iter_mut().filter(|one| one.contains(&password)) {
                "[SECRET]".clone_into(mechanism);
            }
        }
        Ok(true)
    }

    async fn tls(&mut self) -> Result<bool> {
        if self.session.tls().is_some() {
            return Ok(true);
        }
        if self.talk.found.service.starttls == Some(true) {
            self.session.starttls().await?;
            self.talk.found.service.tls = self.session.tls().cloned();
            return self.hello().await;
        }
        if self.talk.probe.wants_tls {
            let command = self.speech.facts().tls.map_or("STARTTLS", |tls| tls.command);
            let error = Error::new(Kind::Mismatch, format!("the server does not offer {command}"));
            return Err(error.with_expected("TLS").with_got("a dialogue in clear"));
        }
        Ok(false)
    }

    /// Authenticates if there is an account. Where other servers deliver, few servers offer AUTH,
    /// and a deeper probe goes on without.
    async fn auth(&mut self) -> Result<bool> {
        let Some(account) = &self.talk.probe.account else { return Ok(false) };
        let is_exchange = self.speech == Speech::Lmtp || self.talk.port.scheme == Some("smtp");
        let offers = !self.talk.found.service.mechanisms.is_empty();
        if is_exchange && !offers && self.talk.probe.depth != Depth::Auth {
            return Ok(false);
        }
        check_encrypted(&self.session)?;
        match self.speech {
            Speech::Imap | Speech::Pop3 => {
                self.session.login(&account.user, &account.password).await?;
            }
            _ => drop(self.session.auth(account.credentials()).await?),
        }
        Ok(true)
    }

    /// A transaction that is abandoned: sender, recipient, RSET.
    async fn rcpt(&mut self) -> Result<bool> {
        let Some(rcpt) = &self.talk.probe.rcpt else { return Ok(false) };
        self.session.mail(&self.talk.probe.from).await?;
        self.session.rcpt(rcpt).await?;
        self.session.rset().await?;
        Ok(true)
    }

    /// Sends a message.
    async fn data(&mut self) -> Result<bool> {
        let Some(rcpt) = self.talk.probe.rcpt.clone() else { return Ok(false) };
        let from = &self.talk.probe.from;
        self.token = crate::message::unique_id();
        self.session.mail(from).await?;
        self.session.rcpt(&rcpt).await?;
        self.session.data(message(from, &rcpt, &self.token).as_slice()).await?;
        Ok(true)
    }

    /// Waits for the message in the mailbox.
    async fn delivered(&mut self) -> Result<bool> {
        let probe = self.talk.probe;
        let Some((mailbox, account)) = &probe.mailbox else { return Ok(false) };
        // The mailbox may be on another host, so the options that are tied to this one are not
        // used.
        let options = probe.options.clone().transcript(self.session.transcript().clone());
        delivery::wait(options, mailbox, account, &self.token, self.deadline).await?;
        Ok(true)
    }

    /// Ends the session politely, so that the server logs no error. After a failure this is only
    /// done if no reply is due.
    async fn leave(&mut self, is_well: bool) {
        self.session.set_until(Some(self.deadline + GOODBYE));
        if is_well || (self.session.is_open() && self.session.owed() == 0) {
            // The result says nothing about the server.
            let _ = self.session.quit().await;
        }
        self.session.hang_up();
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// A message that says which program sent it, and why.
fn message(from: &str, to: &str, token: &str) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let sender = if from.is_empty() { to } else { from };
    let text = format!(
        "mailexpect {version} sent this message to see whether this server takes mail and delivers it.\n\
         Somebody ran `mailexpect probe` for that, perhaps from a monitor. It can be deleted.\n"
    );
    let draft = Draft {
        from: sender.to_owned(),
        to: vec![to.to_owned()],
        subject: format!("mailexpect probe {token}"),
        text: Some(text),
        headers: vec![
            ("Auto-Submitted".to_owned(), "auto-generated".to_owned()),
            ("X-Mailer".to_owned(), format!("mailexpect {version}")),
        ],
        ..Draft::default()
    };
    draft.compose()
}
