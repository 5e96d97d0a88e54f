//! Listeners: the server's side of dialogues, for tests of clients.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use std::time::Duration;

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::argument::{boolean, bytes, check_known, duration, text_of};
use super::tls::{pem, version};
use super::{Handle, connecting, faults, wait};
use crate::error::{Error, Result};
use crate::script::listening::Listening;
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;
use crate::server::Listener;
use crate::tls::{Flaw, ServerOptions};

pub(super) const INTRO: &str = "A script can be the server, for tests of clients: `listen(\"smtp\")` opens a port, a client \
connects to the listener's `url`, and `accept()` returns the session, in which `greet`, `expect_command` and `reply` are the \
words of the server's side. A listener can have any scheme: `smtp`, `submission`, `lmtp`, `pop3`, `imap`, `sieve` and `tcp`; \
`smtps` and similar schemes with TLS from the start; `lmtp+unix` and similar schemes for a unix socket in a new folder. By \
default, a listener listens on a free port of loopback. A URL sets another address (`listen(\"smtp://127.0.0.1:2525\")`). \
Addresses other than loopback, and unix sockets outside of the script's folder and the current one, need \
`--allow-listen`.\n\n`listen(to, #{...})` takes the options `timeout`, `settle`, `grace`, `limit` and `segment` of `connect`, \
which apply to the accepted sessions, `read_rate: 1000` (the bytes that are read from each client in a second), `faults`, and \
`tls`: `flaw` (what is wrong with the certificate: `\"expired\"`, `\"not_yet_valid\"`, `\"another_name\"`, `\"self_signed\"`, \
`\"weak_key\"`, an RSA key of 1024 bits, or `\"sha1\"`, a signature with SHA-1), or your own `cert` and `key`, `min` and \
`max`, `client_ca` (the authority whose client certificates are demanded), and for `expect_starttls` `inject` (bytes in clear \
after the go-ahead) and `garbage` (bytes that are not TLS, in place of the handshake).\n\n`faults` is a map or a list of maps \
of faults on the sessions, whichever word sends. The maps have the options of `reply` (`cut`, `drip`, `chance` and so on), \
and conditions: `at: \"RCPT\"` (in the answer to commands that begin like this; also `CONNECT`, before TLS and the greeting, \
`GREETING`, `MESSAGE`, `RESPONSE`), `connection: 2` (on the second connection), `number: 3` (the third time that it could \
happen), `address: \"a@example.com\"` or `\"@example.com\"` (in MAIL and RCPT, and what follows in their transaction). The \
first fault that fits happens: `faults: [#{at: \"GREETING\", connection: 1, then: \"reset\"}, #{chance: 0.1, after: \
\"2s\"}]`. A connection that a fault ends at CONNECT does not have to be accepted; the transcript shows it at the next \
`accept()`.\n\nA connection that nobody accepted fails the script at its end. In a golden transcript the free port, the unix \
socket and the ports of clients are tokens. A script may play both sides: `connect(l.url)` and `l.accept()` in turn.";

/// How long `accept` waits in a script that serves clients from outside: a client may come at any
/// time.
const ENDLESS: Duration = Duration::from_hours(24 * 365);
const LISTEN: [&str; 8] =
    ["timeout", "settle", "grace", "limit", "segment", "tls", "faults", "read_rate"];
pub(super) const SERVER_TLS: [&str; 8] =
    ["flaw", "cert", "key", "min", "max", "client_ca", "inject", "garbage"];

/// Reads the TLS options of a server.
pub(super) fn server_tls(map: &Map) -> Result<ServerOptions> {
    let mut options = ServerOptions::new();
    for (name, value) in map {
        check_known(name, &SERVER_TLS)?;
        options = match name.as_str() {
            "flaw" => options.flaw(flaw(value)?),
            "cert" => options.cert(pem(name, value)?),
            "key" => options.key(pem(name, value)?),
            "client_ca" => options.client_ca(pem(name, value)?),
            "min" => options.min(version(value)?),
            "inject" => options.inject(bytes(value.clone(), "the option `inject`")?),
            "garbage" => options.garbage(boolean(name, value)?),
            _ => options.max(version(value)?),
        };
    }
    Ok(options)
}

/// Reads the name of what is wrong with a certificate.
pub(super) fn flaw(value: &Dynamic) -> Result<Flaw> {
    Ok(match text_of(value)?.as_str() {
        "expired" => Flaw::Expired,
        "not_yet_valid" => Flaw::NotYetValid,
        "another_name" => Flaw::AnotherName,
        "self_signed" => Flaw::SelfSigned,
        "weak_key" => Flaw::WeakKey,
        "sha1" => Flaw::Sha1,
        other => {
            return Err(Error::usage(format!("`{other}` is no flaw of a certificate"))
                .hint("\"expired\", \"not_yet_valid\", \"another_name\", \"self_signed\", \"weak_key\" or \"sha1\""));
        }
    })
}

fn open(ctx: &NativeCallContext<'_>, to: &str, options: &Map) -> Result<Listening, Raised> {
    let opened = wait(ctx, async {
        let run = Run::current()?;
        options.keys().try_for_each(|name| check_known(name, &LISTEN))?;
        let of_session: Map = options
            .iter()
            .filter(|(name, _)| !["tls", "faults", "read_rate"].contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let session = connecting::session_options(run.options(), &of_session, &LISTEN)?;
        let tls = match options.get("tls") {
            None => ServerOptions::new(),
            Some(tls) => server_tls(&*tls.as_map_ref().map_err(|_| {
                Error::usage("the option `tls` is a map").hint("tls: #{flaw: \"expired\"}")
            })?)?,
        };
        let place = run.listens().and_then(|listens| listens.place(to));
        let listening = Listener::options()
            .session(session)
            .tls(tls)
            .seeded(run.draws.seeded(run.scope().strand()));
        let mut listening = match options.get("read_rate") {
            Some(rate) => listening.read_rate(faults::rate(rate)?),
            None => listening,
        };
        for fault in options.get("faults").map(faults::faults).transpose()?.unwrap_or_default() {
            listening = listening.fault(fault);
        }
        let listener = if let Some(at) = place {
            listening.bind_at(to, at).await?
        } else {
            run.may_listen(to)?;
            listening.bind(to).await?
        };
        if let Some(listens) = run.listens() {
            listens.tell(&listener.url(), listener.ca().ok().as_deref())?;
        }
        Ok::<_, Error>(run.adopt_listener(to, Listening::new(listener)))
    })?;
    let listening = opened.map_err(|error| raise(ctx, error))?;
    note(ctx, &listening);
    Ok(listening)
}

fn note(ctx: &NativeCallContext<'_>, listening: &Listening) {
    let step = Run::current().ok().and_then(|run| run.steps.current());
    listening.note(ctx, step.as_deref().map(str::to_owned));
}

fn next(
    ctx: &NativeCallContext<'_>,
    listening: &Listening,
    allowed: Option<Duration>,
) -> Result<Handle, Raised> {
    note(ctx, listening);
    // A script that serves clients from outside waits for them without a limit, unless it sets one.
    let is_served = Run::current().is_ok_and(|run| run.listens().is_some());
    let allowed = allowed.or_else(|| is_served.then_some(ENDLESS));
    let accepted = wait(ctx, async {
        let listener = listening.listener();
        match allowed {
            Some(allowed) => listener.accept_within(allowed).await,
            None => listener.accept().await,
        }
    })?;
    let adopted = accepted.and_then(|session| Ok(Run::current()?.adopt(ctx, session)));
    adopted.map_err(|error| raise(ctx, error))
}

fn several(
    ctx: &NativeCallContext<'_>,
    listening: &Listening,
    count: i64,
    allowed: Option<Duration>,
) -> Result<Array, Raised> {
    if !(1..=10_000).contains(&count) {
        let error = Error::usage(format!("{count} connections cannot be accepted"));
        return Err(raise(ctx, error.hint("accept(n) takes a number from 1 to 10000")));
    }
    (0..count).map(|_| next(ctx, listening, allowed).map(Dynamic::from)).collect()
}

fn within(ctx: &NativeCallContext<'_>, options: &Map) -> Result<Option<Duration>, Raised> {
    let read = || {
        options.keys().try_for_each(|name| check_known(name, &["timeout"]))?;
        options.get("timeout").map(duration).transpose()
    };
    read().map_err(|error| raise(ctx, error))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Listens for clients. `to` is a scheme alone, or a whole URL.
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet(220, "localhost ESMTP");
    /// c.expect(220);
    /// c.send("QUIT");
    /// s.expect_quit();
    /// c.expect(221);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn listen(ctx: NativeCallContext, to: &str) -> Result<Listening, Raised> {
        open(&ctx, to, &Map::new())
    }

    #[rhai_fn(name = "listen", return_raw)]
    pub fn listen_with(
        ctx: NativeCallContext,
        to: &str,
        options: Map,
    ) -> Result<Listening, Raised> {
        open(&ctx, to, &options)
    }

    /// Accepts the next connection, and returns a session in which the script is the server.
    #[rhai_fn(return_raw)]
    pub fn accept(ctx: NativeCallContext, listener: &mut Listening) -> Result<Handle, Raised> {
        next(&ctx, listener, None)
    }

    #[rhai_fn(name = "accept", return_raw)]
    pub fn accept_with(
        ctx: NativeCallContext,
        listener: &mut Listening,
        options: Map,
    ) -> Result<Handle, Raised> {
        let allowed = within(&ctx, &options)?;
        next(&ctx, listener, allowed)
    }

    /// Accepts this number of connections, and returns the sessions in the order in which the
    /// connections came. With TLS from the start, it is the order in which the handshakes ended.
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// let one = connect(l.url);
    /// let two = connect(l.url);
    /// for s in l.accept(2) { s.reply_unasked("421 too many"); s.close(); }
    /// one.expect(421);
    /// two.expect(421);
    /// ```
    #[rhai_fn(name = "accept", return_raw)]
    pub fn accept_several(
        ctx: NativeCallContext,
        listener: &mut Listening,
        count: i64,
    ) -> Result<Array, Raised> {
        several(&ctx, listener, count, None)
    }

    #[rhai_fn(name = "accept", return_raw)]
    pub fn accept_several_with(
        ctx: NativeCallContext,
        listener: &mut Listening,
        count: i64,
        options: Map,
    ) -> Result<Array, Raised> {
        let allowed = within(&ctx, &options)?;
        several(&ctx, listener, count, allowed)
    }

    /// Refuses connections from now on, as if nothing listened; the port stays taken. Connections
    /// that came before still wait for `accept()`.
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// l.refuse();
    /// let refused = "";
    /// try { connect(l.url); } catch (error) { refused = error.kind; }
    /// assert_eq(refused, "refused");
    /// l.resume();
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet();
    /// c.expect(220);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn refuse(ctx: NativeCallContext, listener: &mut Listening) -> Result<(), Raised> {
        note(&ctx, listener);
        wait(&ctx, async { listener.listener().refuse().await })?
            .map_err(|error| raise(&ctx, error))
    }

    /// Takes connections again after `refuse()`.
    #[rhai_fn(return_raw)]
    pub fn resume(ctx: NativeCallContext, listener: &mut Listening) -> Result<(), Raised> {
        note(&ctx, listener);
        wait(&ctx, async { listener.listener().resume() })?.map_err(|error| raise(&ctx, error))
    }

    /// Checks that no client connects for this time.
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// l.expect_none("50ms");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_none(
        ctx: NativeCallContext,
        listener: &mut Listening,
        span: Dynamic,
    ) -> Result<(), Raised> {
        note(&ctx, listener);
        let none = wait(&ctx, async {
            listener.listener().expect_none(duration(&span)?).await?;
            Run::current()?.count_check();
            Ok(())
        })?;
        none.map_err(|error: Error| raise(&ctx, error))
    }

    /// The URL to connect to.
    #[rhai_fn(get = "url", pure)]
    pub fn url(listener: &mut Listening) -> String {
        listener.listener().url()
    }

    /// The address that the listener listens on; empty for a unix socket.
    #[rhai_fn(get = "host", pure)]
    pub fn host(listener: &mut Listening) -> String {
        listener.listener().host()
    }

    /// The port that the listener listens on; 0 for a unix socket.
    #[rhai_fn(get = "port", pure)]
    pub fn port(listener: &mut Listening) -> i64 {
        listener.listener().port().into()
    }

    /// The path of the unix socket that the listener listens on; empty for a port.
    #[rhai_fn(get = "path", pure)]
    pub fn path(listener: &mut Listening) -> String {
        listener.listener().path().to_string_lossy().into_owned()
    }

    /// The certificate of the authority that issued the listener's certificate, as PEM: a client
    /// has to trust this authority.
    #[rhai_fn(get = "ca", return_raw)]
    pub fn ca(ctx: NativeCallContext, listener: &mut Listening) -> Result<String, Raised> {
        listener.listener().ca().map_err(|error| raise(&ctx, error))
    }

    /// How many connections have been accepted so far.
    #[rhai_fn(get = "accepted", pure)]
    pub fn accepted(listener: &mut Listening) -> i64 {
        listener.listener().accepted().into()
    }
}
