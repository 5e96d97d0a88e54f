//! The rows of tables. Each row is a case of its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use super::order::{InOrder, Order};
use crate::error::Error;
use crate::outcome::{Failure, Outcome, Verdict};
use crate::secrets::Learned;
use crate::transcript::{About, Event, What};

/// The most rows. A script that runs more has a loop that does not end.
const MOST: usize = 100_000;

/// The cases of a run.
#[derive(Default)]
pub(super) struct Table {
    /// The numbers and names of the cases that have begun.
    begun: RefCell<InOrder<(u32, String)>>,
    /// The cases that have ended.
    ended: RefCell<Vec<Case>>,
}

/// A row that was run.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) number: u32,
    pub(super) verdict: Verdict,
    pub(super) beside: Vec<Failure>,
    pub(super) expectations: u64,
    pub(super) elapsed: Duration,
}

impl Table {
    /// Begins a case. Returns the number that stands in the transcript until the script has ended.
    pub(super) fn begin(&self, order: Order, name: String) -> u32 {
        let mut begun = self.begun.borrow_mut();
        let number = u32::try_from(begun.len()).unwrap_or(u32::MAX);
        begun.add(order, (number, name));
        number
    }

    /// Whether a case has failed. Then the script does not have to prove anything else.
    pub(super) fn has_failed(&self) -> bool {
        self.ended.borrow().iter().any(|case| matches!(case.verdict, Verdict::Failed(_)))
    }

    /// The reason of the first case, if there are cases and all were skipped.
    pub(super) fn skipped(&self) -> Option<String> {
        let ended = self.ended.borrow();
        let reason = |case: &Case| match &case.verdict {
            Verdict::Skipped(reason) => Some(reason.clone()),
            _ => None,
        };
        let first = ended.iter().min_by_key(|case| case.number)?;
        if ended.iter().all(|case| reason(case).is_some()) { reason(first) } else { None }
    }

    /// Adds a case that has ended.
    pub(super) fn add(&self, case: Case) -> Result<(), Error> {
        let mut ended = self.ended.borrow_mut();
        if ended.len() >= MOST {
            return Err(Error::usage(format!("the script has more than {MOST} cases")));
        }
        ended.push(case);
        Ok(())
    }

    /// Numbers the cases in the order of the script, and appends a number to a name that an earlier
    /// case has. Only the end of the script tells which case is the earlier one. Returns the cases
    /// as outcomes of their own, each with its part of the transcript. A case that begins or ends
    /// where a long transcript leaves events out has no part.
    pub(super) fn outcomes(&self, script: &mut Outcome, secrets: &Learned) -> Vec<Outcome> {
        let places = places(self.begun.take(), secrets);
        script.transcript.iter_mut().for_each(|event| place(&mut event.what, &places));
        if let Some(recorded) = &mut script.recorded {
            recorded.events().for_each(|what| place(what, &places));
        }
        let mut parts = parts(&script.transcript);
        let outcome = |case: Case| {
            let (number, name) = places.get(&case.number).cloned().unwrap_or_default();
            Outcome {
                case: Some(name),
                row: Some(number),
                expectations: case.expectations,
                beside: case.beside,
                elapsed: case.elapsed,
                transcript: parts.remove(&number).unwrap_or_default().to_vec(),
                ..Outcome::new(&script.path, case.verdict)
            }
        };
        let mut outcomes: Vec<_> = self.ended.take().into_iter().map(outcome).collect();
        outcomes.sort_by_key(|outcome| outcome.row);
        outcomes
    }
}

/// For the number that each case began with, its number and its name at the end. A case may have
/// learned that its name is a secret.
fn places(begun: InOrder<(u32, String)>, secrets: &Learned) -> HashMap<u32, (u32, String)> {
    let mut names = HashMap::new();
    let place = |(at, (began, mut name)): (u32, (u32, String))| {
        secrets.mask_text(&mut name);
        (began, (at, unique(name, &mut names)))
    };
    (0..).zip(begun.into_iter()).map(place).collect()
}

/// Appends a number to a name that is among `names`, each with the last number that it got.
fn unique(name: String, names: &mut HashMap<String, u64>) -> String {
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

/// Gives a case in an event its number and its name at the end.
fn place(what: &mut What, places: &HashMap<u32, (u32, String)>) {
    if let What::Note { about: About::Case(number) | About::CaseEnded(number), text } = what
        && let Some((at, name)) = places.get(number)
    {
        *number = *at;
        *text = name.as_str().into();
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
