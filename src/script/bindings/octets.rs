//! Words that take octets, lines and blocks by hand, and that check that nothing comes.

use rhai::plugin::{NativeCallContext, export_module};
use rhai::{Dynamic, Module};

use super::verb::{Manual, verbs, words_of};
use super::{Handle, argument, call};
use crate::error::Error;
use crate::reply::Reply;
use crate::script::raise::Raised;

pub(super) fn words(manual: Manual) -> Module {
    let mut module = words_of!(plain, manual);
    verbs! { module, manual, call::expectation:
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
        expect_octets(session, call, count: i64; after) -> Reply {
            let wrong = |_| Error::usage(format!("{count} octets cannot come"));
            session.expect_octets(usize::try_from(count).map_err(wrong)?).with(call).await
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
        expect_line(session, call, pattern: Dynamic; after) -> Reply {
            session.expect_line(argument::pattern(pattern)?).with(call).await
        }

        /// Searches the raw stream for the pattern, whatever the protocol, and takes the stream up
        /// to the end of the match. The reply's `text` is the match, and `before` is what came
        /// before it. With `#{keep: false}`, the bytes before the match are not kept, however many
        /// they are.
        ///
        /// ```rhai
        /// let s = connect();
        /// let greeting = s.expect_bytes("\r\n");
        /// assert(greeting.before.as_string().starts_with("220 "));
        /// ```
        expect_bytes(session, call, pattern: Dynamic; keep) -> Reply {
            session.expect_bytes(argument::pattern(pattern)?).with(call).await
        }

        /// Takes a block of lines up to and including the line that is a lone dot, as POP3 sends
        /// messages and lists (RFC 1939 section 3). The reply's `text`, `lines` and `bytes` are the
        /// block without that line, and a doubled dot at the start of a line is made single.
        /// `octets` is the size of the block in this form. With `#{keep: false}`, only `octets` is
        /// kept, however long the block is. Only CRLF, a dot and CRLF end a block. A line that begins
        /// with a single dot before other text is malformed: its sender does not double dots.
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
        expect_multiline(session, call; keep) -> Reply {
            session.expect_multiline().with(call).await
        }
    }
    module
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod plain {
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
}
