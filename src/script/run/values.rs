//! The values of a run: the parameters that a script asks for, and values that differ from run to
//! run.

use std::cell::{Cell, RefCell};
use std::fmt;

use crate::error::Result;
use crate::script::order::{InOrder, Order};
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
    params: RefCell<InOrder<(String, String)>>,
    /// Whether the script asked for a parameter that has no value.
    lacks_param: Cell<bool>,
    /// Values that differ from run to run and that a setup has passed on, each with the token that
    /// stands for it in a golden.
    given: Vec<(String, String)>,
    /// Values that differ from run to run.
    known: RefCell<InOrder<Known>>,
    /// The size of the values for the golden so far.
    snapshots: Cell<usize>,
    /// The ports that the script was given.
    ports: RefCell<Ports>,
}

/// A value that differs from run to run.
struct Known {
    word: String,
    value: String,
    is_numbered: bool,
}

impl Values {
    /// Starts with values that a setup passes on and that differ from run to run.
    pub(super) fn with(known: &[(String, String)]) -> Self {
        Self { given: known.to_vec(), ..Self::default() }
    }

    /// Remembers the value of a parameter, unless it is secret.
    pub(in crate::script) fn note_param(&self, order: Order, name: &str, value: impl fmt::Display) {
        if !is_secret_name(name) {
            let param = (visible::shortened(name), visible::shortened(value));
            let is_same = |(known, _): &(String, String)| *known == param.0;
            self.params.borrow_mut().add_first(order, param.clone(), MOST_PARAMS, is_same);
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
        self.params.take().into_iter().collect()
    }

    /// Records a value that differs from run to run, with the word that stands for it in a golden.
    /// The word gets a number, unless a reader need not tell its values apart.
    pub(in crate::script) fn note_known(
        &self,
        order: Order,
        word: &str,
        value: &str,
        is_numbered: bool,
    ) {
        if self.given.iter().any(|(_, given)| given == value) {
            return;
        }
        let known = Known { word: word.to_owned(), value: value.to_owned(), is_numbered };
        let most = MOST_KNOWN.saturating_sub(self.given.len());
        self.known.borrow_mut().add_first(order, known, most, |known| known.value == value);
    }

    /// Takes the values that differ from run to run, each with its token.
    pub(in crate::script) fn take_known(&self) -> Vec<(String, String)> {
        let mut tokens = self.given.clone();
        for Known { word, value, is_numbered } in self.known.take().into_iter() {
            let number = 1 + tokens.iter().filter(|(known, _)| known.starts_with(&word)).count();
            let number = if is_numbered { format!("_{number}") } else { String::new() };
            tokens.push((format!("{word}{number}"), value));
        }
        tokens
    }

    /// Returns a port of this machine on which nothing listens, and which no other run gets.
    pub(in crate::script) fn free_port(&self, order: Order) -> Result<u16> {
        let name = self.known.borrow().len().to_string();
        let port = self.ports.borrow_mut().choose(&name)?;
        self.note_known(order, "PORT", &port.to_string(), true);
        Ok(port)
    }
}
