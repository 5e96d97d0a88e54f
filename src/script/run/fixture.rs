//! What a script has to do with the setup of its folder: it gets the setup's last value, or it is
//! the setup, or the teardown.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use rhai::Dynamic;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::script::fixtures::{self, Given};
use crate::script::plain;

/// The value that a script gets from a setup, and the value that it passes on if it is one.
pub(in crate::script) struct Fixture {
    /// What the setup of the script's folder passes on, if there is a setup.
    given: Option<Arc<Given>>,
    /// Whether the script is a setup or a teardown, which need not prove anything.
    is_exempt: bool,
    /// Whether the script is a setup, whose last value is passed to other scripts.
    is_setup: bool,
    /// The last value of a setup, if it has one.
    last: RefCell<Option<Result<Value>>>,
}

impl Fixture {
    pub(super) fn of(script: &Path, given: Option<Arc<Given>>) -> Self {
        Self {
            given,
            is_exempt: fixtures::is_fixture(script),
            is_setup: script.ends_with(fixtures::SETUP),
            last: RefCell::default(),
        }
    }

    /// Returns the last value of the setup of the script's folder.
    pub(in crate::script) fn given(&self) -> Option<&Value> {
        self.given.as_ref()?.value.as_ref()
    }

    /// Whether the script has to prove something. Setups and teardowns do not have to.
    pub(super) fn has_to_prove(&self) -> bool {
        !self.is_exempt
    }

    /// Keeps the last value of a setup.
    pub(in crate::script) fn end_with(&self, value: Option<&Dynamic>) {
        let Some(value) = value.filter(|_| self.is_setup) else { return };
        let ended = plain::of(value);
        // The value of a setup's last statement is often not meant for other scripts. So a value
        // that is not plain data is an error only if it is a list or a map.
        if ended.is_ok() || value.is_map() || value.is_array() {
            self.last.replace(Some(ended));
        }
    }

    /// Takes the last value of a setup as plain data. `None` if there is none, or if the script is
    /// not a setup.
    pub(in crate::script) fn take_last(&self) -> Option<Value> {
        self.last.take().and_then(Result::ok)
    }

    /// Returns why the last value of a setup is not plain data, if it is not.
    pub(in crate::script) fn wrong_end(&self) -> Option<Error> {
        self.last.borrow().as_ref().and_then(|ended| ended.as_ref().err().cloned())
    }
}
