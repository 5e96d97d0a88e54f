//! The words of the server's side of a session.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::argument::{boolean, check_known, duration, pattern, patterns};
use super::listening::{SERVER_TLS, server_tls};
use super::{Handle, argument, call};
use crate::error::{Error, Result};
use crate::proto::Speech;
use crate::reply::Reply;
use crate::script::raise::Raised;
use crate::session::{Answer, Call, Command, Fault, Session, Then, Users};

pub(super) const INTRO: &str = "A session that `accept()` gave is the server's side. It speaks first, and then answers: a reply fails \
while no command is to be answered, or while the client has said more than was taken; a command fails while the one before it has no \
answer. At the end each command has to have been answered, and nothing may be unread. `expect`, `send`, `expect_close` and the others \
mean here what they mean on the client's side; `S:` in a transcript is the server, whoever plays it. A reply is a code and its text \
(`reply(250, \"ok\")`), several lines of which have their dashes made (`reply(250, [\"mx.example\", \"PIPELINING\"])`), or a line as it \
is (`reply(\"250 ok\")`). In IMAP `reply(\"OK\", \"done\")` has the tag of the command that it answers; in POP3 \
`reply(\"+OK\", [\"1 120\", \"2 200\"])` is a block up to its lone dot. What goes wrong on purpose is an option of `greet`, `reply`, \
`replies` and `serve`, in clear and inside of TLS: `after: \"2s\"` (a pause before it), `drip: \"10ms\"` (each byte in a write of its own, with \
that pause between), `cut: 3` (only so many bytes; then the connection is closed), `then: \"close\"`, `\"reset\"`, `\"half_close\"`, \
`\"silence\"` or `\"cut_tls\"` (no close_notify), `bare_lf`, `nul`, `doubled`, `missing` (of the last line) and `endless: 1000000` (so many \
bytes without a line end).";

/// The options and the text that a word was given after its status, in whatever number.
fn parted(text: Dynamic, options: &mut Map) -> Option<Dynamic> {
    match text.try_cast_result::<Map>() {
        Ok(map) => {
            *options = map;
            None
        }
        Err(text) => Some(text),
    }
}

fn text_lines(text: &Dynamic) -> Result<Vec<String>> {
    if let Ok(list) = text.as_array_ref() {
        return list.iter().map(line_of).collect();
    }
    Ok(vec![line_of(text)?])
}

fn line_of(value: &Dynamic) -> Result<String> {
    let line = value.to_string();
    if value.is_string() && !line.contains(['\r', '\n']) {
        return Ok(line);
    }
    let error = Error::usage("the text of a reply is a line, or a list of lines");
    Err(error.hint("send_raw(...) sends any bytes"))
}

/// What the server says, from a status and perhaps its text.
pub(super) fn answer(speech: Speech, status: Dynamic, text: Option<Dynamic>) -> Result<Answer> {
    if let Ok(pair) = status.as_array_ref() {
        let mut pair = pair.iter().cloned();
        let first = pair.next().unwrap_or_default();
        return answer(speech, first, pair.next());
    }
    if let Ok(code) = status.as_int() {
        let code = u16::try_from(code).ok().filter(|code| (100..1000).contains(code));
        let code = code.ok_or_else(|| Error::usage("a reply code has three digits"))?;
        return Ok(match text {
            None => code.into(),
            Some(text) => (code, text_lines(&text)?).into(),
        });
    }
    let status = line_of(&status)?;
    let Some(text) = text else { return Ok(status.into()) };
    if text.is_array() && speech == Speech::Pop3 {
        let stuffed = |line: String| if line.starts_with('.') { format!(".{line}") } else { line };
        let lines = text_lines(&text)?.into_iter().map(stuffed);
        return Ok(Answer::of_lines([status].into_iter().chain(lines).chain([".".to_owned()])));
    }
    let lines = text_lines(&text)?;
    Ok(match (speech, &lines[..]) {
        (Speech::Sieve, [line]) => {
            let quoted = line.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{status} \"{quoted}\"").into()
        }
        (_, [line]) => format!("{status} {line}").into(),
        _ => return Err(Error::usage("several lines need a reply code, or +OK in POP3")),
    })
}

async fn reply_of(
    session: &mut Session,
    status: Dynamic,
    text: Dynamic,
    mut options: Map,
) -> Result<()> {
    let text = parted(text, &mut options).filter(|text| !text.is_unit());
    let answer = answer(session.speech(), status, text)?;
    session.reply(answer).with(sending(&options)?).await
}

async fn greeting_of(
    session: &mut Session,
    status: Dynamic,
    text: Dynamic,
    mut options: Map,
) -> Result<()> {
    let status = parted(status, &mut options).filter(|status| !status.is_unit());
    let text = parted(text, &mut options).filter(|text| !text.is_unit());
    let answer = match status {
        Some(status) => answer(session.speech(), status, text)?,
        None => "".into(),
    };
    session.greet(answer).with(sending(&options)?).await
}

async fn pair_of(
    session: &mut Session,
    wanted: Dynamic,
    status: Dynamic,
    text: Dynamic,
    mut options: Map,
) -> Result<Command> {
    let text = parted(text, &mut options).filter(|text| !text.is_unit());
    let answer = answer(session.speech(), status, text)?;
    session.serve(pattern(wanted)?, answer).with(sending(&options)?).await
}

/// What a word that sends may be given as its last argument.
const SENDING: [&str; 10] =
    ["timeout", "after", "drip", "cut", "then", "bare_lf", "nul", "doubled", "missing", "endless"];

/// What a word that sends is given as its last argument: a deadline, and what goes wrong.
pub(super) fn sending(options: &Map) -> Result<Call> {
    let mut fault = Fault::new();
    let mut has_fault = false;
    let mut call = Call::default();
    for (name, value) in options {
        check_known(name, &SENDING)?;
        has_fault |= name != "timeout";
        fault = match name.as_str() {
            "timeout" => {
                call.timeout = Some(duration(value)?);
                fault
            }
            "after" => fault.after(duration(value)?),
            "drip" => fault.drip(duration(value)?),
            "cut" => fault.cut(count(name, value)?),
            "endless" => fault.endless(count(name, value)?),
            "then" => fault.then(then(value)?),
            "bare_lf" => fault.bare_lf(boolean(name, value)?),
            "nul" => fault.nul(boolean(name, value)?),
            "doubled" => fault.doubled(boolean(name, value)?),
            _ => fault.missing(boolean(name, value)?),
        };
    }
    call.fault = has_fault.then(|| Box::new(fault));
    Ok(call)
}

fn count(name: &str, value: &Dynamic) -> Result<usize> {
    let count = value.as_int().ok().and_then(|count| usize::try_from(count).ok());
    count.ok_or_else(|| Error::usage(format!("the option `{name}` is a number of bytes")))
}

fn then(value: &Dynamic) -> Result<Then> {
    Ok(match value.to_string().as_str() {
        "close" => Then::Close,
        "reset" => Then::Reset,
        "half_close" => Then::HalfClose,
        "silence" => Then::Silence,
        "cut_tls" => Then::CutTls,
        other => {
            return Err(Error::usage(format!("`{other}` is no end of a connection"))
                .hint("\"close\", \"reset\", \"half_close\", \"silence\" or \"cut_tls\""));
        }
    })
}

/// What a word that takes commands is given as its last argument.
fn taking(options: &Map) -> Result<Call> {
    call::call(options, &["timeout"])
}

/// Who may log in.
fn users(options: &Map) -> Result<(Call, Users)> {
    let mut users = Users::new();
    let mut call = Call::default();
    for (name, value) in options {
        check_known(name, &["timeout", "users", "verdict", "forge", "mechanism"])?;
        users = match name.as_str() {
            "timeout" => {
                call.timeout = Some(duration(value)?);
                users
            }
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
            _ => users.mechanism(value.to_string()),
        };
    }
    Ok((call, users))
}

fn starttls_options(options: &Map) -> Result<(Call, Option<crate::tls::ServerOptions>)> {
    let mut of_tls = options.clone();
    let timeout = of_tls.remove("timeout").map(|value| duration(&value)).transpose()?;
    of_tls
        .keys()
        .try_for_each(|name| check_known(name, &[&["timeout"], &SERVER_TLS[..]].concat()))?;
    let tls = if of_tls.is_empty() { None } else { Some(server_tls(&of_tls)?) };
    Ok((Call { timeout, ..Call::default() }, tls))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Says the greeting: what the protocol usually begins with, a line, or a code and its text.
    ///
    /// ```rhai
    /// let l = listen("pop3");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet("+OK ready");
    /// c.expect("+OK");
    /// c.send("STAT");
    /// s.serve("STAT", "+OK", "2 320");
    /// c.expect("+OK 2 320");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn greet(ctx: NativeCallContext, session: &mut Handle) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            greeting_of(session, Dynamic::UNIT, Dynamic::UNIT, Map::new()).await
        })
    }

    #[rhai_fn(name = "greet", return_raw)]
    pub fn greet_line(
        ctx: NativeCallContext,
        session: &mut Handle,
        greeting: Dynamic,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            greeting_of(session, greeting, Dynamic::UNIT, Map::new()).await
        })
    }

    #[rhai_fn(name = "greet", return_raw)]
    pub fn greet_text(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: Dynamic,
        text: Dynamic,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| greeting_of(session, status, text, Map::new()).await)
    }

    #[rhai_fn(name = "greet", return_raw)]
    pub fn greet_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: Dynamic,
        text: Dynamic,
        options: Map,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| greeting_of(session, status, text, options).await)
    }

    /// Takes the client's next command, which has to begin with these words, in letters of either
    /// case, or match a regex; in IMAP the tag is left aside. It has `verb`, `argument`,
    /// `arguments`, and in SMTP `address` and `parameters`.
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
        session.operate(&ctx, async |session| {
            session.expect_command(crate::pattern::Pattern::regex("(?s)^.")?).await
        })
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

    /// Answers the client's command. A code alone has a text of its own.
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet();
    /// c.expect(220);
    /// c.send("EHLO client.example");
    /// s.expect_command("EHLO");
    /// s.reply(250, ["localhost", "PIPELINING", "SIZE 1000"]);
    /// assert_eq(c.expect(250).lines[2], "250 SIZE 1000");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn reply(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: Dynamic,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            reply_of(session, status, Dynamic::UNIT, Map::new()).await
        })
    }

    #[rhai_fn(name = "reply", return_raw)]
    pub fn reply_text(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: Dynamic,
        text: Dynamic,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| reply_of(session, status, text, Map::new()).await)
    }

    #[rhai_fn(name = "reply", return_raw)]
    pub fn reply_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: Dynamic,
        text: Dynamic,
        options: Map,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| reply_of(session, status, text, options).await)
    }

    /// Says something that no command asks for, whatever is owed or unread: 421 in SMTP, untagged
    /// data or a continuation in IMAP, BYE in ManageSieve.
    ///
    /// ```rhai
    /// let l = listen("imap");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet();
    /// c.expect("* OK");
    /// c.send("a1 IDLE");
    /// s.expect_command("IDLE");
    /// s.reply_unasked("+ idling");
    /// c.expect("+");
    /// s.reply_unasked("* 1 EXISTS");
    /// c.expect("* 1 EXISTS");
    /// c.send_raw("DONE\r\n");
    /// s.expect_done();
    /// s.reply("OK", "done");
    /// c.expect("a1 OK");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn reply_unasked(
        ctx: NativeCallContext,
        session: &mut Handle,
        line: Dynamic,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            let line = argument::octets(line, "a line")?;
            session.send_raw([line.as_ref(), b"\r\n"].concat()).await
        })
    }

    /// Takes a command and answers it, as `expect_command` and `reply` do. With options, a code and its
    /// text are a list: `serve("MAIL", [250, "ok"], #{timeout: "1s"})`.
    ///
    /// ```rhai
    /// let l = listen("smtp");
    /// let c = connect(l.url);
    /// let s = l.accept();
    /// s.greet();
    /// c.expect(220);
    /// c.send("MAIL FROM:<hoge@example.com>");
    /// s.serve("MAIL", 451, "4.3.0 try again later");
    /// c.expect(451);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn serve(
        ctx: NativeCallContext,
        session: &mut Handle,
        wanted: Dynamic,
        status: Dynamic,
    ) -> Result<Command, Raised> {
        session.operate(&ctx, async |session| {
            pair_of(session, wanted, status, Dynamic::UNIT, Map::new()).await
        })
    }

    #[rhai_fn(name = "serve", return_raw)]
    pub fn serve_text(
        ctx: NativeCallContext,
        session: &mut Handle,
        wanted: Dynamic,
        status: Dynamic,
        text: Dynamic,
    ) -> Result<Command, Raised> {
        session
            .operate(&ctx, async |session| pair_of(session, wanted, status, text, Map::new()).await)
    }

    /// Takes the commands that a client sends at once (RFC 2920), one for each pattern, before any
    /// of them is answered; `replies` answers them in one write.
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

    /// Answers several commands in one write: each answer is what `reply` takes, a code or a list
    /// of a code and its text.
    #[rhai_fn(return_raw)]
    pub fn replies(
        ctx: NativeCallContext,
        session: &mut Handle,
        answers: Array,
    ) -> Result<(), Raised> {
        replies_with(ctx, session, answers, Map::new())
    }

    #[rhai_fn(name = "replies", return_raw)]
    pub fn replies_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        answers: Array,
        options: Map,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            let speech = session.speech();
            let answers = answers.into_iter().map(|status| answer(speech, status, None));
            let answers = answers.collect::<Result<Vec<_>>>()?;
            session.replies(answers).with(sending(&options)?).await
        })
    }

    /// Takes the message that follows 354, with its doubled dots made single; `#{keep: false}` keeps
    /// none of it. A reply has to follow.
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

    /// Takes a BDAT command and its octets (RFC 3030): a map of `command`, `bytes` and `last`. A
    /// reply has to follow.
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
        session.operate(&ctx, async |session| {
            let chunk = session.expect_bdat().await?;
            Ok(Map::from([
                ("command".into(), Dynamic::from(chunk.command)),
                ("bytes".into(), Dynamic::from_blob(chunk.bytes.to_vec())),
                ("last".into(), chunk.is_last.into()),
            ]))
        })
    }

    /// Takes DONE, with which a client ends its IDLE (RFC 2177).
    #[rhai_fn(return_raw)]
    pub fn expect_done(ctx: NativeCallContext, session: &mut Handle) -> Result<Reply, Raised> {
        session.operate(&ctx, async |session| session.expect_done().await)
    }

    /// Takes and forgets whatever comes, until the client closes; gives back how many octets came.
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
        session.operate(&ctx, async |session| {
            session.discard().await.map(|octets| i64::try_from(octets).unwrap_or(i64::MAX))
        })
    }

    /// Takes QUIT (LOGOUT in IMAP and ManageSieve), answers it and closes: the dialogue is over.
    #[rhai_fn(return_raw)]
    pub fn expect_quit(ctx: NativeCallContext, session: &mut Handle) -> Result<Command, Raised> {
        session.operate(&ctx, async |session| session.expect_quit().await)
    }

    /// Takes the command for TLS (STARTTLS, STLS in POP3), goes ahead, and makes the handshake: with
    /// the listener's certificate, or with the options of `listen`'s `tls` given here. The client
    /// has to make its part meanwhile: it is another program, or `together([...])` runs both sides.
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

    /// Takes the client's command to authenticate and goes through the exchange with it, by every
    /// mechanism that `auth` speaks; what the client says is masked. `users` may log in; `verdict`
    /// says yes or no to everybody; `mechanism` is the one that has to be used; `forge` has the
    /// server prove itself by a wrong signature. Gives back a map of `mechanism`, `user`, `granted`
    /// and `cancelled`. The client answers meanwhile: it is another program, or `together([...])`
    /// runs both sides, unless all is said in one command.
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
            ]))
        })
    }

    /// All of a command, without its line end.
    #[rhai_fn(get = "text", pure)]
    pub fn text(command: &mut Command) -> String {
        command.text().into_owned()
    }

    /// The verb of a command, in capital letters.
    #[rhai_fn(get = "verb", pure)]
    pub fn verb(command: &mut Command) -> String {
        command.verb()
    }

    /// The tag of a command in IMAP.
    #[rhai_fn(get = "tag", pure)]
    pub fn tag(command: &mut Command) -> String {
        command.tag().into_owned()
    }

    /// What follows the verb.
    #[rhai_fn(get = "argument", pure)]
    pub fn argument_of(command: &mut Command) -> String {
        command.argument().into_owned()
    }

    /// The words that follow the verb; a quoted string or a literal is one of them.
    #[rhai_fn(get = "arguments", pure)]
    pub fn arguments(command: &mut Command) -> Array {
        command.arguments().into_iter().map(Into::into).collect()
    }

    /// The address between angle brackets in MAIL and RCPT; `()` if there is none.
    #[rhai_fn(get = "address", pure)]
    pub fn address(command: &mut Command) -> Dynamic {
        command.address().map_or(Dynamic::UNIT, Into::into)
    }

    /// The parameters after the address, by their keywords in capital letters.
    #[rhai_fn(get = "parameters", pure)]
    pub fn parameters(command: &mut Command) -> Map {
        let all = command.parameters().into_iter();
        all.map(|(keyword, value)| (keyword.into(), value.into())).collect()
    }

    /// A command as it came, with its line end and its literals, as a blob.
    #[rhai_fn(get = "bytes", pure)]
    pub fn bytes_of(command: &mut Command) -> Dynamic {
        Dynamic::from_blob(command.bytes().to_vec())
    }
}
