//! SMTP (RFC 5321) and submission (RFC 6409).

use super::Session;
use crate::error::Result;
use crate::proto::Speech;
use crate::proto::capabilities::Capabilities;
use crate::reply::Reply;

/// The protocols that have these verbs.
const SMTP: [Speech; 1] = [Speech::Smtp];

impl Session {
    /// Introduces the client, and learns what the server can do: `EHLO name` (RFC 5321 section 4.1.1.1).
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 250.
    pub async fn ehlo(&mut self, name: &str) -> Result<Capabilities> {
        let verb = self.verb("ehlo", &SMTP, 250)?;
        self.ask(format!("EHLO {name}"), &verb).await.map(Capabilities::of_hello)
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
}

/// An address in angle brackets; one that has brackets already stays as it is, with what stands behind them.
fn path(address: &str) -> String {
    if address.starts_with('<') { address.to_owned() } else { format!("<{address}>") }
}
