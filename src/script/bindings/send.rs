//! The words that send.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::{Handle, argument, call};
use crate::error::Result;
use crate::script::raise::Raised;
use crate::session::{Call, Session};

pub(super) const INTRO: &str = "Sending is in lock-step: `send` and `send_message` fail while a reply is owed or anything \
that came is unread, and show it. To send ahead on purpose, use `pipeline` and `send_raw`. Nothing refuses to send text that \
breaks the rules of a protocol. Text is sent as UTF-8, and a blob (see `bytes` and `hex`) unchanged. Each word takes \
`#{timeout: \"30s\"}` as its last argument.";

const OPTIONS: [&str; 1] = ["timeout"];

async fn line(session: &mut Session, line: Dynamic, call: Result<Call>) -> Result<()> {
    let Some(lines) = line.read_lock::<Array>().map(|lines| lines.clone()) else {
        let line = argument::octets(line, "a line")?;
        argument::warn_of_backticks(line.as_ref());
        return session.send(line).with(call?).await;
    };
    lines.iter().try_for_each(|line| {
        argument::octets(line.clone(), "a line")
            .map(|line| argument::warn_of_backticks(line.as_ref()))
    })?;
    let joined = argument::joined(lines.into_iter(), "a line", false)?;
    session.send(joined).with(call?).await
}

async fn raw(session: &mut Session, bytes: Dynamic, call: Result<Call>) -> Result<()> {
    let bytes = argument::octets(bytes, "what to send")?;
    argument::warn_of_backticks(bytes.as_ref());
    session.send_raw(bytes).with(call?).await
}

async fn lines(session: &mut Session, lines: Array, call: Result<Call>) -> Result<()> {
    let lines = lines
        .into_iter()
        .map(|line| argument::octets(line, "a line"))
        .collect::<Result<Vec<_>>>()?;
    let mut bytes = 0;
    for line in &lines {
        argument::warn_of_backticks(line.as_ref());
        bytes += line.as_ref().len();
        argument::may_copy(bytes)?;
    }
    session.pipeline(lines).with(call?).await
}

async fn message(session: &mut Session, message: Dynamic, call: Result<Call>) -> Result<()> {
    session.send_message(argument::message(message)?).with(call?).await
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Sends a line, with CRLF added. A list of lines is sent in one write that counts as one turn,
    /// with CRLF added to each line, as for the lines of a message after 354. To send several
    /// commands at once, use `pipeline`.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("EHLO client.example");
    /// s.expect(250);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn send(ctx: NativeCallContext, session: &mut Handle, line: Dynamic) -> Result<(), Raised> {
        session.operate(&ctx, async |session| super::line(session, line, Ok(Call::default())).await)
    }

    #[rhai_fn(name = "send", return_raw)]
    pub fn send_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        line: Dynamic,
        options: Map,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            super::line(session, line, call::call(&options, &OPTIONS)).await
        })
    }

    /// Sends exactly these bytes, no matter whose turn it is: half a line, a bare LF, or several
    /// commands.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send_raw("NOOP\r\n");
    /// s.expect(250);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn send_raw(
        ctx: NativeCallContext,
        session: &mut Handle,
        bytes: Dynamic,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| raw(session, bytes, Ok(Call::default())).await)
    }

    #[rhai_fn(name = "send_raw", return_raw)]
    pub fn send_raw_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        bytes: Dynamic,
        options: Map,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            raw(session, bytes, call::call(&options, &OPTIONS)).await
        })
    }

    /// Sends several lines in one write (RFC 2920). The server owes a reply to each line, and each
    /// reply has to be expected.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("EHLO client.example");
    /// s.expect(250);
    /// s.pipeline(["MAIL FROM:<hoge@example.com>", "RCPT TO:<hoge@example.com>", "RSET"]);
    /// s.expect(250);
    /// s.expect(250);
    /// s.expect(250);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn pipeline(
        ctx: NativeCallContext,
        session: &mut Handle,
        lines: Array,
    ) -> Result<(), Raised> {
        session
            .operate(&ctx, async |session| super::lines(session, lines, Ok(Call::default())).await)
    }

    #[rhai_fn(name = "pipeline", return_raw)]
    pub fn pipeline_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        lines: Array,
        options: Map,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            super::lines(session, lines, call::call(&options, &OPTIONS)).await
        })
    }

    /// Sends a message after the 354 of DATA, in one write: leading dots are doubled, the last line
    /// gets a line end if it has none, and the final dot follows. The line ends of text become
    /// CRLF; a blob stays as it is.
    ///
    /// ```rhai
    /// let s = connect();
    /// s.expect(220);
    /// s.send("EHLO client.example");
    /// s.expect(250);
    /// s.send("MAIL FROM:<hoge@example.com>");
    /// s.expect(250);
    /// s.send("RCPT TO:<hoge@example.com>");
    /// s.expect(250);
    /// s.send("DATA");
    /// s.expect(354);
    /// s.send_message("Subject: hello\n\nHow are you?\n");
    /// s.expect(250);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn send_message(
        ctx: NativeCallContext,
        session: &mut Handle,
        message: Dynamic,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            super::message(session, message, Ok(Call::default())).await
        })
    }

    #[rhai_fn(name = "send_message", return_raw)]
    pub fn send_message_with(
        ctx: NativeCallContext,
        session: &mut Handle,
        message: Dynamic,
        options: Map,
    ) -> Result<(), Raised> {
        session.operate(&ctx, async |session| {
            super::message(session, message, call::call(&options, &OPTIONS)).await
        })
    }
}
