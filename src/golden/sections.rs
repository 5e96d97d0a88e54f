//! The rows of a script's tables in its golden: each row is a section, compared on its own.

use std::collections::BTreeMap;
use std::path::Path;

use crate::outcome::{Difference, Outcome, Verdict};
use crate::transcript::About;

/// The text of a transcript, split into its cases, in order, and the rest.
struct Sections<'a> {
    /// The name of each case and its text.
    cases: Vec<(&'a str, String)>,
    rest: String,
}

impl<'a> Sections<'a> {
    fn of(text: &'a str) -> Self {
        let mut sections = Self { cases: Vec::new(), rest: String::new() };
        let mut is_in_case = false;
        for line in text.lines() {
            let note = |about: About| line.strip_prefix("*** ")?.strip_prefix(about.prefix());
            if note(About::CaseEnded(0)).is_some() {
                is_in_case = false;
            } else if let Some(name) = note(About::Case(0)) {
                sections.cases.push((name, String::new()));
                is_in_case = true;
            } else {
                let case = sections.cases.last_mut().filter(|_| is_in_case);
                let section = case.map_or(&mut sections.rest, |(_, section)| section);
                section.push_str(line);
                section.push('\n');
            }
        }
        sections
    }

    /// Each case by its name and the number of cases with that name so far: different names may
    /// become equal when they are redacted.
    fn by_name(&self) -> Vec<((&'a str, usize), &String)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let key = |name| {
            let count = counts.entry(name).or_default();
            *count += 1;
            (name, *count)
        };
        let keys = self.cases.iter().map(|(name, _)| *name).map(key);
        keys.zip(self.cases.iter().map(|(_, section)| section)).collect()
    }
}

/// The place of a line of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Outside,
    /// A case, from the line that begins it to the one that ends it: the number of the case, and
    /// its name with the number of cases of that name so far.
    Case {
        number: usize,
        name: (&'a str, usize),
    },
}

/// The lines of a transcript, each with its place.
pub(super) fn places(text: &str) -> Vec<(Place<'_>, &str)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut place, mut number) = (Place::Outside, 0);
    let mut placed = Vec::new();
    for line in text.lines() {
        let note = |about: About| line.strip_prefix("*** ")?.strip_prefix(about.prefix());
        if let Some(name) = note(About::Case(0)) {
            let count = counts.entry(name).or_default();
            *count += 1;
            place = Place::Case { number, name: (name, *count) };
            number += 1;
        }
        placed.push((place, line));
        if note(About::CaseEnded(0)).is_some() {
            place = Place::Outside;
        }
    }
    placed
}

/// Marks each case that passed as differing if its section differs or is new. Returns whether these
/// sections are all that differs. `cases` has the place of the case for each section.
pub(super) fn mark(
    outcome: &mut Outcome,
    golden: &Path,
    (old, new): (&str, &str),
    cases: &[Option<usize>],
) -> bool {
    let (old, new) = (Sections::of(old), Sections::of(new));
    let (mut is_marked, mut is_other) = (false, old.rest != new.rest);
    let (old, new) = (old.by_name(), new.by_name());
    let sections: BTreeMap<_, _> = old.iter().copied().collect();
    // A case is not identified by its name, which is redacted in the transcript.
    for (place, (name, is)) in new.iter().enumerate() {
        let was = sections.get(name).copied();
        if was == Some(*is) {
            continue;
        }
        match cases.get(place).and_then(|at| outcome.cases.get_mut((*at)?)) {
            Some(case) if matches!(case.verdict, Verdict::Passed) => {
                let (golden, old, new) = (golden.to_owned(), was.cloned(), (*is).clone());
                let difference = Difference { golden, old, new, pending: None, unwritten: None };
                case.verdict = Verdict::Differs(Box::new(difference));
                is_marked = true;
            }
            _ => is_other = true,
        }
    }
    // The order matters as well: the old cases have to be there in their order, with new ones at
    // most between them.
    let mut names = new.iter().map(|(name, _)| name);
    let is_in_order = old.iter().all(|(was, _)| names.any(|name| name == was));
    is_marked && !is_other && is_in_order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_its_own_section() {
        let text = "S: 220 hi\n*** case: a\nC: A\n*** end of case: a\n*** case: b\n*** end of case: b\nC: Z";
        let sections = Sections::of(text);
        assert_eq!(sections.rest, "S: 220 hi\nC: Z\n");
        assert_eq!(sections.cases, [("a", "C: A\n".to_owned()), ("b", String::new())]);
    }
}
