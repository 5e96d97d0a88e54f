//! The messages of a review of golden transcripts.

use super::difference::diff;
use super::style::{BAD, DIM, GOOD, ODD};
use crate::golden::Pending;
use crate::visible;

/// The counts of a review.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Review {
    pub(crate) accepted: usize,
    pub(crate) rejected: usize,
    pub(crate) waiting: usize,
}

impl Review {
    pub(crate) const QUESTION: &'static str = "(a)ccept, (r)eject, (s)kip, (A)ccept all, (q)uit? ";

    pub(crate) const ANSWERS: &'static str = "a makes it the golden, r throws it away, s leaves it, A takes it and all that follow, q leaves the rest\n";

    /// The title of a change that another program shows.
    pub(crate) fn headline(pending: &Pending, number: usize, all: usize) -> String {
        format!("{ODD}{number}/{all}{ODD:#} {}\n", golden(pending))
    }

    /// A change as a coloured diff, with its number among all changes.
    pub(crate) fn change(pending: &Pending, number: usize, all: usize) -> String {
        let what = if pending.old.is_some() {
            "the golden (-) and what was said (+)"
        } else {
            "there is no golden yet"
        };
        let diff = diff(pending.old.as_deref().unwrap_or_default(), &pending.new, "  ");
        format!("{ODD}{number}/{all}{ODD:#} {}  {DIM}{what}{DIM:#}\n{diff}", golden(pending))
    }

    /// The message that a transcript was written anew while the user looked at it.
    pub(crate) fn changed(pending: &Pending) -> String {
        format!("{ODD}changed{ODD:#} {} while it was shown; it is now:\n", golden(pending))
    }

    pub(crate) fn accepted(pending: &Pending) -> String {
        format!("{GOOD}accepted{GOOD:#} {}\n", golden(pending))
    }

    pub(crate) fn rejected(pending: &Pending) -> String {
        format!("{BAD}rejected{BAD:#} {}\n", golden(pending))
    }

    /// The last line of a review.
    pub(crate) fn line(self) -> String {
        let counts = [
            (self.accepted, "accepted", GOOD),
            (self.rejected, "rejected", BAD),
            (self.waiting, "still to be reviewed", ODD),
        ];
        let counts = counts.iter().filter(|(count, ..)| *count > 0);
        let counts: Vec<_> =
            counts.map(|(count, word, style)| format!("{style}{count} {word}{style:#}")).collect();
        if counts.is_empty() { "nothing to review\n".to_owned() } else { counts.join(", ") + "\n" }
    }
}

fn golden(pending: &Pending) -> String {
    let path = pending.golden.strip_prefix(".").unwrap_or(&pending.golden);
    visible::escape(path.to_string_lossy().as_bytes())
}
