//! The words that open, configure and end sessions.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::argument::text_of;
use super::{Handle, argument, connecting, wait};
use crate::error::{Error, Result};
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;

pub(super) const INTRO: &str = "A session is a dialogue with one peer. It knows whether a reply is owed: one after \
connecting, and one for each command. A dialogue ends with `close()` or at the end of the script. A reply that was never \
expected then fails the script. Our side is closed, and the server's side is read until the server closes too, or until the \
grace time of 1 s is over (`connect(url, #{grace: \"3s\"})`, `--grace`). A reply that comes in this time, or bytes that are \
not a reply, fail the script and are shown. What a server may send unasked is allowed: 421 in SMTP, untagged data in IMAP, \
BYE in ManageSieve. The server may also close; `expect_close()` requires that it does, and `expect_silence(...)` that it does \
not. A script that has failed leaves at once.";

const CONNECT: [&str; 9] =
    ["timeout", "settle", "grace", "limit", "source_ip", "family", "proxy", "tls", "segment"];
const READY: [&str; 5] = ["timeout", "source_ip", "family", "proxy", "tls"];
const PIPE: [&str; 7] = ["timeout", "settle", "grace", "limit", "protocol", "tls", "segment"];

fn open(ctx: &NativeCallContext<'_>, url: Option<&str>, options: &Map) -> Result<Handle, Raised> {
    let opened = wait(ctx, async {
        let run = Run::current()?;
        let options = connecting::session_options(run.options(), options, &CONNECT)?;
        let url = match url {
            Some(url) => url.to_owned(),
            None => run.param("smtp")?.unwrap_or_default(),
        };
        run.may_connect(&url)?;
        Ok::<_, Error>(run.adopt(ctx, options.connect(&url).await?))
    })?;
    opened.map_err(|error| raise(ctx, error))
}

fn until_ready(ctx: &NativeCallContext<'_>, url: &str, options: &Map) -> Result<(), Raised> {
    let ready = wait(ctx, async {
        let run = Run::current()?;
        run.may_connect(url)?;
        connecting::session_options(run.options(), options, &READY)?.wait_ready(url).await?;
        run.count_check();
        Ok(())
    })?;
    ready.map_err(|error: Error| raise(ctx, error))
}

pub(super) fn words_of(command: Dynamic) -> Result<Vec<String>> {
    let wrong = || Error::usage("a command is text, or a list of text");
    let words = command.into_array().map_err(|_| wrong())?;
    words.iter().map(|word| if word.is_string() { text_of(word) } else { Err(wrong()) }).collect()
}

fn start(ctx: &NativeCallContext<'_>, command: Vec<String>, options: &Map) -> Result<Handle> {
    let run = Run::current()?;
    run.may_start()?;
    let protocol = options.get("protocol").map_or_else(|| Ok("tcp".to_owned()), text_of)?;
    let options = connecting::session_options(run.options(), options, &PIPE)?;
    // Starting a process needs a running runtime, but there is nothing to wait for.
    options.pipe(&command, &protocol).map(|session| run.adopt(ctx, session))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Connects to a server. The URL is `smtp://host:port`, `submission://host:port`,
    /// `lmtp://host:port`, `pop3://host:port`, `imap://host:port`, `sieve://host:port`, or
    /// `tcp://host:port` for a plain stream without framing. `smtps://`, `submissions://`,
    /// `lmtps://`, `pop3s://`, `imaps://` and `tls://` have TLS from the start. A unix socket is
    /// `smtp+unix:///path`. `mx://domain` stands for the mail exchangers of a domain, in the order
    /// of their preference. The addresses of a host are tried in order, and each attempt is
    /// recorded in the transcript.
    ///
    /// ```rhai
    /// let s = connect(param("smtp"));
    /// s.expect(220);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn connect(ctx: NativeCallContext, url: &str) -> Result<Handle, Raised> {
        open(&ctx, Some(url), &Map::new())
    }

    /// Connects with options. `timeout` is the deadline of each operation (`"10s"`). `source_ip` is
    /// the address to connect from, and `family` is 4 or 6. `limit` is the most bytes that may be
    /// held unread (32 MiB by default). `tls` is described under TLS. `settle` is for regex matches
    /// in a stream that more bytes could make longer: such a match is accepted after the peer has
    /// been quiet for this time (`"200ms"`).
    ///
    /// `proxy` begins the connection with a PROXY header: `1` or `2` for its version, or
    /// `#{version: 1, source: "192.0.2.7:4711", destination: "192.0.2.1:25"}` to name the client
    /// and the server in the header.
    ///
    /// `segment` cuts what is sent into writes and what comes into reads: `"bytes"`, `"lines"`,
    /// `"crlf"` (between CR and LF), or `"whole"`. No result may depend on it;
    /// `mailexpect run --segment` tries all of them.
    ///
    /// ```rhai
    /// let s = connect(param("smtp"), #{timeout: "5s", source_ip: "127.0.0.9"});
    /// s.expect(220);
    /// ```
    #[rhai_fn(name = "connect", return_raw)]
    pub fn connect_with(ctx: NativeCallContext, url: &str, options: Map) -> Result<Handle, Raised> {
        open(&ctx, Some(url), &options)
    }

    /// Connects to the target `smtp`: the URL given by `--set smtp=...`, or else the embedded
    /// server.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// ```
    #[rhai_fn(name = "connect", return_raw)]
    pub fn connect_default(ctx: NativeCallContext) -> Result<Handle, Raised> {
        open(&ctx, None, &Map::new())
    }

    /// Starts a command and speaks with its stdin and stdout. The command is text, which is split
    /// at blanks, or a list of words; there is no shell. Needs `--allow-run`.
    ///
    /// ```rhai,ignore
    /// let s = pipe("sendmail -bs", #{protocol: "smtp"});
    /// s.expect(220);
    /// ```
    #[rhai_fn(name = "pipe", return_raw)]
    pub fn pipe_with(
        ctx: NativeCallContext,
        command: &str,
        options: Map,
    ) -> Result<Handle, Raised> {
        let command = command.split_whitespace().map(str::to_owned).collect();
        start(&ctx, command, &options).map_err(|error| raise(&ctx, error))
    }

    #[rhai_fn(name = "pipe", return_raw)]
    pub fn pipe(ctx: NativeCallContext, command: &str) -> Result<Handle, Raised> {
        pipe_with(ctx, command, Map::new())
    }

    #[rhai_fn(name = "pipe", return_raw)]
    pub fn pipe_list(ctx: NativeCallContext, command: Array) -> Result<Handle, Raised> {
        pipe_list_with(ctx, command, Map::new())
    }

    #[rhai_fn(name = "pipe", return_raw)]
    pub fn pipe_list_with(
        ctx: NativeCallContext,
        command: Array,
        options: Map,
    ) -> Result<Handle, Raised> {
        let started = words_of(command.into()).and_then(|command| start(&ctx, command, &options));
        started.map_err(|error| raise(&ctx, error))
    }

    /// Waits until a server greets; it is not enough that the server listens. Connects again and
    /// again until the greeting comes, within one deadline (`--timeout`, or `timeout` in the
    /// options). A greeting of another protocol than that of the URL fails at once. For `tcp://`
    /// and `tls://`, a connection is enough. The certificate is not verified. The options are
    /// `timeout`, `source_ip`, `family`, `proxy` and `tls`, as for `connect`.
    ///
    /// ```rhai
    /// wait_ready(param("smtp"), #{timeout: "30s"});
    /// let s = connect(param("smtp"));
    /// s.expect(220);
    /// ```
    #[rhai_fn(name = "wait_ready", return_raw)]
    pub fn wait_ready_with(ctx: NativeCallContext, url: &str, options: Map) -> Result<(), Raised> {
        until_ready(&ctx, url, &options)
    }

    #[rhai_fn(name = "wait_ready", return_raw)]
    pub fn wait_ready(ctx: NativeCallContext, url: &str) -> Result<(), Raised> {
        until_ready(&ctx, url, &Map::new())
    }

    /// Closes the connection. Fails if a reply is owed or something is unread.
    #[rhai_fn(return_raw)]
    pub fn close(ctx: NativeCallContext, session: &mut Handle) -> Result<(), Raised> {
        session.operate(&ctx, async |session| session.close().await)
    }

    /// Closes our side of the connection (half-close): we send no more, and the server can still
    /// send.
    #[rhai_fn(return_raw)]
    pub fn shutdown(ctx: NativeCallContext, session: &mut Handle) -> Result<(), Raised> {
        session.operate(&ctx, async |session| session.shutdown().await)
    }

    /// Resets the connection (RST), even if something is owed or unread. Use this to leave in the
    /// middle of a dialogue.
    #[rhai_fn(return_raw)]
    pub fn reset(ctx: NativeCallContext, session: &mut Handle) -> Result<(), Raised> {
        session.operate(&ctx, async |session| session.reset())
    }

    /// The deadline of each operation, in seconds.
    #[rhai_fn(get = "timeout", return_raw)]
    pub fn timeout(ctx: NativeCallContext, session: &mut Handle) -> Result<f64, Raised> {
        session.with(&ctx, |session| session.timeout().as_secs_f64())
    }

    /// Sets the deadline of each later operation: `s.timeout = "5s"`.
    #[rhai_fn(set = "timeout", return_raw)]
    pub fn set_timeout(
        ctx: NativeCallContext,
        session: &mut Handle,
        timeout: Dynamic,
    ) -> Result<(), Raised> {
        let timeout = argument::deadline(&timeout).map_err(|error| raise(&ctx, error))?;
        session.with(&ctx, |session| session.set_timeout(timeout))
    }

    /// The number of replies that the server owes.
    #[rhai_fn(get = "owed", return_raw)]
    pub fn owed(ctx: NativeCallContext, session: &mut Handle) -> Result<i64, Raised> {
        session.with(&ctx, |session| i64::try_from(session.owed()).unwrap_or(i64::MAX))
    }

    /// The peer of the session, as its URL or its command.
    #[rhai_fn(get = "peer", return_raw)]
    pub fn peer(ctx: NativeCallContext, session: &mut Handle) -> Result<String, Raised> {
        session.with(&ctx, |session| session.peer().to_owned())
    }

    /// The protocol, such as `smtp`, `submission` or `imap`; `stream` if the session has no
    /// framing.
    #[rhai_fn(get = "protocol", return_raw)]
    pub fn protocol(ctx: NativeCallContext, session: &mut Handle) -> Result<String, Raised> {
        session.with(&ctx, |session| session.protocol().to_owned())
    }
}
