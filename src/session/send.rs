//! Sending: in lock-step by [`Session::send`]; ahead of replies, on purpose, by
//! [`Session::pipeline`] and [`Session::send_raw`].

use bytes::Bytes;

use super::multiline::{BLOCK, TAKE_IT};
use super::role::Role;
use super::waiting::Wait;
use super::{Operation, Payload, Session, hint};
use crate::error::{Kind, Result};
use crate::proto::chomp;
use crate::proto::smtp::dot_stuff;

/// Sending, in any protocol.
impl Session {
    /// Sends a line with CRLF added.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("NOOP").await?;
    /// assert!(session.send("QUIT").await.unwrap_err().is_out_of_step(), "a reply is owed");
    /// session.expect(250).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Out of step while a reply is owed or anything that came is unread; closed; a time-out if the
    /// peer does not read.
    pub fn send(&mut self, line: impl AsRef<[u8]>) -> Operation<'_, ()> {
        let bytes = self.stream.line(line.as_ref());
        self.operation(move |session, call| {
            Box::pin(async move {
                let wait = session.begin(&call, "send")?;
                session.send_in_turn(bytes, wait).await
            })
        })
    }

    /// Sends a line with CRLF added, if it is our turn, as part of an operation that has begun.
    pub(super) async fn send_line(&mut self, line: &[u8], wait: Wait) -> Result<()> {
        let bytes = self.stream.line(line);
        self.send_in_turn(bytes, wait).await
    }

    /// Sends bytes in one write, if it is our turn, as part of an operation that has begun.
    pub(super) async fn send_in_turn(&mut self, bytes: impl Into<Bytes>, wait: Wait) -> Result<()> {
        let bytes = bytes.into();
        self.check_turn(&bytes).await?;
        self.write(bytes, wait).await
    }

    /// Sends a message in one write: leading dots doubled, the last line ended, and the final dot.
    /// This is the part of DATA that follows 354.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: DATA\nS: 354 go on\nC: ..hidden\nC: .\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send("DATA").await?;
    /// session.expect(354).await?;
    /// session.send_message(".hidden\n").await?;
    /// session.expect(250).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`].
    pub fn send_message<'a>(&mut self, message: impl Into<Payload<'a>>) -> Operation<'_, ()> {
        let bytes = dot_stuff(message.into().bytes());
        self.operation(move |session, call| {
            Box::pin(async move {
                let wait = session.begin(&call, "send_message")?;
                session.send_in_turn(bytes, wait).await
            })
        })
    }

    /// Sends several lines in one write, with CRLF added to each, without waiting for replies in
    /// between (RFC 2920). Afterwards the peer owes a reply for each line.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nC: HELP\nS: 250 ok\nS: 214 RFC 5321")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.pipeline(["NOOP", "HELP"]).await?;
    /// assert_eq!(session.owed(), 2);
    /// session.expect(250).await?;
    /// session.expect(214).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Closed; a time-out if the peer does not read.
    pub fn pipeline<L: AsRef<[u8]>>(
        &mut self,
        lines: impl IntoIterator<Item = L>,
    ) -> Operation<'_, ()> {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend_from_slice(line.as_ref());
            bytes.extend_from_slice(b"\r\n");
        }
        self.operation(move |session, call| {
            Box::pin(async move {
                let wait = session.begin(&call, "pipeline")?;
                session.write(bytes.into(), wait).await
            })
        })
    }

    /// Sends bytes as they are, no matter whose turn it is. On the server's side,
    /// [`Operation::fault`] sets what goes wrong while they are sent.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: NOOP\nS: 250 ok")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.send_raw("NO").await?;
    /// session.send_raw("OP\r\n").await?;
    /// session.expect(250).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Closed; a time-out if the peer does not read.
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) -> Operation<'_, ()> {
        let bytes = Bytes::copy_from_slice(bytes.as_ref());
        self.operation(move |session, mut call| {
            Box::pin(async move {
                let fault = if session.is_server() { call.fault.take() } else { None };
                let wait = session.begin(&call, "send_raw")?;
                match fault.filter(|fault| session.happens(fault)) {
                    Some(fault) => session.utter_with(bytes, &fault, wait).await,
                    None => session.write(bytes, wait).await,
                }
            })
        })
    }

    /// Fails unless it is our turn: no reply is owed, and nothing is unread.
    pub(super) async fn check_turn(&mut self, bytes: &[u8]) -> Result<()> {
        self.read_ready().await?;
        if self.turn.role() == Role::Server {
            return self.check_answer(bytes);
        }
        let held = self.stream.held();
        // Data that a server sends unasked may stay unread until the next answer.
        if self.turn.owed_to_us() == 0 && (held.is_empty() || self.turn.protocol().is_unasked(held))
        {
            return Ok(());
        }
        let spans = self.turn.protocol().secrets(bytes);
        for span in &spans {
            self.record.secrets().learn(&bytes[span.clone()]);
            self.record.secrets().learn_in_place(bytes, span);
        }
        let line = match chomp(bytes) {
            [] => "an empty line".to_owned(),
            line => format!("`{}`", self.record.shown(line, &spans)),
        };
        let owed = match self.turn.owed_to_us() {
            _ if self.turn.protocol().owes_block() => TAKE_IT.to_owned(),
            0 => "an expect for what came, first".to_owned(),
            1 => format!("an expect for {}, first", self.next_owed()),
            owed => format!("expects for the {owed} replies, first"),
        };
        let why = match self.turn.owed_to_us() {
            0 => "input is unread".to_owned(),
            _ if self.turn.protocol().owes_block() => format!("{BLOCK} is owed"),
            _ => "a reply is owed".to_owned(),
        };
        let mut error =
            self.fault(Kind::OutOfStep, format!("{line} was about to be sent while {why}"));
        if let Some(slip) = self.slip_of_owed() {
            error = error.hint(slip);
        }
        if hint::is_proxy_header(bytes) {
            error = error.hint(hint::PROXY_BY_HAND);
        }
        Err(error
            .with_expected(owed)
            .with_got(self.shown_unread())
            .hint("send ahead on purpose with pipeline([...]) or send_raw(...)"))
    }
}
