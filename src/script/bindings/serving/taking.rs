//! The words by which a server takes what its client sends.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::answer::{sending, spoil, spoiling};
use crate::error::{Error, Result};
use crate::reply::Reply;
use crate::script::bindings::argument::{boolean, check_known, pattern, patterns, text_of};
use crate::script::bindings::listening::{SERVER_TLS, server_tls};
use crate::script::bindings::{Handle, call};
use crate::script::raise::Raised;
use crate::session::{Call, Command, Users};

/// Reads the options of a word that takes commands.
fn taking(options: &Map) -> Result<Call> {
    call::call(options, &["timeout"])
}

const AUTH: [&str; 5] = ["timeout", "users", "verdict", "forge", "mechanism"];

/// Reads the options of `expect_auth`: who may log in, and the faults to make.
fn users(options: &Map) -> Result<(Call, Users)> {
    let mut users = Users::new();
    let mut call = Call::default();
    for (name, value) in options {
        check_known(name, &AUTH.into_iter().chain(spoiling()).collect::<Vec<_>>())?;
        users = match name.as_str() {
            "users" => {
                let all = value.as_map_ref().map_err(|_| {
                    Error::usage("the option `users` is a map of names and passwords")
                        .hint("users: #{\"hoge@example.com\": \"pppwww\"}")
                })?;
                let all: Vec<_> = all
                    .iter()
                    .map(|(name, password)| (name.to_string(), password.to_string()))
                    .collect();
                all.into_iter().fold(users, |users, (name, password)| users.user(name, password))
            }
            "verdict" => users.verdict(boolean(name, value)?),
            "forge" => users.forge(boolean(name, value)?),
            "mechanism" => users.mechanism(text_of(value)?),
            _ => {
                spoil(&mut call, name, value)?;
                users
            }
        };
    }
    Ok((call, users))
}

fn starttls_options(options: &Map) -> Result<(Call, Option<crate::tls::ServerOptions>)> {
    let mut call = Call::default();
    let mut of_tls = Map::new();
    let known: Vec<_> = ["timeout"].into_iter().chain(SERVER_TLS).chain(spoiling()).collect();
    for (name, value) in options {
        check_known(name, &known)?;
        if SERVER_TLS.contains(&name.as_str()) {
            of_tls.insert(name.clone(), value.clone());
        } else {
            spoil(&mut call, name, value)?;
        }
    }
    let tls = if of_tls.is_empty() { None } else { Some(server_tls(&of_tls)?) };
    Ok((call, tls))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Takes the client's next command. The command has to begin with the given words, in letters
    /// of either case, or match a regex. In IMAP, the pattern does not see the tag. The result has
    /// `verb`, `argument` and `arguments`, and in SMTP also `address` and `parameters`.
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet();
    /// c.expect(220);
    /// c.send("MAIL FROM:<hoge@example.com> SIZE=10");
    /// let mail = s.expect_command("MAIL");
    /// assert_eq(mail.address, "hoge@example.com");
    /// assert_eq(mail.parameters.SIZE, "10");
    /// s.reply(250, "ok");
    /// c.expect(250);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_command(
        ctx: NativeCallContext,
        session: &mut Handle,
        wanted: Dynamic,
    ) -> Result<Command, Raised> {
        session.operate(&ctx, async |session| session.expect_command(pattern(wanted)?).await)
    }

    /// Takes the client's next command, whatever it is.
    #[rhai_fn(name = "expect_command", return_raw)]
    pub fn expect_any_command(
        ctx: NativeCallContext,
        session: &mut Handle,
    ) -> Result<Command, Raised> {
        session.operate(&ctx, async |session| session.expect_any_command().await)
    }

    #[rhai_fn(name = "expect_command", return_raw)]
    pub fn expect_command_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        wanted: Dynamic,
        options: Map,
    ) -> Result<Command, Raised> {
        session.operate(&ctx, async |session| {
            session.expect_command(pattern(wanted)?).with(taking(&options)?).await
        })
    }

    /// Takes the commands that a client sends at once (RFC 2920), one for each pattern, before the
    /// server answers any of them. `replies` answers them in one write.
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet();
    /// c.expect(220);
    /// c.pipeline(["MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA"]);
    /// s.expect_group(["MAIL", "RCPT", "DATA"]);
    /// s.replies([250, [451, "4.2.1 busy"], [503, "no recipients"]]);
    /// c.expect(250);
    /// c.expect(451);
    /// c.expect(503);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_group(
        ctx: NativeCallContext,
        session: &mut Handle,
        wanted: Array,
    ) -> Result<Array, Raised> {
        expect_group_with(ctx, session, wanted, Map::new())
    }

    #[rhai_fn(name = "expect_group", return_raw)]
    pub fn expect_group_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        wanted: Array,
        options: Map,
    ) -> Result<Array, Raised> {
        session.operate(&ctx, async |session| {
            let group = session.expect_group(patterns(wanted)?).with(taking(&options)?).await?;
            Ok(group.into_iter().map(Dynamic::from).collect())
        })
    }

    /// Takes the message that the client sends after 354, with doubled dots made single. With
    /// `#{keep: false}` the message is not kept. The server has to reply next.
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet();
    /// c.expect(220);
    /// c.send("DATA");
    /// s.serve("DATA", 354);
    /// c.expect(354);
    /// c.send_message("Subject: hi\n\n.hidden\n");
    /// assert_eq(s.expect_message().text, "Subject: hi\r\n\r\n.hidden");
    /// s.reply(250, "queued");
    /// c.expect(250);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_message(ctx: NativeCallContext, session: &mut Handle) -> Result<Reply, Raised> {
        expect_message_with(ctx, session, Map::new())
    }

    #[rhai_fn(name = "expect_message", return_raw)]
    pub fn expect_message_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        options: Map,
    ) -> Result<Reply, Raised> {
        session.operate(&ctx, async |session| {
            session.expect_message().with(call::call(&options, &["timeout", "keep"])?).await
        })
    }

    /// Takes a BDAT command and its octets (RFC 3030). Returns a map of `command`, `bytes` and
    /// `last`. The server has to reply next.
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet();
    /// c.expect(220);
    /// c.send_raw("BDAT 5 LAST\r\nab\r\nc");
    /// let chunk = s.expect_bdat();
    /// assert(chunk.last && chunk.bytes == bytes("ab\r\nc"));
    /// s.reply(250);
    /// c.expect(250);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_bdat(ctx: NativeCallContext, session: &mut Handle) -> Result<Map, Raised> {
        expect_bdat_with(ctx, session, Map::new())
    }

    #[rhai_fn(name = "expect_bdat", return_raw)]
    pub fn expect_bdat_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        options: Map,
    ) -> Result<Map, Raised> {
        session.operate(&ctx, async |session| {
            let chunk = session.expect_bdat().with(taking(&options)?).await?;
            Ok(Map::from([
                ("command".into(), Dynamic::from(chunk.command)),
                ("bytes".into(), Dynamic::from_blob(chunk.bytes.to_vec())),
                ("last".into(), chunk.is_last.into()),
            ]))
        })
    }

    /// Takes DONE, by which a client ends its IDLE (RFC 2177).
    #[rhai_fn(return_raw)]
    pub fn expect_done(ctx: NativeCallContext, session: &mut Handle) -> Result<Reply, Raised> {
        expect_done_with(ctx, session, Map::new())
    }

    #[rhai_fn(name = "expect_done", return_raw)]
    pub fn expect_done_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        options: Map,
    ) -> Result<Reply, Raised> {
        session.operate(&ctx, async |session| session.expect_done().with(taking(&options)?).await)
    }

    /// Takes and drops whatever comes until the client closes. Returns the number of octets.
    ///
    /// ```rhai
    /// let l = listen("tcp");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// c.send_raw("whatever");
    /// c.expect_silence("10ms");
    /// c.shutdown();
    /// assert_eq(s.discard(), 8);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn discard(ctx: NativeCallContext, session: &mut Handle) -> Result<i64, Raised> {
        discard_with(ctx, session, Map::new())
    }

    #[rhai_fn(name = "discard", return_raw)]
    pub fn discard_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        options: Map,
    ) -> Result<i64, Raised> {
        session.operate(&ctx, async |session| {
            let octets = session.discard().with(taking(&options)?).await?;
            Ok(i64::try_from(octets).unwrap_or(i64::MAX))
        })
    }

    /// Takes QUIT (LOGOUT in IMAP and ManageSieve), answers it, and closes our side of the
    /// connection: the dialogue is over.
    #[rhai_fn(return_raw)]
    pub fn expect_quit(ctx: NativeCallContext, session: &mut Handle) -> Result<Command, Raised> {
        expect_quit_with(ctx, session, Map::new())
    }

    #[rhai_fn(name = "expect_quit", return_raw)]
    pub fn expect_quit_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        options: Map,
    ) -> Result<Command, Raised> {
        session.operate(&ctx, async |session| session.expect_quit().with(sending(&options)?).await)
    }

    /// Takes the command for TLS (STARTTLS, or STLS in POP3), accepts it, and makes the handshake.
    /// The certificate is that of the listener, unless the options that `listen` takes as `tls` are
    /// given here. The client has to do its part of the handshake at the same time. So the client
    /// is another program, or both sides run in `together([...])`.
    /// Afterwards `tls.name` is the name that the client has asked for (SNI), and
    /// `peer_certificate()` the certificate that it has shown.
    #[rhai_fn(return_raw)]
    pub fn expect_starttls(
        ctx: NativeCallContext,
        session: &mut Handle,
    ) -> Result<Command, Raised> {
        expect_starttls_with(ctx, session, Map::new())
    }

    #[rhai_fn(name = "expect_starttls", return_raw)]
    pub fn expect_starttls_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        options: Map,
    ) -> Result<Command, Raised> {
        session.operate(&ctx, async |session| {
            let (call, tls) = starttls_options(&options)?;
            session.expect_starttls(tls).with(call).await
        })
    }

    /// Takes the client's command to authenticate and goes through the exchange with it, with every
    /// mechanism that `auth` speaks. What the client sends in the exchange is masked in the
    /// transcript. The options are `users` (a map of the users who may log in and their passwords),
    /// `verdict` (accept or refuse everybody), `mechanism` (the only mechanism that the client may
    /// use) and `forge` (the server proves itself by a wrong signature). Returns a map of
    /// `mechanism`, `user`, `granted`, `cancelled` and `malformed`. A message that breaks the rules
    /// of its mechanism is refused, and `malformed` says what is wrong with it; otherwise
    /// `malformed` is empty. An exchange that the client cancels is answered as its protocol demands
    /// (501 in SMTP). A mechanism that is not known is a failure. Unless the client sends
    /// everything in one command, it has to answer at the same time. So the client is another
    /// program, or both sides run in `together([...])`.
    ///
    /// ```rhai
    /// let l = listen("submission");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet();
    /// c.expect(220);
    /// c.send("AUTH PLAIN " + base64("\x00hoge\x00pppwww"));
    /// let who = s.expect_auth(#{users: #{hoge: "pppwww"}});
    /// assert(who.granted && who.user == "hoge");
    /// c.expect(235);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_auth(
        ctx: NativeCallContext,
        session: &mut Handle,
        options: Map,
    ) -> Result<Map, Raised> {
        session.operate(&ctx, async |session| {
            let (call, users) = super::users(&options)?;
            let came = session.expect_auth(users).with(call).await?;
            Ok(Map::from([
                ("mechanism".into(), came.mechanism.into()),
                ("user".into(), came.user.into()),
                ("granted".into(), came.granted.into()),
                ("cancelled".into(), came.cancelled.into()),
                ("malformed".into(), came.malformed.unwrap_or_default().into()),
            ]))
        })
    }
}
