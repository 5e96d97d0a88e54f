//! LOGIN and AUTHENTICATE (RFC 3501 sections 6.2.2 and 6.2.3).

use super::arguments::Arguments;
use super::{Done, Imap, bad, no, split_word};
use crate::server::auth::{self, Refusal, Step};
use crate::server::dialogue::Said;

impl Imap {
    pub(super) fn login(&mut self, mut arguments: Arguments) -> Done {
        let (user, password) = (arguments.string()?, arguments.string()?);
        arguments.end()?;
        if self.user.is_some() {
            return Err(bad("Logged in already"));
        }
        if !self.site.accounts.has(&user, &password) {
            return Err(wrong());
        }
        self.user = Some(String::from_utf8_lossy(&user).into_owned());
        Ok(self.logged_in())
    }

    pub(super) fn authenticate_command(&mut self, arguments: &[u8]) -> Said {
        if self.user.is_some() {
            return self.tagged(&Err(bad("Logged in already")));
        }
        let (mechanism, initial) = split_word(arguments);
        let initial = (!initial.is_empty()).then_some(initial);
        let step = auth::begin(&self.site.accounts, &mechanism, initial);
        self.authenticate(step)
    }

    pub(super) fn authenticate(&mut self, step: Step) -> Said {
        let refusal = match step {
            Step::Ask(exchange, challenge) => {
                self.exchange = Some(exchange);
                return Said::new(format!("+ {challenge}\r\n"));
            }
            Step::Granted(user) => {
                self.user = Some(user);
                let text = self.logged_in();
                return self.tagged(&Ok(text));
            }
            Step::Refused(refusal) => refusal,
        };
        let done = match refusal {
            Refusal::Invalid => Err(wrong()),
            Refusal::Malformed => Err(bad("Cannot decode the response")),
            Refusal::Cancelled => Err(bad("Authentication cancelled")),
            Refusal::Unknown => Err(no("[CANNOT] Unknown mechanism")),
            Refusal::Unavailable => Err(no("[UNAVAILABLE] Try again")),
        };
        self.tagged(&done)
    }

    fn logged_in(&self) -> String {
        format!("[CAPABILITY {}] Logged in", self.capabilities())
    }
}

fn wrong() -> super::Refusal {
    no("[AUTHENTICATIONFAILED] Wrong user or password")
}
