//! AUTHENTICATE in IMAP: a tagged command, with untagged responses anywhere in the exchange.

use super::{Call, Manner, Session};
use crate::error::Result;
use crate::proto::Speech;
use crate::proto::imap::Answer;
use crate::reply::Reply;
use crate::sasl::Credentials;
use crate::session::verbs::imap::Next;

impl Session {
    pub(in crate::session::verbs) async fn auth_in_imap(
        &mut self,
        credentials: &Credentials,
        mut call: Call,
    ) -> Result<Reply> {
        let manner = Manner::of(Speech::Imap);
        if credentials.cancel {
            call.expect.get_or_insert_with(|| manner.verdict(true));
        }
        let (mut running, _) = self.prepare("auth", call)?;
        if credentials.mechanism.is_none() && self.capabilities().is_none() {
            self.begin_command(&mut running, "CAPABILITY").await?;
            while let Next::Continuation(_) = self.next_response(&mut running).await? {}
        }
        let mut exchange = self
            .open_exchange(credentials, manner)
            .map_err(|error| self.here(error, &running.verb))?;
        let may = self.capabilities().is_some_and(|capabilities| capabilities.has("SASL-IR"));
        let command =
            exchange.command(credentials, may).map_err(|error| self.here(error, &running.verb))?;
        self.begin_command(&mut running, &command).await?;
        loop {
            let turn = self
                .next_response(&mut running)
                .await
                .map_err(|error| exchange.cancelled(error))?;
            exchange.went_well()?;
            let last = match turn {
                Next::Continuation(asked) if !self.fits(&asked, &running.verb).await? => {
                    let challenge = manner.challenge(asked.bytes()).unwrap_or_default();
                    self.respond(&mut exchange, challenge, &running.verb).await?;
                    continue;
                }
                Next::Continuation(asked) => asked,
                Next::Tagged(tagged) => {
                    if self.fits(&tagged, &running.verb).await? {
                        self.check_end(&exchange, tagged.body(), &running.verb)?;
                    }
                    tagged
                }
            };
            return self.finish_running(running, last).await.map(Answer::into_reply);
        }
    }
}
