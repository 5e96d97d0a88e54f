//! The words by which a server greets and replies.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::answer::{answer, greeting_of, pair_of, reply_of, sending};
use crate::error::{self, Error};
use crate::script::bindings::{Handle, argument};
use crate::script::raise::Raised;
use crate::session::Command;

fn greets(
    ctx: &NativeCallContext<'_>,
    session: &mut Handle,
    status: Dynamic,
    text: Dynamic,
    options: Map,
) -> Result<(), Raised> {
    session.operate(ctx, async |session| greeting_of(session, status, text, options).await)
}

fn replies_by(
    ctx: &NativeCallContext<'_>,
    session: &mut Handle,
    status: Dynamic,
    text: Dynamic,
    options: Map,
) -> Result<(), Raised> {
    session.operate(ctx, async |session| reply_of(session, status, text, options).await)
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Sends the greeting. Without arguments, this is the usual greeting of the protocol; otherwise
    /// it is a line, or a code and its text.
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
        greets(&ctx, session, Dynamic::UNIT, Dynamic::UNIT, Map::new())
    }

    #[rhai_fn(name = "greet", return_raw)]
    pub fn greet_line(
        ctx: NativeCallContext,
        session: &mut Handle,
        greeting: Dynamic,
    ) -> Result<(), Raised> {
        greets(&ctx, session, greeting, Dynamic::UNIT, Map::new())
    }

    #[rhai_fn(name = "greet", return_raw)]
    pub fn greet_text(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: Dynamic,
        text: Dynamic,
    ) -> Result<(), Raised> {
        greets(&ctx, session, status, text, Map::new())
    }

    #[rhai_fn(name = "greet", return_raw)]
    pub fn greet_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: Dynamic,
        text: Dynamic,
        options: Map,
    ) -> Result<(), Raised> {
        greets(&ctx, session, status, text, options)
    }

    /// Answers the client's command. A code without a text gets a default text.
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
        replies_by(&ctx, session, status, Dynamic::UNIT, Map::new())
    }

    #[rhai_fn(name = "reply", return_raw)]
    pub fn reply_text(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: Dynamic,
        text: Dynamic,
    ) -> Result<(), Raised> {
        replies_by(&ctx, session, status, text, Map::new())
    }

    #[rhai_fn(name = "reply", return_raw)]
    pub fn reply_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        status: Dynamic,
        text: Dynamic,
        options: Map,
    ) -> Result<(), Raised> {
        replies_by(&ctx, session, status, text, options)
    }

    /// Sends a reply that no command asks for, whatever is owed or unread: 421 in SMTP, untagged
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
        reply_unasked_with(ctx, session, line, Map::new())
    }

    #[rhai_fn(name = "reply_unasked", return_raw)]
    pub fn reply_unasked_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        line: Dynamic,
        options: Map,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            let line = argument::octets(line, "a line")?;
            let line = [line.as_ref(), b"\r\n"].concat();
            session.send_raw(line).with(sending(&options)?).await
        })
    }

    /// Takes a command and answers it, like `expect_command` and then `reply`. If options follow,
    /// put the code and its text into a list: `serve("MAIL", [250, "ok"], #{timeout: "1s"})`.
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

    /// Answers several commands in one write. Each answer is a code, or a list of a code and its
    /// text, as `reply` takes them.
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
            if answers.is_empty() {
                return Err(Error::usage("replies([]) answers no command")
                    .hint("it takes an answer for each: replies([250, [451, \"later\"]])"));
            }
            let speech = session.speech();
            let answers = answers.iter().map(|status| answer(speech, status, None));
            let answers = answers.collect::<error::Result<Vec<_>>>()?;
            session.replies(answers).with(sending(&options)?).await
        })
    }
}
