//! SMTP (RFC 5321), submission (RFC 6409) and LMTP (RFC 2033).

use super::{Operation, SMTP, Session};
use crate::proto::capabilities::Capabilities;
use crate::proto::smtp::xtext;
use crate::proto::{Speech, Success};
use crate::reply::Reply;

/// Client: SMTP (RFC 5321) and LMTP (RFC 2033).
impl Session {
    /// Introduces the client, and returns the server's capabilities: `EHLO name` (RFC 5321 section
    /// 4.1.1.1).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example ESMTP
    ///     C: EHLO client.example
    ///     S: 250-mail.example
    ///     S: 250-SIZE 10485760
    ///     S: 250 AUTH PLAIN LOGIN
    /// ")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// let capabilities = session.ehlo("client.example").await?;
    /// assert_eq!(capabilities.domain(), "mail.example");
    /// assert_eq!(capabilities.get("size").as_deref(), Some("10485760"));
    /// assert!(capabilities.has("AUTH PLAIN") && !capabilities.has("STARTTLS"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not 250.
    pub fn ehlo(&mut self, name: &str) -> Operation<'_, Capabilities> {
        self.smtp("ehlo", format!("EHLO {name}")).map(Capabilities::of_hello)
    }

    /// Introduces the client in LMTP, and returns the server's capabilities: `LHLO name` (RFC 2033
    /// section 4.1).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 lmtp.example ready
    ///     C: LHLO client.example
    ///     S: 250-lmtp.example
    ///     S: 250 PIPELINING
    /// ")?;
    /// let mut session = Session::connect(&server.url("lmtp")).await?;
    /// session.expect(220).await?;
    /// let capabilities = session.lhlo("client.example").await?;
    /// assert_eq!(capabilities.keywords(), ["PIPELINING"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not 250.
    pub fn lhlo(&mut self, name: &str) -> Operation<'_, Capabilities> {
        self.smtp("lhlo", format!("LHLO {name}")).map(Capabilities::of_hello)
    }

    /// Introduces the client without asking for capabilities: `HELO name` (RFC 5321 section
    /// 4.1.1.1).
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example ESMTP
    ///     C: HELO client.example
    ///     S: 250 mail.example
    /// ")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// let reply = session.helo("client.example").await?;
    /// assert_eq!(reply.text(), "250 mail.example");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not 250.
    pub fn helo(&mut self, name: &str) -> Operation<'_, Reply> {
        self.smtp("helo", format!("HELO {name}"))
    }

    /// Names the sender: `MAIL FROM:<address>` (RFC 5321 section 4.1.1.2). If parameters follow,
    /// the address needs its angle brackets: `mail("<hoge@example.com> SIZE=1000")`.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example ESMTP
    ///     C: MAIL FROM:<hoge@example.com>
    ///     S: 250 2.1.0 Ok
    ///     C: RSET
    ///     S: 250 2.0.0 Ok
    ///     C: MAIL FROM:<> SIZE=99999999
    ///     S: 552 5.3.4 Message size exceeds fixed limit
    /// ")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.mail("hoge@example.com").await?;
    /// session.rset().await?;
    /// let refusal = session.mail("<> SIZE=99999999").expect(552).await?;
    /// assert_eq!(refusal.enhanced().map(|code| code.to_string()).as_deref(), Some("5.3.4"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not 250.
    pub fn mail(&mut self, from: &str) -> Operation<'_, Reply> {
        self.transact("mail", format!("MAIL FROM:{}", path(from)))
    }

    /// Names a recipient: `RCPT TO:<address>` (RFC 5321 section 4.1.1.3). If parameters follow, the
    /// address needs its angle brackets: `rcpt("<hoge@example.com> NOTIFY=NEVER")`.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example ESMTP
    ///     C: MAIL FROM:<hoge@example.com>
    ///     S: 250 2.1.0 Ok
    ///     C: RCPT TO:<alice@example.com> NOTIFY=NEVER
    ///     S: 250 2.1.5 Ok
    ///     C: RCPT TO:<test-user@yahoo.co.jp>
    ///     S: 554 5.7.1 Relay access denied
    /// ")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// session.mail("hoge@example.com").await?;
    /// session.rcpt("<alice@example.com> NOTIFY=NEVER").await?;
    /// let refusal = session.rcpt("test-user@yahoo.co.jp").expect(554).await?;
    /// assert_eq!(refusal.text(), "554 5.7.1 Relay access denied");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not 25x.
    pub fn rcpt(&mut self, to: &str) -> Operation<'_, Reply> {
        self.transact("rcpt", format!("RCPT TO:{}", path(to)))
    }

    /// Tells a server that trusts us which client to take us for: `XCLIENT NAME=value ...`, an
    /// extension of Postfix that is in no RFC. Values are sent as [`xtext`]. The server greets
    /// again, and the dialogue begins again with EHLO.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example ESMTP
    ///     C: XCLIENT ADDR=192.0.2.1 LOGIN=two+20words
    ///     S: 220 mail.example ESMTP
    ///     C: EHLO client.example
    ///     S: 250 mail.example
    /// ")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// let greeting = session.xclient([("ADDR", "192.0.2.1"), ("LOGIN", "two words")]).await?;
    /// assert_eq!(greeting.text(), "220 mail.example ESMTP");
    /// session.ehlo("client.example").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not 220.
    pub fn xclient<N: AsRef<str>, V: AsRef<[u8]>>(
        &mut self,
        attributes: impl IntoIterator<Item = (N, V)>,
    ) -> Operation<'_, Reply> {
        self.smtp("xclient", with_attributes("XCLIENT", attributes))
    }

    /// Tells a server that trusts us on behalf of which client we speak, for its log and its
    /// filters: `XFORWARD NAME=value ...`, an extension of Postfix that is in no RFC. Values are
    /// sent as [`xtext`]; a value that is not known is `[UNAVAILABLE]`. In its reply to EHLO, the
    /// server names the attributes that it takes: `NAME`, `ADDR`, `PORT`, `PROTO`, `HELO`, `IDENT`
    /// and `SOURCE`. The attributes hold until the end of the next message.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("
    ///     S: 220 mail.example ESMTP
    ///     C: XFORWARD NAME=mx.example.net ADDR=192.0.2.1 HELO=two+20words
    ///     S: 250 2.0.0 Ok
    /// ")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// let client = [("NAME", "mx.example.net"), ("ADDR", "192.0.2.1"), ("HELO", "two words")];
    /// session.xforward(client).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Session::send`] and [`Session::expect`]; a mismatch if the reply is not 25x.
    pub fn xforward<N: AsRef<str>, V: AsRef<[u8]>>(
        &mut self,
        attributes: impl IntoIterator<Item = (N, V)>,
    ) -> Operation<'_, Reply> {
        self.smtp("xforward", with_attributes("XFORWARD", attributes))
    }
}

/// A command of Postfix with its attributes, each value as xtext.
fn with_attributes<N: AsRef<str>, V: AsRef<[u8]>>(
    command: &str,
    attributes: impl IntoIterator<Item = (N, V)>,
) -> String {
    let mut line = command.to_owned();
    for (name, value) in attributes {
        line.extend([" ", name.as_ref(), "=", &xtext(value)]);
    }
    line
}

impl Session {
    /// A verb that is its command and an argument, which may be empty.
    #[cfg(feature = "script")]
    pub(crate) fn smtp_verb(&mut self, name: &'static str, argument: &str) -> Operation<'_, Reply> {
        let line = format!("{} {argument}", name.to_ascii_uppercase());
        self.smtp(name, line.trim_end())
    }

    fn smtp(&mut self, name: &'static str, line: impl Into<Vec<u8>>) -> Operation<'_, Reply> {
        self.exchange(name, &SMTP, success(name), line)
    }

    /// A verb whose command belongs to a mail transaction, with its parameters at the end.
    fn transact(&mut self, name: &'static str, line: String) -> Operation<'_, Reply> {
        self.operation(move |session, mut call| {
            Box::pin(async move {
                let parameters = std::mem::take(&mut call.parameters);
                let line = [vec![line], parameters].concat().join(" ");
                let verb = session.verb(call, name, &SMTP, success(name))?;
                session.ask(line, &verb).await
            })
        })
    }
}

/// How the reply begins if the command of this verb has succeeded.
pub(super) fn success(verb: &str) -> Success {
    Speech::Smtp.facts().success_of(&verb.to_ascii_uppercase())
}

/// An address in angle brackets. If the address has brackets already, it stays as it is, with the
/// text after them.
fn path(address: &str) -> String {
    if address.starts_with('<') { address.to_owned() } else { format!("<{address}>") }
}
