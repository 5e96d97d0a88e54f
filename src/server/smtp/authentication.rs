//! AUTH (RFC 4954).

use super::answer::Answer;
use super::{Answered, Role, Smtp, out_of_sequence};
use crate::server::auth::{self, Refusal, Step};

impl Smtp {
    /// AUTH (RFC 4954 section 4).
    pub(super) fn auth(&mut self, argument: &str) -> Answered {
        if self.role != Role::Submission {
            return Err(out_of_sequence("AUTH not available"));
        }
        self.greeted()?;
        if self.user.is_some() {
            return Err(out_of_sequence("Already authenticated"));
        }
        if self.transaction.is_some() {
            return Err(out_of_sequence("AUTH not allowed in a mail transaction"));
        }
        let mut words = argument.split(' ').filter(|word| !word.is_empty());
        let (mechanism, initial) = (words.next().unwrap_or_default(), words.next());
        if mechanism.is_empty() || words.next().is_some() {
            return Err(Answer::new(501, "5.5.4 Syntax: AUTH mechanism [initial-response]"));
        }
        let initial = initial.map(str::as_bytes);
        Ok(self.authenticate(auth::begin(&self.site.accounts, mechanism, initial)))
    }

    pub(super) fn authenticate(&mut self, step: Step) -> Answer {
        match step {
            Step::Ask(exchange, challenge) => {
                self.exchange = Some(exchange);
                Answer::new(334, challenge)
            }
            Step::Granted(user) => {
                self.user = Some(user);
                Answer::new(235, "2.7.0 Authentication successful")
            }
            Step::Refused(refusal) => refused(refusal),
        }
    }
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Invalid => Answer::new(535, "5.7.8 Authentication credentials invalid"),
        Refusal::Malformed => Answer::new(501, "5.5.2 Cannot decode the response"),
        Refusal::Cancelled => Answer::new(501, "5.7.0 Authentication cancelled"),
        Refusal::Unknown => Answer::new(504, "5.5.4 Unrecognized authentication mechanism"),
        Refusal::Unavailable => Answer::new(454, "4.7.0 Temporary authentication failure"),
    }
}
