//! What a session remembers of what the peer can do.

use super::Session;
use crate::proto::Speech;
use crate::proto::capabilities::Capabilities;

impl Session {
    /// What the server said last that it can do: by its reply to EHLO or LHLO, sent by a verb or by hand. `None` before that,
    /// and after what makes it void: HELO, STARTTLS (RFC 3207 section 4.2), XCLIENT.
    #[must_use]
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    /// Takes note of a reply to a greeting of SMTP's kinds.
    pub(super) fn note_capabilities(&mut self, reply: &[u8]) {
        let (Speech::Smtp | Speech::Lmtp, Some(answered)) = (self.protocol.speech(), &self.answered) else { return };
        let verb = answered.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let is = |verbs: &[&str]| verbs.iter().any(|known| verb.eq_ignore_ascii_case(known.as_bytes()));
        if !reply.starts_with(b"2") {
            return;
        }
        if is(&["EHLO", "LHLO"]) {
            self.capabilities = Some(Capabilities::remembered(reply));
        } else if is(&["HELO", "STARTTLS", "XCLIENT"]) {
            self.capabilities = None;
        }
    }
}
