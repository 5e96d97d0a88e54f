//! Sessions that go out of scope: Rust code is told what the session left unexpected.

use std::panic::Location;

use super::Session;
use crate::error::Error;

impl Session {
    /// Returns what is wrong with a session that is dropped here, as far as that can be known
    /// without waiting; `None` if a panic or an error already makes the test fail.
    fn left_behind(&self) -> Option<Error> {
        let caller = self.caller.as_ref()?;
        if std::thread::panicking() || caller.has_failed() {
            return None;
        }
        let owed = self.turn.owed_to_us();
        let left = if !self.stream.is_open() {
            self.unjudged_exit()
        } else if owed > 0 {
            Some(self.never_expected(owed))
        } else if let Err(error) = self.check_answered() {
            Some(error)
        } else if !self.is_server() && self.turn.speech().is_unasked(self.stream.held()) {
            None
        } else {
            self.check_unread().err()
        };
        let place = Location::caller();
        left.map(|error| error.with_source_place(place, caller.last_lines()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let left = self.left_behind();
        self.hang_up();
        if let Some(error) = left {
            panic!(
                "a session was dropped in the middle of its dialogue; end it with finish(), or with leave() if that is meant\n{error:?}"
            );
        }
    }
}
