//! Words that expect replies, lines, bytes, silence and the end of a connection.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::{Handle, argument, call};
use crate::error::{Error, Result};
use crate::pattern::{Code, Pattern};
use crate::reply::Reply;
use crate::script::raise::Raised;
use crate::session::Call;

pub(super) const INTRO: &str = "On a session that speaks a protocol, `expect` takes the next whole reply and compares it with \
the pattern; a reply that does not match fails at once. An integer is the reply code, or a class of codes (`2` is 2xx, `25` \
is 25x); text is the literal beginning of the reply; `re(...)` may match anywhere in it. `tcp://` and `pipe` sessions have no \
framing: there, `expect` searches the stream and takes it to the end of the match. Each word takes `#{timeout: \"30s\"}` as \
its last argument; without it, the session's deadline applies, 10 s unless set.";

const OPTIONS: [&str; 2] = ["timeout", "after"];
const BYTES: [&str; 2] = ["timeout", "keep"];

/// The arguments of an expectation. An error in one is kept until the operation begins, and is
/// raised as the operation's error.
struct Wanted {
    pattern: Result<Pattern>,
    call: Result<Call>,
}

impl Wanted {
    fn new(pattern: Dynamic) -> Self {
        Self { pattern: argument::pattern(pattern), call: Ok(Call::default()) }
    }

    fn any(patterns: Array) -> Self {
        Self {
            pattern: argument::patterns(patterns).and_then(Pattern::any),
            call: Ok(Call::default()),
        }
    }

    fn with(mut self, options: &Map, allowed: &[&str]) -> Self {
        self.call = call::call(options, allowed);
        self
    }

    fn enhanced(pattern: &Dynamic, enhanced: &str) -> Self {
        let code = pattern.as_int().map_err(|_| {
            Error::usage("an enhanced status code belongs to a reply code")
                .hint("expect(250, \"2.1.0\"); alternatives go into expect_any([...])")
        });
        let pattern =
            code.and_then(Code::new).and_then(|code| code.with_enhanced(enhanced)).map(Into::into);
        Self { pattern, call: Ok(Call::default()) }
    }

    fn into_parts(self) -> Result<(Pattern, Call)> {
        Ok((self.pattern?, self.call?))
    }
}

fn expected(
    ctx: &NativeCallContext<'_>,
    session: &Handle,
    wanted: Wanted,
) -> Result<Reply, Raised> {
    session.operate(ctx, async |session| {
        let (pattern, call) = wanted.into_parts()?;
        session.expect(pattern).with(call).await
    })
}

fn until(ctx: &NativeCallContext<'_>, session: &Handle, wanted: Wanted) -> Result<Reply, Raised> {
    session.operate(ctx, async |session| {
        let (pattern, call) = wanted.into_parts()?;
        session.expect_until(pattern).with(call).await
    })
}

fn refuted(ctx: &NativeCallContext<'_>, session: &Handle, wanted: Wanted) -> Result<Reply, Raised> {
    session.operate(ctx, async |session| {
        let (pattern, call) = wanted.into_parts()?;
        session.refute(pattern).with(call).await
    })
}

fn lined(ctx: &NativeCallContext<'_>, session: &Handle, wanted: Wanted) -> Result<Reply, Raised> {
    session.operate(ctx, async |session| {
        let (pattern, call) = wanted.into_parts()?;
        session.expect_line(pattern).with(call).await
    })
}

fn searched(
    ctx: &NativeCallContext<'_>,
    session: &Handle,
    wanted: Wanted,
) -> Result<Reply, Raised> {
    session.operate(ctx, async |session| {
        let (pattern, call) = wanted.into_parts()?;
        session.expect_bytes(pattern).with(call).await
    })
}

fn octets(
    ctx: &NativeCallContext<'_>,
    session: &Handle,
    count: i64,
    call: Result<Call>,
) -> Result<Reply, Raised> {
    session.operate(ctx, async |session| {
        let wrong = |_| Error::usage(format!("{count} octets cannot come"));
        session.expect_octets(usize::try_from(count).map_err(wrong)?).with(call?).await
    })
}

fn multiline(
    ctx: &NativeCallContext<'_>,
    session: &Handle,
    call: Result<Call>,
) -> Result<Reply, Raised> {
    session.operate(ctx, async |session| session.expect_multiline().with(call?).await)
}

fn unordered(
    ctx: &NativeCallContext<'_>,
    session: &Handle,
    patterns: Array,
    call: Result<Call>,
) -> Result<Array, Raised> {
    session.operate(ctx, async |session| {
        let (call, patterns) = (call?, argument::patterns(patterns)?);
        let replies = session.expect_unordered(patterns).with(call).await?;
        Ok(replies.into_iter().map(Dynamic::from).collect())
    })
}

fn closed(ctx: &NativeCallContext<'_>, session: &Handle, call: Result<Call>) -> Result<(), Raised> {
    session.operate(ctx, async |session| session.expect_close().with(call?).await)
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Takes `count` octets, whatever they are. The reply's `bytes` has them.
    ///
    /// ```dialogue tcp
    /// S: {5}
    /// S: hello
    /// S: bye
    /// ```
    /// ```rhai
    /// let s = connect(param("tcp"));
    /// let size = s.expect(re(`\{(\d+)\}\r\n`))[1];
    /// assert_eq(s.expect_octets(parse_int(size)).text, "hello");
    /// s.expect("\r\nbye\r\n");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_octets(
        ctx: NativeCallContext,
        session: &mut Handle,
        count: i64,
    ) -> Result<Reply, Raised> {
        octets(&ctx, session, count, Ok(Call::default()))
    }

    #[rhai_fn(name = "expect_octets", return_raw)]
    pub fn expect_octets_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        count: i64,
        options: Map,
    ) -> Result<Reply, Raised> {
        octets(&ctx, session, count, call::call(&options, &OPTIONS))
    }

    /// Takes the next whole reply, which must match the pattern, and returns it.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("EHLO client.example");
    /// let reply = s.expect(250);
    /// assert(reply.text.contains("PIPELINING"));
    /// s.send("NOOP");
    /// s.expect(re(`^250 .*Ok`), #{timeout: "30s"});
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect(
        ctx: NativeCallContext,
        session: &mut Handle,
        pattern: Dynamic,
    ) -> Result<Reply, Raised> {
        expected(&ctx, session, Wanted::new(pattern))
    }

    /// Takes the next whole reply, which must have this code and this enhanced status code
    /// (RFC 2034). The beginning of an enhanced status code is enough: `"5.7"` matches `5.7.1`.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("HELO client.example");
    /// s.expect(250);
    /// s.send("MAIL FROM:<hoge@example.com>");
    /// s.expect(250, "2.1.0");
    /// s.send("RCPT TO:<test-user@yahoo.co.jp>");
    /// s.expect(55, "5.7");
    /// ```
    #[rhai_fn(name = "expect", return_raw)]
    pub fn expect_enhanced(
        ctx: NativeCallContext,
        session: &mut Handle,
        code: Dynamic,
        enhanced: &str,
    ) -> Result<Reply, Raised> {
        expected(&ctx, session, Wanted::enhanced(&code, enhanced))
    }

    #[rhai_fn(name = "expect", return_raw)]
    pub fn expect_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        pattern: Dynamic,
        options: Map,
    ) -> Result<Reply, Raised> {
        expected(&ctx, session, Wanted::new(pattern).with(&options, &OPTIONS))
    }

    #[rhai_fn(name = "expect", return_raw)]
    pub fn expect_enhanced_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        code: Dynamic,
        enhanced: &str,
        options: Map,
    ) -> Result<Reply, Raised> {
        expected(&ctx, session, Wanted::enhanced(&code, enhanced).with(&options, &OPTIONS))
    }

    /// Takes the next whole reply, which must match one of the patterns. The reply's `index` says
    /// which one, counted from 0. The pattern `eof()` matches if the server closes the connection.
    ///
    /// ```rhai
    /// let s = connect();
    /// let reply = s.expect_any([554, 421, 220]);
    /// assert_eq(reply.index, 2);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_any(
        ctx: NativeCallContext,
        session: &mut Handle,
        patterns: Array,
    ) -> Result<Reply, Raised> {
        expected(&ctx, session, Wanted::any(patterns))
    }

    #[rhai_fn(name = "expect_any", return_raw)]
    pub fn expect_any_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        patterns: Array,
        options: Map,
    ) -> Result<Reply, Raised> {
        expected(&ctx, session, Wanted::any(patterns).with(&options, &OPTIONS))
    }

    /// Takes replies up to and including the first that matches the pattern, and returns that
    /// reply.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.pipeline(["NOOP", "RSET", "VRFY hoge"]);
    /// s.expect_until(252);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_until(
        ctx: NativeCallContext,
        session: &mut Handle,
        pattern: Dynamic,
    ) -> Result<Reply, Raised> {
        until(&ctx, session, Wanted::new(pattern))
    }

    #[rhai_fn(name = "expect_until", return_raw)]
    pub fn expect_until_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        pattern: Dynamic,
        options: Map,
    ) -> Result<Reply, Raised> {
        until(&ctx, session, Wanted::new(pattern).with(&options, &OPTIONS))
    }

    /// Takes one reply for each pattern, in whatever order the replies come. Returns the replies in
    /// the order of the patterns.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.pipeline(["NOOP", "VRFY hoge"]);
    /// let replies = s.expect_unordered([252, 250]);
    /// assert_eq(replies[0].code, 252);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_unordered(
        ctx: NativeCallContext,
        session: &mut Handle,
        patterns: Array,
    ) -> Result<Array, Raised> {
        unordered(&ctx, session, patterns, Ok(Call::default()))
    }

    #[rhai_fn(name = "expect_unordered", return_raw)]
    pub fn expect_unordered_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        patterns: Array,
        options: Map,
    ) -> Result<Array, Raised> {
        unordered(&ctx, session, patterns, call::call(&options, &OPTIONS))
    }

    /// Takes one line, up to its LF, whatever it says.
    ///
    /// ```rhai
    /// let s = connect();
    /// let line = s.expect_line();
    /// assert(line.text.starts_with("220 "));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_line(ctx: NativeCallContext, session: &mut Handle) -> Result<Reply, Raised> {
        session.operate(&ctx, async |session| session.line().await)
    }

    /// Takes one line, up to its LF, which must match the pattern.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("EHLO client.example");
    /// s.expect_line("250-localhost");
    /// s.expect(250);
    /// ```
    #[rhai_fn(name = "expect_line", return_raw)]
    pub fn expect_line_matching(
        ctx: NativeCallContext,
        session: &mut Handle,
        pattern: Dynamic,
    ) -> Result<Reply, Raised> {
        lined(&ctx, session, Wanted::new(pattern))
    }

    #[rhai_fn(name = "expect_line", return_raw)]
    pub fn expect_line_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        pattern: Dynamic,
        options: Map,
    ) -> Result<Reply, Raised> {
        lined(&ctx, session, Wanted::new(pattern).with(&options, &OPTIONS))
    }

    /// Searches the raw stream for the pattern, whatever the protocol, and takes the stream up to
    /// the end of the match. The reply's `text` is the match, and `before` is what came before it.
    /// With `#{keep: false}`, the bytes before the match are not kept, however many they are.
    ///
    /// ```rhai
    /// let s = connect();
    /// let greeting = s.expect_bytes("\r\n");
    /// assert(greeting.before.as_string().starts_with("220 "));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_bytes(
        ctx: NativeCallContext,
        session: &mut Handle,
        pattern: Dynamic,
    ) -> Result<Reply, Raised> {
        searched(&ctx, session, Wanted::new(pattern))
    }

    #[rhai_fn(name = "expect_bytes", return_raw)]
    pub fn expect_bytes_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        pattern: Dynamic,
        options: Map,
    ) -> Result<Reply, Raised> {
        searched(&ctx, session, Wanted::new(pattern).with(&options, &BYTES))
    }

    /// Takes a block of lines up to and including the line that is a lone dot, as POP3 sends
    /// messages and lists (RFC 1939 section 3). The reply's `text`, `lines` and `bytes` are the
    /// block without that line, and a doubled dot at the start of a line is made single. `octets`
    /// is the size of the block in this form. With `#{keep: false}`, only `octets` is kept, however
    /// long the block is. Only CRLF, a dot and CRLF end a block.
    ///
    /// ```rhai,ignore
    /// let s = connect("tcp://localhost:110");
    /// s.expect_line("+OK");
    /// s.send("CAPA");
    /// s.expect_line("+OK");
    /// assert("UIDL" in s.expect_multiline().lines);
    /// s.send("RETR 1");
    /// s.expect_line("+OK");
    /// let size = s.expect_multiline(#{keep: false, timeout: "2m"}).octets;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_multiline(ctx: NativeCallContext, session: &mut Handle) -> Result<Reply, Raised> {
        multiline(&ctx, session, Ok(Call::default()))
    }

    #[rhai_fn(name = "expect_multiline", return_raw)]
    pub fn expect_multiline_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        options: Map,
    ) -> Result<Reply, Raised> {
        multiline(&ctx, session, call::call(&options, &BYTES))
    }

    /// Checks that nothing comes for this time. Replies that were owed before are no longer owed
    /// afterwards.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send_raw("NOO");
    /// s.expect_silence("50ms");
    /// s.send_raw("P\r\n");
    /// s.expect(250);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_silence(
        ctx: NativeCallContext,
        session: &mut Handle,
        duration: Dynamic,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            session.expect_silence(argument::duration(&duration)?).await
        })
    }

    /// Waits until the server closes or resets the connection. It fails if anything else comes.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("QUIT");
    /// s.expect(221);
    /// s.expect_close();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn expect_close(ctx: NativeCallContext, session: &mut Handle) -> Result<(), Raised> {
        closed(&ctx, session, Ok(Call::default()))
    }

    #[rhai_fn(name = "expect_close", return_raw)]
    pub fn expect_close_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        options: Map,
    ) -> Result<(), Raised> {
        closed(&ctx, session, call::call(&options, &OPTIONS))
    }

    /// Takes the next whole reply (on a plain stream, the next line), which must not match the
    /// pattern, and returns it.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("RCPT TO:<test-user@yahoo.co.jp>");
    /// s.refute(2);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn refute(
        ctx: NativeCallContext,
        session: &mut Handle,
        pattern: Dynamic,
    ) -> Result<Reply, Raised> {
        refuted(&ctx, session, Wanted::new(pattern))
    }

    #[rhai_fn(name = "refute", return_raw)]
    pub fn refute_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        pattern: Dynamic,
        options: Map,
    ) -> Result<Reply, Raised> {
        refuted(&ctx, session, Wanted::new(pattern).with(&options, &OPTIONS))
    }
}
