//! The parameters that a script asks for, and values that differ from run to run.

use super::{MOST_KNOWN, Run};
use crate::error::{Error, Result};
use crate::secrets::is_secret_name;
use crate::server::Embedded;

impl Run {
    /// Remembers the value of a parameter, unless it is secret.
    pub(in crate::script) fn note_param(&self, name: &str, value: &str) {
        if !is_secret_name(name) {
            let mut params = self.params.borrow_mut();
            if !params.iter().any(|(known, _)| known == name) {
                params.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// Makes the error for a parameter that has no value.
    pub(in crate::script) fn no_value(&self, name: &str) -> Error {
        self.lacks_param.set(true);
        self.settings.servers.no_value(&[name])
    }

    pub(in crate::script) fn lacks_param(&self) -> bool {
        self.lacks_param.get()
    }

    pub(in crate::script) fn take_params(&self) -> Vec<(String, String)> {
        self.params.take()
    }

    /// Returns the value of a parameter: the value that the caller set, or for the names of targets
    /// the URL of the embedded server.
    pub(in crate::script) fn param(&self, name: &str) -> Result<Option<String>> {
        let value = self.value(name)?;
        if let Some(value) = &value {
            self.note_param(name, value);
        }
        Ok(value)
    }

    fn value(&self, name: &str) -> Result<Option<String>> {
        if let Some(value) = self.settings.params.get(name) {
            return Ok(Some(value.clone()));
        }
        self.settings.servers.allow(name)?;
        if Embedded::schemes().any(|scheme| scheme == name) {
            return self.server.started().map(|server| server.url(name));
        }
        match name {
            _ if !self.settings.is_embedded() => Ok(None),
            "ca" => self.server.ca().map(Some),
            "user" => Ok(Some(Embedded::USER.to_owned())),
            "password" => {
                self.keep_secret(Embedded::PASSWORD);
                Ok(Some(Embedded::PASSWORD.to_owned()))
            }
            _ => Ok(None),
        }
    }

    /// Records a value that differs from run to run, with the word that stands for it in a golden.
    /// The word gets a number, unless a reader need not tell its values apart.
    pub(in crate::script) fn note_known(&self, word: &str, value: &str, is_numbered: bool) {
        let mut known = self.known.borrow_mut();
        if known.len() >= MOST_KNOWN || known.iter().any(|(_, known)| known == value) {
            return;
        }
        let number = 1 + known.iter().filter(|(known, _)| known.starts_with(word)).count();
        let number = if is_numbered { format!("_{number}") } else { String::new() };
        known.push((format!("{word}{number}"), value.to_owned()));
    }

    pub(in crate::script) fn take_known(&self) -> Vec<(String, String)> {
        self.known.take()
    }

    /// Returns a port of this machine on which nothing listens, and which no other run gets.
    pub(in crate::script) fn free_port(&self) -> Result<u16> {
        let name = self.known.borrow().len().to_string();
        let port = self.ports.borrow_mut().choose(&name)?;
        self.note_known("PORT", &port.to_string(), true);
        Ok(port)
    }
}
