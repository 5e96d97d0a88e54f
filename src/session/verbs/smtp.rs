//! SMTP (RFC 5321) and submission (RFC 6409).

use super::Session;
use crate::error::Result;
use crate::proto::Speech;
use crate::reply::Reply;

/// The protocols that have these verbs.
const SMTP: [Speech; 1] = [Speech::Smtp];

impl Session {
    /// Names the sender: `MAIL FROM:<address>` (RFC 5321 section 4.1.1.2). Where parameters follow, the address needs its
    /// angle brackets: `mail("<hoge@example.com> SIZE=1000")`.
    ///
    /// # Errors
    /// As [`Session::send`] and [`Session::expect`]; a mismatch where the reply is not 250.
    pub async fn mail(&mut self, from: &str) -> Result<Reply> {
        let verb = self.verb("mail", &SMTP, 250)?;
        self.ask(format!("MAIL FROM:{}", path(from)), &verb).await
    }
}

/// An address in angle brackets; one that has brackets already stays as it is, with what stands behind them.
fn path(address: &str) -> String {
    if address.starts_with('<') { address.to_owned() } else { format!("<{address}>") }
}
