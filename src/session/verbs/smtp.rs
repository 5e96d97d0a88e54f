//! SMTP (RFC 5321), submission (RFC 6409) and LMTP (RFC 2033).

use super::{SMTP, Session};
use crate::error::Result;
use crate::proto::capabilities::Capabilities;
use crate::proto::smtp::xtext;
use crate::reply::Reply;

impl Session {
    /// Introduces the client, and learns what the server can do: `EHLO name` (RFC 5321 section 4.1.1.1).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 250.
    pub async fn ehlo(&mut self, name: &str) -> Result<Capabilities> {
        let verb = self.verb("ehlo", &SMTP, 250)?;
        self.ask(format!("EHLO {name}"), &verb).await.map(Capabilities::of_hello)
    }

    /// The same in LMTP: `LHLO name` (RFC 2033 section 4.1).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 250.
    pub async fn lhlo(&mut self, name: &str) -> Result<Capabilities> {
        let verb = self.verb("lhlo", &SMTP, 250)?;
        self.ask(format!("LHLO {name}"), &verb).await.map(Capabilities::of_hello)
    }

    /// Introduces the client without learning anything: `HELO name` (RFC 5321 section 4.1.1.1).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 250.
    pub async fn helo(&mut self, name: &str) -> Result<Reply> {
        let verb = self.verb("helo", &SMTP, 250)?;
        self.ask(format!("HELO {name}"), &verb).await
    }

    /// Names the sender: `MAIL FROM:<address>` (RFC 5321 section 4.1.1.2). Where parameters follow, the address needs its
    /// angle brackets: `mail("<hoge@example.com> SIZE=1000")`.
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 250.
    pub async fn mail(&mut self, from: &str) -> Result<Reply> {
        let verb = self.verb("mail", &SMTP, 250)?;
        self.ask(format!("MAIL FROM:{}", path(from)), &verb).await
    }

    /// Names a recipient: `RCPT TO:<address>` (RFC 5321 section 4.1.1.3). Where parameters follow, the address needs its angle
    /// brackets: `rcpt("<hoge@example.com> NOTIFY=NEVER")`.
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 25x.
    pub async fn rcpt(&mut self, to: &str) -> Result<Reply> {
        let verb = self.verb("rcpt", &SMTP, 25)?;
        self.ask(format!("RCPT TO:{}", path(to)), &verb).await
    }

    /// Asks whether there is such a user: `VRFY string` (RFC 5321 section 4.1.1.6); 252 says that the server would not tell.
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 25x.
    pub async fn vrfy(&mut self, user: &str) -> Result<Reply> {
        let verb = self.verb("vrfy", &SMTP, 25)?;
        self.ask(format!("VRFY {user}"), &verb).await
    }

    /// Asks who is on a mailing list: `EXPN string` (RFC 5321 section 4.1.1.7).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 25x.
    pub async fn expn(&mut self, list: &str) -> Result<Reply> {
        let verb = self.verb("expn", &SMTP, 25)?;
        self.ask(format!("EXPN {list}"), &verb).await
    }

    /// Asks for help, on a command or, with an empty text, at large: `HELP` (RFC 5321 section 4.1.1.8).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 21x.
    pub async fn help(&mut self, command: &str) -> Result<Reply> {
        let verb = self.verb("help", &SMTP, 21)?;
        self.ask(format!("HELP {command}").trim_end(), &verb).await
    }

    /// Asks the server to send what it holds for a domain: `ETRN domain` (RFC 1985 section 5).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 25x.
    pub async fn etrn(&mut self, domain: &str) -> Result<Reply> {
        let verb = self.verb("etrn", &SMTP, 25)?;
        self.ask(format!("ETRN {domain}"), &verb).await
    }

    /// Tells a server that trusts us whom it is to take us for: `XCLIENT NAME=value ...`, Postfix's extension. Values are sent as
    /// [`xtext`]. The server's greeting comes again, and the dialogue begins anew with EHLO.
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 220.
    pub async fn xclient<N: AsRef<str>, V: AsRef<[u8]>>(
        &mut self,
        attributes: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Reply> {
        let verb = self.verb("xclient", &SMTP, 220)?;
        let mut line = String::from("XCLIENT");
        for (name, value) in attributes {
            line.extend([" ", name.as_ref(), "=", &xtext(value)]);
        }
        self.ask(line, &verb).await
    }
}

/// An address in angle brackets; one that has brackets already stays as it is, with what stands behind them.
fn path(address: &str) -> String {
    if address.starts_with('<') { address.to_owned() } else { format!("<{address}>") }
}
