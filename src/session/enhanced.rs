//! Enhanced status codes that contradict the reply in which they are (RFC 2034 section 4).

use super::Session;
use super::role::Role;
use super::waiting::Wait;
use crate::error::{Error, Kind, Result};
use crate::pattern::{Enhanced, Pattern};
use crate::proto::Speech;
use crate::proto::capabilities::is_answer_to;

/// The commands whose replies begin with the name of a server and list its keywords, and so have no
/// enhanced codes.
const WITHOUT: [&str; 4] = ["EHLO", "LHLO", "HELO", "XCLIENT"];

impl Session {
    /// Checks the enhanced status codes of a reply that a verb, or an expectation of such a code,
    /// has accepted.
    pub(super) fn check_enhanced(&self, reply: &[u8], wanted: &Pattern, wait: Wait) -> Result<()> {
        let has_codes = matches!(self.turn.speech(), Speech::Smtp | Speech::Lmtp);
        let is_exempt = self
            .turn
            .answered()
            .is_some_and(|answered| WITHOUT.iter().any(|command| is_answer_to(answered, command)));
        if !has_codes || is_exempt || self.turn.role() == Role::Server {
            return Ok(());
        }
        let Some(why) = Enhanced::contradiction(reply) else { return Ok(()) };
        let error: Error = self.fault(Kind::Malformed, why).with_expected(wanted);
        let error = error.with_got(self.shown_lines(reply)).with_waited(wait.waited());
        Err(error.hint(
            "an enhanced code begins with the first digit of the reply code, and is the same in all lines (RFC 2034, 4); expect(code) takes the reply as it is",
        ))
    }
}
