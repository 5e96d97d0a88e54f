//! LOGIN, which no RFC defines: the server asks twice, for the user name and for the password, and
//! the wording of its prompts is its own.

use super::{Credentials, Hidden, Mechanism, Opening, Place, overdue};
use crate::error::Result;

#[derive(Debug)]
struct Login {
    user: Option<String>,
    password: Option<Hidden>,
}

#[allow(clippy::unnecessary_wraps, reason = "mechanisms begin alike, and others can fail")]
pub(super) fn begin(credentials: &Credentials, _: &Place) -> Result<Box<dyn Mechanism>> {
    Ok(Box::new(Login {
        user: Some(credentials.user.clone()),
        password: Some(credentials.secret.clone()),
    }))
}

impl Mechanism for Login {
    fn opening(&self) -> Opening {
        Opening::Either
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>> {
        if let Some(user) = self.user.take() {
            return Ok(user.into());
        }
        let password = self.password.take().ok_or_else(|| overdue(challenge, "LOGIN"))?;
        Ok(password.expose().into())
    }

    fn is_done(&self) -> bool {
        self.password.is_none()
    }
}
