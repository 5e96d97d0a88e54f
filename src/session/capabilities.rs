//! What a session remembers of what the peer can do.

use bytes::Bytes;

use super::Session;
use crate::proto::Speech;
use crate::proto::capabilities::{CAPABILITY, Capabilities};

impl Session {
    /// What the server said last that it can do: by its reply to EHLO or LHLO, sent by a verb or by hand; in IMAP by CAPABILITY,
    /// asked for or not. `None` before that, and after what makes it void: HELO, STARTTLS (RFC 3207 section 4.2, RFC 3501 section
    /// 6.2.1), XCLIENT.
    #[must_use]
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    /// Takes note of a reply to a greeting of SMTP's kinds.
    pub(super) fn note_capabilities(&mut self, reply: &[u8]) {
        if self.protocol.speech() == Speech::Imap {
            self.note_capabilities_of_imap(reply);
        }
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

    /// Servers say it in a response of its own, and in the code of a greeting and of a login.
    fn note_capabilities_of_imap(&mut self, response: &[u8]) {
        let is_starttls = |line: &Bytes| line.to_ascii_uppercase().ends_with(b" STARTTLS");
        let (tag, behind) = response.split_at(memchr::memchr(b' ', response).map_or(response.len(), |at| at + 1));
        let status = &behind[..behind.len().min("PREAUTH [CAPABILITY ".len())];
        if behind.starts_with(CAPABILITY) || memchr::memmem::find(status, b"[CAPABILITY ").is_some() {
            self.capabilities = Some(Capabilities::remembered_words(response));
        } else if tag != b"* " && behind.starts_with(b"OK") && self.answered.as_ref().is_some_and(is_starttls) {
            self.capabilities = None;
        }
    }
}
