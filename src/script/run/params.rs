//! The values of the parameters that a script asks for.

use super::Run;
use crate::error::{Error, Result};
use crate::server::Embedded;

impl Run {
    /// Makes the error for a parameter that has no value.
    pub(in crate::script) fn no_value(&self, name: &str) -> Error {
        self.values.note_lacking();
        self.settings().servers.no_value(&[name])
    }

    /// Returns the value of a parameter: the value that the caller set, or for the names of targets
    /// the URL of the embedded server.
    pub(in crate::script) fn param(&self, name: &str) -> Result<Option<String>> {
        let value = self.value(name)?;
        if let Some(value) = &value {
            self.values.note_param(self.scope().order(), name, value);
        }
        Ok(value)
    }

    fn value(&self, name: &str) -> Result<Option<String>> {
        if let Some(value) = self.settings().params.get(name) {
            return Ok(Some(value.clone()));
        }
        self.settings().servers.allow(name)?;
        if Embedded::schemes().any(|scheme| scheme == name) {
            return self.shared.server.started().map(|server| server.url(name));
        }
        match name {
            _ if !self.settings().is_embedded() => Ok(None),
            "ca" => self.shared.server.ca().map(Some),
            "user" => Ok(Some(Embedded::USER.to_owned())),
            "password" => {
                self.keep_secret(Embedded::PASSWORD);
                Ok(Some(Embedded::PASSWORD.to_owned()))
            }
            _ => Ok(None),
        }
    }
}
