//! IDLE (RFC 2177).

use super::running::{Next, Running};
use super::{Call, Session};
use crate::error::{Kind, Result};
use crate::pattern::Pattern;
use crate::proto::imap::Answer;

impl Session {
    pub(super) async fn begin_idle(&mut self, call: Call) -> Result<Answer> {
        let is_usual = call.expect.is_none();
        let (mut running, _) = self.prepare("idle", call)?;
        if is_usual {
            running.verb.wanted = Pattern::bytes("+")?;
        }
        let tag = self.next_tag();
        running.tag = Some(tag.clone());
        self.send_line(format!("{tag} IDLE").as_bytes(), running.verb.wait).await?;
        match self.next_response(&mut running).await? {
            Next::Tagged(tagged) => self.finish_running(running, tagged).await,
            Next::Continuation(response) => {
                self.tags.idle = Some(tag);
                self.finish_running(running, response).await
            }
        }
    }

    pub(super) async fn end_idle(&mut self, call: Call) -> Result<Answer> {
        let (mut running, _) = self.prepare("done", call)?;
        if !self.turn.protocol().is_idle() {
            let error = self.fault(Kind::OutOfStep, "there is no IDLE for `done` to end");
            return Err(error.with_expected("idle(), first").hint(
                "idle() begins an IDLE; a server that has ended it by itself waits for no DONE",
            ));
        }
        running.tag = self.tags.idle.take();
        self.check_idle(&running).await?;
        self.write(b"DONE\r\n".as_slice().into(), running.verb.wait).await?;
        match self.next_response(&mut running).await? {
            Next::Tagged(tagged) => self.finish_running(running, tagged).await,
            Next::Continuation(response) => Err(self.asks_for_more(&running, &response)),
        }
    }

    /// Checks the responses that came during IDLE and that nobody took: the server may send untagged
    /// ones, but must not end the command (RFC 2177 section 3). Untagged ones are not taken yet.
    /// What comes a moment later is taken behind DONE, too, so that the transcript does not depend
    /// on the moment.
    async fn check_idle(&mut self, running: &Running) -> Result<()> {
        // The end may be behind much news.
        let mut seen = None;
        while seen != Some(self.stream.held().len()) {
            seen = Some(self.stream.held().len());
            self.read_ready().await?;
        }
        let mut at = 0;
        while let Some(length) = self.framed_from(at) {
            let response = &self.stream.held()[at..at + length];
            let tag = response.split(|byte| *byte == b' ').next().unwrap_or_default();
            let why = if response.starts_with(b"+") {
                "the server asks to go on with the IDLE, which it has done before"
            } else if running.tag.as_deref().map(str::as_bytes) == Some(tag) {
                "the server ended the IDLE before DONE"
            } else {
                at += length;
                continue;
            };
            let got = self.shown_lines(response);
            self.take(at + length);
            let error = self.fault(Kind::Unexpected, why);
            return Err(error
                .with_expected("untagged responses, up to DONE (RFC 2177, 3)")
                .with_got(got));
        }
        Ok(())
    }

    /// The length of the response at this place of the buffer, if it is there whole. One that is
    /// malformed is left to the word that takes it.
    fn framed_from(&mut self, at: usize) -> Option<usize> {
        let held = self.stream.held();
        let framing = self.turn.framing()?;
        framing.restart();
        let length = framing.frame(&held[at..]).ok().flatten();
        framing.restart();
        length
    }
}
