//! Words that expect replies, silence and the end of a connection.

use rhai::{Array, Dynamic, Module};

use super::verb::{Manual, verbs};
use super::{argument, call, octets};
use crate::error::{Error, Result};
use crate::pattern::{Code, Pattern};
use crate::reply::Reply;

pub(super) const INTRO: &str = "On a session that speaks a protocol, `expect` takes the next whole reply and compares it with \
the pattern; a reply that does not match fails at once. An integer is the reply code, or a class of codes (`2` is 2xx, `25` \
is 25x); text is the literal beginning of the reply; `re(...)` may match anywhere in it. `tcp://` and `pipe` sessions have no \
framing: there, `expect` searches the stream and takes it to the end of the match. Each word takes `#{timeout: \"30s\"}` as \
its last argument; without it, the session's deadline applies, 10 s unless set.";

/// One of several patterns.
fn any(patterns: Array) -> Result<Pattern> {
    argument::patterns(patterns).and_then(Pattern::any)
}

/// A reply code with an enhanced status code.
fn code(code: &Dynamic, enhanced: &str) -> Result<Pattern> {
    let code = code.as_int().map_err(|_| {
        Error::usage("an enhanced status code belongs to a reply code")
            .hint("expect(250, \"2.1.0\"); alternatives go into expect_any([...])")
    })?;
    Ok(Code::new(code)?.with_enhanced(enhanced)?.into())
}

pub(super) fn words(manual: Manual) -> Module {
    let mut module = Module::new();
    verbs! { module, manual, call::expectation:
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
        expect(session, call, pattern: Dynamic; after) -> Reply {
            session.expect(argument::pattern(pattern)?).with(call).await
        }

        /// Takes the next whole reply, which must have this code and this enhanced status code
        /// (RFC 2034). The beginning of an enhanced status code is enough: `"5.7"` matches `5.7.1`.
        /// A reply is malformed if its enhanced codes begin with another digit than its code, or
        /// differ between its lines; the verbs of SMTP check this too.
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
        expect(session, call, code: Dynamic, enhanced: &str; after) -> Reply {
            session.expect(self::code(&code, enhanced)?).with(call).await
        }

        /// Takes the next whole reply, which must match one of the patterns. The reply's `index`
        /// says which one, counted from 0. The pattern `eof()` matches if the server closes the
        /// connection.
        ///
        /// ```rhai
        /// let s = connect();
        /// let reply = s.expect_any([554, 421, 220]);
        /// assert_eq(reply.index, 2);
        /// ```
        expect_any(session, call, patterns: Array; after) -> Reply {
            session.expect(any(patterns)?).with(call).await
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
        expect_until(session, call, pattern: Dynamic; after) -> Reply {
            session.expect_until(argument::pattern(pattern)?).with(call).await
        }

        /// Takes one reply for each pattern, in whatever order the replies come. Returns the
        /// replies in the order of the patterns.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.pipeline(["NOOP", "VRFY hoge"]);
        /// let replies = s.expect_unordered([252, 250]);
        /// assert_eq(replies[0].code, 252);
        /// ```
        expect_unordered(session, call, patterns: Array; after) -> Array {
            let replies = session.expect_unordered(argument::patterns(patterns)?).with(call).await?;
            Ok(replies.into_iter().map(Dynamic::from).collect())
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
        refute(session, call, pattern: Dynamic; after) -> Reply {
            session.refute(argument::pattern(pattern)?).with(call).await
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
        expect_close(session, call; after) -> () { session.expect_close().with(call).await }
    }
    module.combine(octets::words(manual));
    module
}
