//! The rows of tables. Each row is a case of its own.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use crate::error::Error;
use crate::outcome::{Failure, Outcome, Verdict};
use crate::transcript::{About, Event, What};

/// The most rows. A script that runs more has a loop that does not end.
const MOST: usize = 100_000;

/// The cases of a run that have ended.
#[derive(Default)]
pub(super) struct Table {
    cases: RefCell<Vec<Case>>,
    /// The names of all cases, each with the number of the last case of this name.
    names: RefCell<HashMap<String, u64>>,
    /// The number of the next case.
    next: Cell<u32>,
}

/// A row that was run.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) verdict: Verdict,
    pub(super) beside: Vec<Failure>,
    pub(super) expectations: u64,
    pub(super) elapsed: Duration,
}

impl Table {
    /// Begins a case. Returns its number, which also stands in the transcript, and its name, with a
    /// number appended if another case of the run has the same name.
    pub(super) fn begin(&self, name: String) -> (u32, String) {
        (self.next.replace(self.next.get().saturating_add(1)), self.unique(name))
    }

    fn unique(&self, name: String) -> String {
        let mut names = self.names.borrow_mut();
        let Some(mut last) = names.get(&name).copied() else {
            names.insert(name.clone(), 1);
            return name;
        };
        let numbered = loop {
            last += 1;
            let numbered = format!("{name} ({last})");
            if !names.contains_key(&numbered) {
                break numbered;
            }
        };
        names.insert(name, last);
        names.insert(numbered.clone(), 1);
        numbered
    }

    /// Whether a case has failed. Then the script does not have to prove anything else.
    pub(super) fn has_failed(&self) -> bool {
        self.cases.borrow().iter().any(|case| matches!(case.verdict, Verdict::Failed(_)))
    }

    /// Adds a case that has ended.
    pub(super) fn add(&self, case: Case) -> Result<(), Error> {
        let mut cases = self.cases.borrow_mut();
        if cases.len() >= MOST {
            return Err(Error::usage(format!("the script has more than {MOST} cases")));
        }
        cases.push(case);
        Ok(())
    }

    /// Returns the cases as outcomes of their own, each with its part of the transcript. A case that
    /// begins or ends where a long transcript leaves events out has no part.
    pub(super) fn outcomes(&self, script: &Outcome) -> Vec<Outcome> {
        let mut parts = parts(&script.transcript);
        let outcome = |case: Case| Outcome {
            case: Some(case.name),
            row: Some(case.number),
            expectations: case.expectations,
            beside: case.beside,
            elapsed: case.elapsed,
            transcript: parts.remove(&case.number).unwrap_or_default().to_vec(),
            ..Outcome::new(&script.path, case.verdict)
        };
        self.cases.take().into_iter().map(outcome).collect()
    }
}

/// Returns the events of each case, by its number.
fn parts(events: &[Event]) -> HashMap<u32, &[Event]> {
    let (mut parts, mut starts) = (HashMap::new(), HashMap::new());
    for (place, event) in events.iter().enumerate() {
        match &event.what {
            What::Note { about: About::Case(number), .. } => {
                starts.insert(*number, place + 1);
            }
            What::Note { about: About::CaseEnded(number), .. } => {
                if let Some(start) = starts.remove(number) {
                    parts.insert(*number, &events[start..place]);
                }
            }
            _ => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_has_its_own_part_of_the_transcript_or_none() {
        let note = |about| Event::new(None, What::Note { about, text: "row".into() });
        let said = |text: &str| Event::new(None, What::Printed(text.to_owned()));
        let whole = |number, text| {
            [note(About::Case(number)), said(text), note(About::CaseEnded(number))].to_vec()
        };
        // The middle was left out: the end of case 1, all of case 2, and the beginning of case 3.
        let cut =
            [note(About::Case(1)), Event::new(None, What::Omitted(7)), note(About::CaseEnded(3))];
        let events = [whole(0, "a"), cut.to_vec(), whole(5, "f"), whole(4, "e")].concat();
        let parts = parts(&events);
        let mut texts: Vec<_> = parts.iter().map(|(number, part)| (*number, part)).collect();
        texts.sort_unstable_by_key(|(number, _)| *number);
        let texts: Vec<_> = texts
            .into_iter()
            .map(|(number, part)| (number, crate::transcript::lines(part)[0].text.clone()))
            .collect();
        let wanted = [(0, "print: a"), (4, "print: e"), (5, "print: f")];
        assert_eq!(texts, wanted.map(|(number, text)| (number, text.to_owned())));
    }
}
