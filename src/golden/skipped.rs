//! The sections of skipped cases: a case that was skipped said only a part of what its golden holds,
//! so its section is neither compared nor written.

use std::collections::{BTreeMap, HashSet};

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
    pub(super) fn of(outcome: &Outcome, old: &str, new: Text) -> Self {
        let Text { text: new, cases } = new;
        let is_skipped = |section: usize| {
            let case = cases.get(section).and_then(|at| outcome.cases.get((*at)?));
            case.is_some_and(|case| matches!(case.verdict, Verdict::Skipped(_)))
        };
        if !(0..cases.len()).any(is_skipped) {
            return Self { text: new, cases };
        }
        let (was, is) = (sections::places(old), sections::places(&new));
        let skipped: HashSet<_> = is
            .iter()
            .filter_map(|(place, _)| match place {
                Place::Case { number, name } if is_skipped(*number) => Some(*name),
                _ => None,
            })
            .collect();
        let is_left = |place: &Place<'_>| match place {
            Place::Outside => true,
            Place::Case { name, .. } => !skipped.contains(name),
        };
        let left = |places: &[(Place<'_>, &str)]| {
            let lines = places.iter().filter(|(place, _)| is_left(place));
            lines.map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
        };
        let words = made_up(outcome);
        let renumber = Renumbering::of(&words, old, &left(&was), &left(&is));
        let mut kept = Self { text: String::new(), cases: Vec::new() };
        let mut last = None;
        for (place, line) in &is {
            if let Place::Case { number, name } = place
                && last.replace(*number) != Some(*number)
            {
                let section: Vec<_> = was.iter().filter(|(was, _)| was.is_named(*name)).collect();
                if is_left(place) || !section.is_empty() {
                    kept.cases.push(cases.get(*number).copied().flatten());
                }
                if !is_left(place) {
                    for (_, line) in section {
                        kept.push(line);
                    }
                }
            }
            if is_left(place) {
                kept.push(&renumber.line(line));
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

/// The words of the tokens for values that the script made up: `BOX` of `[BOX_1]`.
fn made_up(outcome: &Outcome) -> HashSet<&str> {
    outcome.known.iter().filter_map(|(token, _)| Some(token.rsplit_once('_')?.0)).collect()
}

/// A token's name, with the sign before its number, and its number.
type Token<'a> = (&'a str, usize);

/// The numbers of tokens depend on the values that a skipped case did not have. This gives the
/// tokens of a run the numbers of the golden, in the order in which they appear outside the sections
/// of skipped cases.
struct Renumbering<'a> {
    words: &'a HashSet<&'a str>,
    numbers: BTreeMap<(String, usize), usize>,
}

impl<'a> Renumbering<'a> {
    /// Compares the golden's text, and what is left of it, with what is left of the run's.
    fn of(words: &'a HashSet<&'a str>, old: &str, left: &str, new: &str) -> Self {
        let mut next: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, (name, number)) in tokens(words, old) {
            let most = next.entry(name).or_default();
            *most = number.max(*most);
        }
        let (was, is) = (in_order(words, left), in_order(words, new));
        let mut numbers = BTreeMap::new();
        for (name, is) in is {
            let was = was.get(name).map(Vec::as_slice).unwrap_or_default();
            for (at, number) in is.iter().enumerate() {
                let given = was.get(at).copied().unwrap_or_else(|| {
                    let most = next.entry(name).or_default();
                    *most += 1;
                    *most
                });
                numbers.insert((name.to_owned(), *number), given);
            }
        }
        Self { words, numbers }
    }

    fn line(&self, line: &str) -> String {
        let (mut text, mut from) = (String::with_capacity(line.len()), 0);
        for (at, (name, number)) in tokens(self.words, line) {
            let given = self.numbers.get(&(name.to_owned(), number)).copied().unwrap_or(number);
            let start = at + 1 + name.len();
            text.push_str(&line[from..start]);
            text.push_str(&given.to_string());
            from = start + number.to_string().len();
        }
        text + &line[from..]
    }
}

/// The numbers of each token in the order in which they first appear.
fn in_order<'t>(words: &HashSet<&str>, text: &'t str) -> BTreeMap<&'t str, Vec<usize>> {
    let mut order: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (_, (name, number)) in tokens(words, text) {
        let numbers = order.entry(name).or_default();
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    order
}

/// The numbered tokens of a text, each with its offset.
fn tokens<'t>(words: &HashSet<&str>, text: &'t str) -> Vec<(usize, Token<'t>)> {
    let token = |(at, _): (usize, &str)| {
        let inside = text[at + 1..].split_once(']')?.0;
        let sign = inside.rfind(['#', '_'])?;
        let (name, number) = inside.split_at(sign + 1);
        let is_numbered = name.ends_with('#') || words.contains(&name[..sign]);
        let is_name = name[..sign]
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        let is_plain = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| is_numbered && is_name && is_plain)?;
        Some((at, (name, number)))
    };
    text.match_indices('[').filter_map(token).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn outcome(skipped: &[bool]) -> Outcome {
        let mut outcome = Outcome::new(Path::new("a.rhai"), Verdict::Passed);
        let verdict = |is| if is { Verdict::Skipped(String::new()) } else { Verdict::Passed };
        outcome.cases =
            skipped.iter().map(|is| Outcome::new(Path::new("a.rhai"), verdict(*is))).collect();
        outcome.known = vec![("BOX_1".to_owned(), "x".to_owned())];
        outcome
    }

    /// A text with the sections of so many cases.
    fn text(text: String, cases: usize) -> Text {
        Text { text, cases: (0..cases).map(Some).collect() }
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
        let kept = Kept::of(&outcome(&[false, true, false]), &golden(), text(new.clone(), 3));
        assert_eq!((kept.text, kept.cases), (golden(), [0, 1, 2].map(Some).to_vec()));
        let changed = new.replace("S: c [QUEUE_ID#3]", "S: d [QUEUE_ID#3] [QUEUE_ID#4]");
        let kept = Kept::of(&outcome(&[false, true, false]), &golden(), text(changed, 3));
        assert_eq!(
            kept.text,
            golden().replace("S: c [QUEUE_ID#4]", "S: d [QUEUE_ID#4] [QUEUE_ID#5]")
        );
        let kept = Kept::of(&outcome(&[false, false, false]), &golden(), text(new.clone(), 3));
        assert_eq!(kept.text, new);
    }

    #[test]
    fn a_skipped_case_that_the_golden_does_not_have_is_left_out() {
        let new = golden().replace("*** case: a", &(section("new", "S: x") + "*** case: a"));
        let kept = Kept::of(&outcome(&[true, false, false, false]), &golden(), text(new, 4));
        assert_eq!((kept.text, kept.cases), (golden(), [1, 2, 3].map(Some).to_vec()));
    }
}
