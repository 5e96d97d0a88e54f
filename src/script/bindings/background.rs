//! Servers that run in the background while the script does something else.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::argument::{check_known, deadline};
use super::message_size::parsed_size;
use super::{serve_options, wait};
use crate::error::{Error, Kind, Result, Waited};
use crate::message::parse;
use crate::runtime;
use crate::script::bounds::{look, room};
use crate::script::coroutine;
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;
use crate::server::{Embedded, Mail};
use crate::transcript::{Transcript, What};

pub(super) const INTRO: &str = "A server that runs by itself while the script goes on, on a free port of loopback. It is for \
a client that the script starts, or for sessions of the script itself. It behaves well, as the embedded server does, except \
for the given rules, and accepts any number of connections. The script can ask afterwards what happened. The server ends with \
the script: it accepts no more connections, and connected clients have the grace time of sessions (1 s; `--grace`) to finish, \
so that a late QUIT is answered. What all servers of a script hold counts in the memory of the script (`--memory`), and is at most half \
of it: their mail, the answers that clients have not taken, and what they keep for the transcript. A server has at most an eighth of it in its list \
of mail and in the mailboxes of a user each, where the oldest mail makes room for new; a client for which there is no room then gets `452 4.3.1`, `NO [LIMIT]` or similar.";

/// How long `expect_message` waits for a message if the script sets no `timeout`.
const WAIT: Duration = Duration::from_secs(10);
/// The most messages that an error lists if the expected message has not come.
const MOST_LISTED: usize = 5;

/// A server in the background.
#[derive(Clone)]
pub(super) struct Background {
    server: Arc<Embedded>,
    scheme: String,
    transcript: Transcript,
}

/// The memory that a server takes on a thread of its own, where it is not counted: the thread and
/// its runtime.
const SERVER: usize = 1 << 20;

fn started(ctx: &NativeCallContext<'_>, scheme: &str, options: &Map) -> Result<Background, Raised> {
    room(ctx, SERVER)?;
    start(ctx, scheme, options).map_err(|error| raise(ctx, error))
}

fn start(ctx: &NativeCallContext<'_>, scheme: &str, options: &Map) -> Result<Background> {
    if !Embedded::schemes().any(|known| known == scheme) {
        let schemes: Vec<_> = Embedded::schemes().collect();
        return Err(Error::usage(format!("no server speaks `{scheme}`"))
            .hint(format!("the schemes are {}", schemes.join(", "))));
    }
    let (run, url) = (Run::current()?, Arc::<OnceLock<String>>::default());
    let watcher = run.listens().map(|listens| listens.watcher(Arc::clone(&url)));
    let transcript = Transcript::of(run.secrets(), watcher);
    // A script that serves runs for any time, and its caller is told of each event.
    let transcript = if run.listens().is_some() { transcript.recent() } else { transcript };
    let server = Embedded::options().only(scheme).transcript(transcript.clone());
    let server = server.budget(run.budget.clone());
    let mut server = server.seeded(run.draws.seeded(run.scope().strand()));
    if let Some(at) = run.listens().and_then(|listens| listens.place(scheme)) {
        server = server.at(scheme, at);
    }
    let server = serve_options::read(ctx, server, options)?.start().map_err(|error| {
        let unserved = Error::new(Kind::Io, format!("cannot serve {scheme}: {error}"));
        runtime::explained(unserved, &error)
    })?;
    coroutine::hold(SERVER.cast_signed());
    coroutine::hold_elsewhere(run.budget.count());
    let here = server.url(scheme).unwrap_or_default();
    let told = run.listens().map_or(Ok(()), |listens| listens.tell(&here, server.ca().ok()));
    // Set the URL even if telling the caller failed, because the server's thread may already be
    // waiting for the URL.
    url.get_or_init(|| here);
    told?;
    Ok(Background {
        server: run.adopt_server(scheme, server),
        scheme: scheme.to_owned(),
        transcript,
    })
}

/// Converts a message into the map that scripts get.
fn shown(mail: &Mail) -> Map {
    let to: Array = mail.to.iter().map(|to| to.clone().into()).collect();
    let user = mail.authenticated.clone().map_or(Dynamic::UNIT, Into::into);
    let message = parse(&mail.data).map_or(Dynamic::UNIT, Dynamic::from);
    [
        ("from", mail.from.clone().into()),
        ("to", to.into()),
        ("user", user),
        ("bytes", Dynamic::from_blob(mail.data.clone())),
        ("message", message),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value))
    .collect()
}

/// Waits for a message whose sender and recipient are those in `wanted`, if they are given there.
fn mail(ctx: &NativeCallContext<'_>, server: &Background, wanted: &Map) -> Result<Map, Raised> {
    let mut time = WAIT;
    for (name, value) in wanted {
        check_known(name, &["from", "to", "timeout"]).map_err(|error| raise(ctx, error))?;
        if name == "timeout" {
            time = deadline(value).map_err(|error| raise(ctx, error))?;
        }
    }
    let address = |name: &str| wanted.get(name).map(ToString::to_string);
    let (from, to) = (address("from"), address("to"));
    let fits = |mail: &Mail| {
        from.as_ref().is_none_or(|from| mail.from.eq_ignore_ascii_case(from))
            && to.as_ref().is_none_or(|to| mail.to.iter().any(|one| one.eq_ignore_ascii_case(to)))
    };
    let began = Instant::now();
    if let Some(mail) = wait(ctx, server.server.wait_for_mail(fits, time))? {
        Run::current().map_err(|error| raise(ctx, error))?.count_check();
        return Ok(shown(&mail));
    }
    let spent = Waited { elapsed: began.elapsed(), allowed: time };
    Err(raise(ctx, no_mail(server, (from, to), spent)))
}

fn no_mail(
    server: &Background,
    (from, to): (Option<String>, Option<String>),
    waited: Waited,
) -> Error {
    let part = |word: &str, value: Option<String>| {
        value.map_or_else(String::new, |value| format!(" {word} <{value}>"))
    };
    let message = format!("a message{}{}", part("from", from), part("to", to));
    let mails = server.server.mails();
    let others = mails.iter().take(MOST_LISTED);
    let others: Vec<_> =
        others.map(|mail| format!("from <{}> to <{}>", mail.from, mail.to.join(">, <"))).collect();
    let got = match (mails.len(), server.connections()) {
        (0, 0) => "no connection".to_owned(),
        (0, connections) => format!("no message, {connections} connections"),
        (count, _) => format!("{count} other messages: {}", others.join("; ")),
    };
    let scheme = &server.scheme;
    Error::new(Kind::Timeout, format!("the {scheme} server has no such message"))
        .with_expected(message)
        .with_got(got)
        .with_waited(waited)
        .hint("print(server.commands) shows what clients said")
}

impl Background {
    pub(super) fn url(&self) -> String {
        self.server.url(&self.scheme).unwrap_or_default()
    }

    fn connections(&self) -> usize {
        let events = self.transcript.events();
        events.iter().filter(|event| matches!(event.what, What::Accepted(_))).count()
    }
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Starts a server in the background for one protocol: `"smtp"`, `"submission"`,
    /// `"submissions"`, `"lmtp"`, `"imap"`, `"imaps"`, `"pop3"`, `"pop3s"` or `"sieve"`. Mail for
    /// `example.com` and `localhost` is taken from anybody, and mail for other domains from a client
    /// that has logged in. With `#{RCPT: 250}`, all mail is taken.
    ///
    /// ```rhai
    /// let relay = serve("smtp");
    /// let s = connect(relay.url);
    /// s.expect(220);
    /// s.quit();
    /// assert_eq(relay.commands, ["QUIT"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn serve(ctx: NativeCallContext, scheme: &str) -> Result<Background, Raised> {
        started(&ctx, scheme, &Map::new())
    }

    /// Starts a server that behaves well except for what the map says. A key in capitals is the
    /// beginning of a command (`RCPT`, `"AUTH PLAIN"`, `FETCH`), or `GREETING`, `MESSAGE` (the
    /// reply to a message) or `RESPONSE` (the reply to a response of SASL). Its value is a reply
    /// code, a reply, a map, or steps. In a map, `reply` is the reply (without it, the server's
    /// usual reply), and the other entries are options of `reply(...)` that say what goes wrong
    /// with the reply: `#{reply: 451, drip: "10ms", chance: 0.1}`. Steps are lines, each of which
    /// is a reply, `well`, `without WORD`, `cut N`, `flood N`, `wait 2s`, `drip`, `forge`, `close`,
    /// `reset` or `stall`. The value holds each time that the command comes. In a list, each value
    /// holds once, counted over all connections; the value `()` means to behave well, and after the
    /// last value the server behaves well.
    ///
    /// If the value is a closure, the closure decides each time. Its argument is the command as a
    /// map with `text`, `verb`, `argument`, `arguments`, `address` and `parameters` (of MAIL and
    /// RCPT), `bytes`, `connection` (the number of the server's connection, from 1) and `number`
    /// (how many of these commands have come so far, this one included). The closure returns one of
    /// the values above. For `MESSAGE`, `bytes` is the content of the message. The closure runs
    /// while a word of the script waits. The client and that word wait until the closure returns. An
    /// error in it fails the script, or the case or the attempt that started the server, and `catch`
    /// cannot take it.
    ///
    /// `users` is a map of names and passwords. `limit: [20, "1m"]` turns away each client that
    /// connects after the 20th connection in a minute. `read_rate: 2000` reads at most 2000 octets
    /// a second from each client. `faults` says what goes wrong whatever the answer is, as in
    /// `listen`. `certificate` is what is wrong with the server's certificate: `"expired"`,
    /// `"not_yet_valid"`, `"another_name"`, `"self_signed"`, `"weak_key"` or `"sha1"`.
    ///
    /// With `on_demand: true`, the SMTP and LMTP servers do what addresses ask for. The local part
    /// of such an address begins with a stage (`mail`, `rcpt`, `data`, `message`). After the stage
    /// comes a reply (`rcpt452_4.2.2@example.com`, `message554+7@example.com`), or `close`,
    /// `reset`, `stall`, `drip` or a time (`datawait2s@example.com`). Text after a plus sign is
    /// ignored. The client's name in EHLO changes what the server offers:
    /// `nostarttls-noauth.example`, `size1000.example`.
    ///
    /// ```rhai
    /// let relay = serve("smtp", #{RCPT: [451, ()], QUIT: "221 bye\nclose"});
    /// let s = connect(relay.url);
    /// s.expect(220);
    /// s.ehlo("client.example");
    /// s.mail("kim@example.com");
    /// s.rcpt("hoge@example.com", #{expect: 451});
    /// s.rcpt("hoge@example.com");
    /// s.data("Subject: hi\r\n\r\nHi.\r\n");
    /// s.quit();
    /// let mail = relay.expect_message(#{to: "hoge@example.com"});
    /// assert_eq(mail.message.subject, "hi");
    /// ```
    ///
    /// ```rhai
    /// let relay = serve("smtp", #{faults: [
    ///     #{at: "GREETING", connection: 1, wrong: "421 4.3.2 later", then: "close"},
    ///     #{at: "RCPT", address: "@slow.example", after: "10ms", jitter: "10ms"},
    /// ]});
    /// connect(relay.url).expect(421);
    /// let s = connect(relay.url);
    /// s.expect(220);
    /// s.quit();
    /// ```
    ///
    /// ```rhai
    /// let relay = serve("smtp", #{
    ///     RCPT: |command| if command.address.ends_with("@busy.example") { "450 4.2.1 busy" },
    ///     GREETING: |command| if command.connection == 2 { "421 4.3.2 later\nclose" },
    /// });
    /// let s = connect(relay.url);
    /// s.expect(220);
    /// s.ehlo("client.example");
    /// s.mail("kim@example.com");
    /// s.rcpt("hoge@busy.example", #{expect: 450});
    /// s.rcpt("hoge@example.com");
    /// s.quit();
    /// connect(relay.url).expect(421);
    /// ```
    #[rhai_fn(name = "serve", return_raw)]
    pub fn serve_with(
        ctx: NativeCallContext,
        scheme: &str,
        options: Map,
    ) -> Result<Background, Raised> {
        started(&ctx, scheme, &options)
    }

    /// Waits until a message has come, and returns the first that has come so far. The result is a
    /// map with `from`, `to` (a list), `user` (`()` if the client had not logged in), `bytes` and
    /// `message` (parsed as by `parse_message`).
    ///
    /// ```rhai
    /// let relay = serve("smtp");
    /// let s = connect(relay.url);
    /// s.expect(220);
    /// s.ehlo("client.example");
    /// s.mail("kim@example.com");
    /// s.rcpt("hoge@example.com");
    /// s.data("Subject: hi\r\n\r\nHi.\r\n");
    /// s.quit();
    /// assert_eq(relay.expect_message().from, "kim@example.com");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_message(ctx: NativeCallContext, server: &mut Background) -> Result<Map, Raised> {
        mail(&ctx, server, &Map::new())
    }

    /// Waits until a message has come from the address `from` and to the address `to`; either can
    /// be left out. `timeout` says how long to wait, 10 s unless set.
    ///
    /// ```rhai,ignore
    /// relay.expect_message(#{to: "hoge@example.com", timeout: "30s"});
    /// ```
    #[rhai_fn(name = "expect_message", return_raw)]
    pub fn expect_message_with(
        ctx: NativeCallContext,
        server: &mut Background,
        wanted: Map,
    ) -> Result<Map, Raised> {
        mail(&ctx, server, &wanted)
    }

    /// All messages that have come so far, in the form that `expect_message` returns.
    #[rhai_fn(get = "messages", return_raw)]
    pub fn messages(ctx: NativeCallContext, server: &mut Background) -> Result<Array, Raised> {
        let one = |mail: &Mail| {
            // The blob, the parsed message, and its text while it is parsed.
            room(&ctx, mail.data.len() * 2 + parsed_size(&mail.data))?;
            Ok(shown(mail).into())
        };
        server.server.mails().iter().map(one).collect()
    }

    /// The URL to connect to, such as `smtp://127.0.0.1:40025`.
    #[rhai_fn(get = "url")]
    pub fn url(server: &mut Background) -> String {
        server.url()
    }

    /// The address that the server listens on.
    #[rhai_fn(get = "host")]
    pub fn host(server: &mut Background) -> String {
        let url = server.url();
        let place = url.split_once("://").map_or("", |(_, place)| place);
        place.rsplit_once(':').map_or(place, |(host, _)| host).to_owned()
    }

    /// The port that the server listens on.
    #[rhai_fn(get = "port")]
    pub fn port(server: &mut Background) -> i64 {
        server.url().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0)
    }

    /// The certificate of the authority that issued the server's certificate, as PEM: for
    /// `#{ca: server.ca}`.
    #[rhai_fn(get = "ca", return_raw)]
    pub fn ca(server: &mut Background) -> Result<String, Raised> {
        server.server.ca().map(str::to_owned).map_err(|error| error.to_string().into())
    }

    /// How many connections the server has accepted so far.
    #[rhai_fn(get = "connections")]
    pub fn connections(server: &mut Background) -> i64 {
        server.connections().try_into().unwrap_or(i64::MAX)
    }

    /// The lines that clients have sent so far, including the lines of messages, with secrets
    /// masked.
    #[rhai_fn(get = "commands", return_raw)]
    pub fn commands(ctx: NativeCallContext, server: &mut Background) -> Result<Array, Raised> {
        let mut commands = Array::new();
        for event in server.transcript.events() {
            let What::Client(excerpt) = &event.what else { continue };
            let text = String::from_utf8_lossy(excerpt.head());
            for line in text.lines() {
                look(&ctx)?;
                room(&ctx, line.len())?;
                commands.push(line.into());
            }
        }
        Ok(commands)
    }
}
