//! LOGIN, which no RFC defines: the server asks for the user name and for the password, with
//! prompts in its own words.

use super::{Credentials, Hidden, Mechanism, Opening, Service, overdue};
use crate::error::Result;
use crate::secrets::{Asked, asked_for};

/// How often the user name is sent: a server may ask for it although it came with the command.
const MOST_USERS: usize = 3;

#[derive(Debug)]
struct Login {
    user: String,
    /// The number of times that the user name was sent.
    users: usize,
    password: Option<Hidden>,
}

#[allow(clippy::unnecessary_wraps, reason = "mechanisms begin alike, and others can fail")]
pub(super) fn begin(credentials: &Credentials, _: &Service) -> Result<Box<dyn Mechanism>> {
    Ok(Box::new(Login {
        user: credentials.user.clone(),
        users: 0,
        password: Some(credentials.secret.clone()),
    }))
}

impl Mechanism for Login {
    fn opening(&self) -> Opening {
        Opening::Either
    }

    /// Answers what the prompt asks for: a prompt for the user never gets the password. A prompt
    /// that does not say is answered in the usual order.
    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        let wants_user = match asked_for(challenge) {
            Some(asked) => asked == Asked::User,
            None => self.users == 0,
        };
        if wants_user && self.users < MOST_USERS && self.password.is_some() {
            self.users += 1;
            return Ok(self.user.clone().into());
        }
        let password = self.password.take_if(|_| !wants_user);
        let password = password.ok_or_else(|| overdue(challenge, "LOGIN"))?;
        Ok(password.expose().into())
    }

    fn is_done(&self) -> bool {
        self.password.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Service {
        Service { name: "smtp", host: "localhost".to_owned(), port: None }
    }

    fn answers(prompts: &[&str]) -> Vec<Option<String>> {
        let credentials = Credentials::new("alice", "pw").mechanism("LOGIN");
        let mut login = begin(&credentials, &service()).unwrap();
        let answer = |prompt: &&str| {
            let response = login.respond(prompt.as_bytes()).ok()?;
            Some(String::from_utf8(response).unwrap())
        };
        prompts.iter().map(answer).collect()
    }

    fn said(answers: &[&str]) -> Vec<Option<String>> {
        answers.iter().map(|answer| Some((*answer).to_owned())).collect()
    }

    #[test]
    fn each_prompt_gets_what_it_asks_for() {
        assert_eq!(answers(&["Username:", "Password:"]), said(&["alice", "pw"]));
        assert_eq!(answers(&["User Name\0", "Password\0"]), said(&["alice", "pw"]));
        assert_eq!(answers(&["", "Username:", "Password:"]), said(&["alice", "alice", "pw"]));
        assert_eq!(answers(&["Password for user alice:"]), said(&["pw"]));
        assert_eq!(answers(&["", "",]), said(&["alice", "pw"]));
        assert_eq!(answers(&["?", "??"]), said(&["alice", "pw"]));
    }

    #[test]
    fn a_server_that_asks_without_end_is_told_nothing_more() {
        let answers = answers(&["user", "user", "user", "user", "password", "password", "user"]);
        assert_eq!(answers[3], None);
        assert_eq!(answers[4].as_deref(), Some("pw"));
        assert_eq!(answers[5..], [None, None]);
    }
}
