//! The values of a run: the parameters that a script asks for, and values that differ from run to
//! run.

use std::cell::{Cell, RefCell};
use std::fmt;

use crate::error::Result;
use crate::secrets::is_secret_name;
use crate::server::Ports;
use crate::visible;

/// The most values that differ from run to run and are replaced in a golden.
const MOST_KNOWN: usize = 1000;

/// The most parameters that reports list, and that are replaced in a golden.
const MOST_PARAMS: usize = 1000;

/// The parameters that a script has read, and values that differ from run to run.
#[derive(Default)]
pub(in crate::script) struct Values {
    /// The parameters that the script has read, with their values, except secrets.
    params: RefCell<Vec<(String, String)>>,
    /// Whether the script asked for a parameter that has no value.
    lacks_param: Cell<bool>,
    /// Values that differ from run to run, each with the token that stands for it in a golden.
    known: RefCell<Vec<(String, String)>>,
    /// The size of the values for the golden so far.
    snapshots: Cell<usize>,
    /// The ports that the script was given.
    ports: RefCell<Ports>,
}

impl Values {
    /// Starts with values that a setup passes on and that differ from run to run.
    pub(super) fn with(known: &[(String, String)]) -> Self {
        Self { known: RefCell::new(known.to_vec()), ..Self::default() }
    }

    /// Remembers the value of a parameter, unless it is secret.
    pub(in crate::script) fn note_param(&self, name: &str, value: impl fmt::Display) {
        if !is_secret_name(name) {
            let mut params = self.params.borrow_mut();
            if params.len() < MOST_PARAMS && !params.iter().any(|(known, _)| known == name) {
                params.push((visible::shortened(name), visible::shortened(value)));
            }
        }
    }

    /// Adds the size of a value for the golden, and returns that of all of them.
    pub(in crate::script) fn note_snapshot(&self, size: usize) -> usize {
        self.snapshots.set(self.snapshots.get().saturating_add(size));
        self.snapshots.get()
    }

    /// Remembers that the script asked for a parameter that has no value.
    pub(super) fn note_lacking(&self) {
        self.lacks_param.set(true);
    }

    /// Whether the script asked for a parameter that has no value.
    pub(in crate::script) fn lacks_param(&self) -> bool {
        self.lacks_param.get()
    }

    /// Takes the parameters that the script has read, with their values.
    pub(in crate::script) fn take_params(&self) -> Vec<(String, String)> {
        self.params.take()
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

    /// Takes the values that differ from run to run, each with its token.
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
