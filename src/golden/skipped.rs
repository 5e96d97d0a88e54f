//! The sections of skipped cases: a case that was skipped said only a part of what its golden holds,
//! so its section is neither compared nor written.

use std::collections::{HashMap, HashSet};

use super::numbers::{self, Names};
use super::sections::{self, Place};
use super::text::Text;
use crate::outcome::{Outcome, Verdict};

/// A transcript in which the section of each skipped case is that of the golden. A case that the
/// golden does not have is left out.
pub(super) struct Kept {
    pub(super) text: String,
    /// For each section of the text, in order, the place of its case in the outcome.
    pub(super) cases: Vec<Option<usize>>,
}

impl Kept {
    /// Puts the golden `old` and the transcript `new` of a run together.
    pub(super) fn of(outcome: &Outcome, old: &str, new: Text, names: &Names) -> Self {
        let Text { text: new, cases } = new;
        let is_skipped = |section: usize| {
            let case = cases.get(section).and_then(|at| outcome.cases.get((*at)?));
            case.is_some_and(|case| matches!(case.verdict, Verdict::Skipped(_)))
        };
        if !(0..cases.len()).any(is_skipped) {
            return Self { text: new, cases };
        }
        let is = sections::places(&new);
        let skipped: HashSet<_> = is
            .iter()
            .filter_map(|(place, _)| match place {
                Place::Case { number, name } if is_skipped(*number) => Some(*name),
                _ => None,
            })
            .collect();
        let mut sections: HashMap<_, Vec<&str>> = HashMap::new();
        for (place, line) in sections::places(old) {
            if let Place::Case { name, .. } = place {
                sections.entry(name).or_default().push(line);
            }
        }
        let renumbered = numbers::as_in(old, &new, names, &skipped);
        let mut kept = Self { text: String::new(), cases: Vec::new() };
        let mut last = None;
        for (place, line) in sections::places(&renumbered) {
            let Place::Case { number, name } = place else {
                kept.push(line);
                continue;
            };
            let (is_left, section) = (!skipped.contains(&name), sections.get(&name));
            if last.replace(number) != Some(number) {
                if is_left || section.is_some() {
                    kept.cases.push(cases.get(number).copied().flatten());
                }
                if !is_left {
                    section.into_iter().flatten().for_each(|line| kept.push(line));
                }
            }
            if is_left {
                kept.push(line);
            }
        }
        kept
    }

    fn push(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::redaction::Redaction;

    fn outcome(skipped: &[bool]) -> Outcome {
        let mut outcome = Outcome::new(Path::new("a.rhai"), Verdict::Passed);
        let verdict = |is| if is { Verdict::Skipped(String::new()) } else { Verdict::Passed };
        outcome.cases =
            skipped.iter().map(|is| Outcome::new(Path::new("a.rhai"), verdict(*is))).collect();
        outcome.known = vec![("BOX_1".to_owned(), "x".to_owned())];
        outcome
    }

    /// What is kept of a text with the sections of cases of which some were skipped.
    fn keep(skipped: &[bool], old: &str, text: String) -> Kept {
        let outcome = outcome(skipped);
        let text = Text { text, cases: (0..skipped.len()).map(Some).collect() };
        Kept::of(&outcome, old, text, &Names::of(&outcome, &Redaction::new()))
    }

    fn section(name: &str, text: &str) -> String {
        format!("*** case: {name}\n{text}\n*** end of case: {name}\n")
    }

    fn golden() -> String {
        [
            "S: [QUEUE_ID#1]\n",
            &section("a", "S: a [QUEUE_ID#2]"),
            &section("b", "S: b [QUEUE_ID#3] [BOX_1]"),
            &section("c", "S: c [QUEUE_ID#4] [BOX_2] [MX_1]"),
            "S: z [QUEUE_ID#1]",
        ]
        .concat()
    }

    #[test]
    fn the_section_of_a_skipped_case_is_that_of_the_golden() {
        let new = [
            "S: [QUEUE_ID#1]\n",
            &section("a", "S: a [QUEUE_ID#2]"),
            &section("b", "S: no"),
            &section("c", "S: c [QUEUE_ID#3] [BOX_1] [MX_1]"),
            "S: z [QUEUE_ID#1]",
        ]
        .concat();
        let kept = keep(&[false, true, false], &golden(), new.clone());
        assert_eq!((kept.text, kept.cases), (golden(), [0, 1, 2].map(Some).to_vec()));
        let changed = new.replace("S: c [QUEUE_ID#3]", "S: d [QUEUE_ID#3] [QUEUE_ID#4]");
        let kept = keep(&[false, true, false], &golden(), changed);
        assert_eq!(
            kept.text,
            golden().replace("S: c [QUEUE_ID#4]", "S: d [QUEUE_ID#4] [QUEUE_ID#5]")
        );
        let kept = keep(&[false, false, false], &golden(), new.clone());
        assert_eq!(kept.text, new);
    }

    #[test]
    fn a_skipped_case_that_the_golden_does_not_have_is_left_out() {
        let new = golden().replace("*** case: a", &(section("new", "S: x") + "*** case: a"));
        let kept = keep(&[true, false, false, false], &golden(), new);
        assert_eq!((kept.text, kept.cases), (golden(), [1, 2, 3].map(Some).to_vec()));
    }
}
