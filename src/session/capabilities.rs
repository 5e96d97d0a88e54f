//! What a session remembers of what the peer can do.

use bytes::Bytes;

use super::Session;
use super::said::Said;
use crate::pattern::Match;
use crate::proto::capabilities::{CAPABILITY, Capabilities};
use crate::proto::{Speech, sieve};
use crate::reply::Reply;

impl Session {
    /// What the server said last that it can do: by its reply to EHLO, LHLO or CAPA, sent by a verb
    /// or by hand; in IMAP by CAPABILITY, asked for or not; in ManageSieve by its greeting too.
    /// `None` before that, and after what makes it void: HELO, STARTTLS (RFC 3207 section 4.2, RFC
    /// 3501 section 6.2.1), STLS, XCLIENT.
    ///
    /// ```
    /// # use mailexpect::{Session, server::Replay};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Replay::start("S: 220 hi\nC: EHLO me\nS: 250-mail.example\nS: 250 SIZE 1000")?;
    /// let mut session = Session::connect(&server.url("smtp")).await?;
    /// session.expect(220).await?;
    /// assert!(session.capabilities().is_none());
    /// session.send("EHLO me").await?;
    /// session.expect(250).await?;
    /// assert!(session.capabilities().unwrap().has("SIZE"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.said.as_ref().map(|said| &*said.0)
    }

    /// Takes note of a reply.
    pub(super) fn note_capabilities(&mut self, reply: &[u8]) {
        match self.turn.speech() {
            Speech::Smtp | Speech::Lmtp => self.note_capabilities_of_smtp(reply),
            Speech::Imap => self.note_capabilities_of_imap(reply),
            Speech::Sieve => self.note_capabilities_of_sieve(reply),
            Speech::Pop3 if reply.starts_with(b"+OK") && self.is_answer_to("STLS") => {
                self.said = None;
            }
            Speech::Pop3 | Speech::Stream => {}
        }
    }

    fn note_capabilities_of_smtp(&mut self, reply: &[u8]) {
        let Some(answered) = self.turn.answered() else { return };
        let verb = answered.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let is =
            |verbs: &[&str]| verbs.iter().any(|known| verb.eq_ignore_ascii_case(known.as_bytes()));
        if !reply.starts_with(b"2") {
            return;
        }
        if is(&["EHLO", "LHLO"]) {
            self.said = Some(Said::new(reply, Capabilities::remembered));
        } else if is(&["HELO", "STARTTLS", "XCLIENT"]) {
            self.said = None;
        }
    }

    /// Servers say it in a response of its own, and in the code of a greeting and of a login.
    fn note_capabilities_of_imap(&mut self, response: &[u8]) {
        let is_starttls = |line: &Bytes| line.to_ascii_uppercase().ends_with(b" STARTTLS");
        let (tag, behind) =
            response.split_at(memchr::memchr(b' ', response).map_or(response.len(), |at| at + 1));
        let status = &behind[..behind.len().min("PREAUTH [CAPABILITY ".len())];
        if behind.starts_with(CAPABILITY) || memchr::memmem::find(status, b"[CAPABILITY ").is_some()
        {
            self.said = Some(Said::new(response, Capabilities::remembered_words));
        } else if tag != b"* "
            && behind.starts_with(b"OK")
            && self.turn.answered().is_some_and(is_starttls)
        {
            self.said = None;
        }
    }

    /// Takes note of an OK of ManageSieve: the greeting and the answer to CAPABILITY say what the
    /// server can do (RFC 5804 section 1.7), and after STARTTLS it says so again.
    fn note_capabilities_of_sieve(&mut self, reply: &[u8]) {
        let is_greeting = self.turn.answered().is_some_and(Bytes::is_empty);
        let says_them =
            is_greeting || self.is_answer_to("CAPABILITY") || self.is_answer_to("STARTTLS");
        if says_them && sieve::is_ok(reply) && sieve::data(reply).next().is_some() {
            let reply = Reply::whole(Bytes::copy_from_slice(reply), Match::default());
            self.said = Some(sieve::capabilities(reply).into());
        }
    }

    /// Takes note of a block of lines.
    pub(super) fn note_capabilities_of_block(&mut self, block: &Reply) {
        if self.turn.speech() == Speech::Pop3 && self.is_answer_to("CAPA") {
            self.said = Some(Capabilities::of_lines(block.copied()).into());
        }
    }

    fn is_answer_to(&self, command: &str) -> bool {
        let word = self.turn.answered().and_then(|line| line.split(u8::is_ascii_whitespace).next());
        word.is_some_and(|word| word.eq_ignore_ascii_case(command.as_bytes()))
    }
}
