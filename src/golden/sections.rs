//! The rows of a script's tables in its golden: each is a section that is held against its golden
//! apart.

use std::collections::BTreeMap;
use std::path::Path;

use crate::outcome::{Difference, Outcome, Verdict};
use crate::transcript::About;

/// The text of each case, by its name; what is in none is that of no name.
fn sections(text: &str) -> BTreeMap<&str, String> {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    let mut case = "";
    for line in text.lines() {
        let note = |about: About| line.strip_prefix("*** ")?.strip_prefix(about.prefix());
        if note(About::CaseEnded).is_some() {
            case = "";
        } else if let Some(name) = note(About::Case) {
            case = name;
            sections.entry(case).or_default();
        } else {
            let section = sections.entry(case).or_default();
            section.push_str(line);
            section.push('\n');
        }
    }
    sections
}

/// Marks the cases that passed and whose sections differ, those that are new among them, as cases
/// that differ. Whether nothing else differs.
pub(super) fn mark(outcome: &mut Outcome, golden: &Path, old: &str, new: &str) -> bool {
    let (old, new) = (sections(old), sections(new));
    for case in &mut outcome.cases {
        let Some(name) = case.case.as_deref() else { continue };
        let (was, is) = (old.get(name), new.get(name));
        if matches!(case.verdict, Verdict::Passed) && was != is {
            let new = is.cloned().unwrap_or_default();
            let golden = golden.to_owned();
            let old = was.cloned();
            let difference = Difference { golden, old, new, pending: None, unwritten: None };
            case.verdict = Verdict::Differs(Box::new(difference));
        }
    }
    let is_gone = old.keys().any(|name| !new.contains_key(name));
    !is_gone && old.get("") == new.get("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_its_own_section() {
        let text = "S: 220 hi\n*** case: a\nC: A\n*** end of case: a\n*** case: b\n*** end of case: b\nC: Z";
        let sections = sections(text);
        assert_eq!(sections[""], "S: 220 hi\nC: Z\n");
        assert_eq!((sections["a"].as_str(), sections["b"].as_str()), ("C: A\n", ""));
    }
}
