//! Replies that were taken before an operation failed, as its error shows them.

use std::collections::VecDeque;

use crate::error::Error;

/// How many replies are shown from the beginning, and how many from the end.
const KEPT: usize = 10;

/// The first and the last of the replies that were taken; those in between are only counted.
#[derive(Debug, Default)]
pub(super) struct Taken {
    first: Vec<String>,
    last: VecDeque<String>,
    left_out: usize,
}

impl Taken {
    pub(super) fn push(&mut self, reply: String) {
        if self.first.len() < KEPT {
            self.first.push(reply);
            return;
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(reply);
    }

    /// All replies as the error shows them, one after the other.
    pub(super) fn shown(self) -> String {
        let left_out = self.left_out;
        let middle = (left_out > 0).then(|| format!("... ({left_out} more responses)"));
        let all: Vec<_> = self.first.into_iter().chain(middle).chain(self.last).collect();
        all.join("\n")
    }

    /// Returns the error with these replies before what it shows already.
    pub(super) fn before(mut self, error: Error) -> Error {
        if self.first.is_empty() {
            return error;
        }
        if let Some(got) = error.got().filter(|got| *got != "nothing") {
            self.push(got.to_owned());
        }
        error.with_got(self.shown())
    }
}

impl Extend<String> for Taken {
    fn extend<I: IntoIterator<Item = String>>(&mut self, replies: I) {
        replies.into_iter().for_each(|reply| self.push(reply));
    }
}
