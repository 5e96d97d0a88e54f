//! AUTHENTICATE in IMAP: a tagged command, with untagged responses anywhere in the exchange.

use super::{Call, Manner, Session};
use crate::error::Result;
use crate::proto::Speech;
use crate::proto::imap::Answer;
use crate::reply::Reply;
use crate::sasl::Credentials;
use crate::session::verbs::imap::Turn;

impl Session {
    pub(super) async fn auth_in_imap(
        &mut self,
        credentials: &Credentials,
        mut call: Call,
    ) -> Result<Reply> {
        let manner = Manner::of(Speech::Imap);
        if credentials.cancel {
            call.expect.get_or_insert_with(|| manner.verdict(true));
        }
        let (mut course, _) = self.set_out("auth", call)?;
        if credentials.mechanism.is_none() && self.capabilities().is_none() {
            self.begin_command(&mut course, "CAPABILITY").await?;
            while let Turn::GoOn(_) = self.turn(&mut course).await? {}
        }
        let mut exchange = self
            .open_exchange(credentials, manner)
            .map_err(|error| self.here(error, &course.verb))?;
        let may = self.capabilities().is_some_and(|capabilities| capabilities.has("SASL-IR"));
        let command =
            exchange.command(credentials, may).map_err(|error| self.here(error, &course.verb))?;
        self.begin_command(&mut course, &command).await?;
        loop {
            let turn = self.turn(&mut course).await.map_err(|error| exchange.cancelled(error))?;
            exchange.went_well()?;
            let last = match turn {
                Turn::GoOn(asked) if !asked.fits(&course.verb.wanted) => {
                    let challenge = manner.challenge(asked.bytes()).unwrap_or_default();
                    self.respond(&mut exchange, challenge, &course.verb).await?;
                    continue;
                }
                Turn::GoOn(asked) => asked,
                Turn::Ended(tagged) => {
                    if tagged.fits(&course.verb.wanted) {
                        self.check_end(&exchange, tagged.body(), &course.verb)?;
                    }
                    tagged
                }
            };
            return self.arrive(course, last).map(Answer::into_reply);
        }
    }
}
