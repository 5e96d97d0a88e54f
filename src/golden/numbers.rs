//! The numbers of tokens and sessions in a transcript, beside those in its golden.
//!
//! Values are numbered in the order in which they appear, so one that is missing or new changes the
//! numbers of all later ones, also in the sections of other rows. What a golden says does not
//! depend on that: it holds that two values are equal, or that they differ. So a transcript is
//! compared up to its numbers: a value of the run is that value of the golden that stands in its
//! place, throughout the transcript. The same holds for the sessions within a section.

use std::collections::{HashMap, HashSet, VecDeque};

use super::sections::{Place, places};
use crate::outcome::Outcome;
use crate::redaction::Redaction;

/// The names of tokens that have numbers: `QUEUE_ID` of `[QUEUE_ID#1]`, and `BOX` of `[BOX_1]`.
pub(super) struct Names {
    redacted: HashSet<Box<str>>,
    /// Those of values that the script made up.
    made_up: HashSet<String>,
}

impl Names {
    pub(super) fn of(outcome: &Outcome, redaction: &Redaction) -> Self {
        let words = outcome.known.iter().filter_map(|(token, _)| token.rsplit_once('_'));
        let made_up = words.map(|(word, _)| word.to_owned()).collect();
        Self { redacted: redaction.token_names(), made_up }
    }

    /// The numbered tokens of a text: each with the text before its number, from the end of the last
    /// token on, its name with the sign before the number, and the number. Returns the rest as well.
    fn tokens<'t>(&self, text: &'t str) -> (Vec<Token<'t>>, &'t str) {
        let (mut tokens, mut from) = (Vec::new(), 0);
        for (at, _) in text.match_indices('[') {
            let Some((name, number)) = self.token(&text[at + 1..]) else { continue };
            let start = at + 1 + name.len();
            tokens.push(Token { before: &text[from..=at], name, number });
            from = start + number.len();
        }
        (tokens, &text[from..])
    }

    /// The line with other numbers for the values that have one.
    fn renumbered(&self, line: &str, numbers: &HashMap<Value<'_>, String>) -> String {
        let (tokens, rest) = self.tokens(line);
        let mut text = String::with_capacity(line.len());
        for Token { before, name, number } in tokens {
            text.push_str(before);
            text.push_str(name);
            text.push_str(numbers.get(&(name, number)).map_or(number, String::as_str));
        }
        text + rest
    }

    /// The name, with its sign, and the number of the token whose text after `[` begins here.
    ///
    /// No name contains a bracket, so the search ends at the next one of either kind. A search for
    /// `]` alone would go on to the end of the line for each `[` of it.
    fn token<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let (inside, rest) = text.split_at(text.find(['[', ']'])?);
        if !rest.starts_with(']') {
            return None;
        }
        let (name, number) = inside.split_at(inside.rfind(['#', '_'])? + 1);
        let word = &name[..name.len() - 1];
        let is_named = if name.ends_with('#') {
            self.redacted.contains(word)
        } else {
            self.made_up.contains(word)
        };
        let is_number = !number.is_empty()
            && !number.starts_with('0')
            && number.bytes().all(|byte| byte.is_ascii_digit());
        (is_named && is_number).then_some((name, number))
    }
}

struct Token<'t> {
    before: &'t str,
    name: &'t str,
    number: &'t str,
}

/// A value by its token: the name and the number.
type Value<'t> = (&'t str, &'t str);

/// Pairs of values, each of the run with that of the golden. No value is in two pairs.
#[derive(Default)]
struct Pairs<'t> {
    of_run: HashMap<Value<'t>, Value<'t>>,
    of_golden: HashMap<Value<'t>, Value<'t>>,
}

impl<'t> Pairs<'t> {
    /// Adds a pair. Returns whether it does not contradict the pairs before it.
    fn add(&mut self, is: Value<'t>, was: Value<'t>) -> bool {
        *self.of_run.entry(is).or_insert(was) == was
            && *self.of_golden.entry(was).or_insert(is) == is
    }

    /// Adds pairs that contradict none of those before them.
    fn extend(&mut self, other: Self) {
        self.of_run.extend(other.of_run);
        self.of_golden.extend(other.of_golden);
    }

    fn contradict(&self, is: Value<'t>, was: Value<'t>) -> bool {
        self.of_run.get(&is).is_some_and(|other| *other != was)
            || self.of_golden.get(&was).is_some_and(|other| *other != is)
    }
}

/// The name of a section: that of its case, or `None` for the lines outside of all cases.
type Section<'t> = Option<(&'t str, usize)>;

/// A transcript as lines, with the sections that they are in.
struct Lines<'t> {
    all: Vec<(Section<'t>, &'t str)>,
    sections: HashMap<Section<'t>, Vec<&'t str>>,
    /// The sessions that have lines outside of all cases. The others are numbered in each case anew.
    outside: HashSet<&'t str>,
    /// Whether lines name their sessions, because there are several.
    has_sessions: bool,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let section = |place| match place {
            Place::Outside => None,
            Place::Case { name, .. } => Some(name),
        };
        let all: Vec<_> =
            places(text).into_iter().map(|(place, line)| (section(place), line)).collect();
        let mut sections: HashMap<_, Vec<_>> = HashMap::new();
        let mut outside = HashSet::new();
        let mut has_sessions = false;
        for (section, line) in &all {
            sections.entry(*section).or_default().push(*line);
            let session = session(line).0;
            has_sessions |= session.is_some();
            outside.extend(session.filter(|_| section.is_none()));
        }
        Self { all, sections, outside, has_sessions }
    }

    /// The sections, in order, after the lines outside of all cases.
    fn order(&self) -> Vec<Section<'t>> {
        let mut seen = HashSet::from([None]);
        let cases = self.all.iter().map(|(section, _)| *section);
        [None].into_iter().chain(cases.filter(|section| seen.insert(*section))).collect()
    }

    /// The values in a section, in the order in which they first appear.
    fn values(&self, section: Section<'t>, names: &Names) -> Vec<Value<'t>> {
        let mut seen = HashSet::new();
        let lines = self.sections.get(&section).into_iter().flatten();
        let tokens = lines.flat_map(|line| names.tokens(line).0);
        tokens.map(|token| (token.name, token.number)).filter(|value| seen.insert(*value)).collect()
    }
}

/// The session at the beginning of a line, and the rest.
fn session(line: &str) -> (Option<&str>, &str) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((first, rest)) = line.split_once(' ') else { return (None, line) };
    let own = match first.strip_prefix('b').and_then(|branch| branch.rsplit_once('.')) {
        Some((branch, own)) if branch.split('.').all(is_number) => own,
        _ => first,
    };
    match own.strip_prefix('s') {
        Some(number) if is_number(number) => (Some(first), rest),
        _ => (None, line),
    }
}

/// A golden and the transcript of a run.
struct Beside<'t> {
    was: &'t Lines<'t>,
    is: &'t Lines<'t>,
    names: &'t Names,
}

impl<'t> Beside<'t> {
    /// The pairs of values in a section, and the values before it, if both texts say the same up to
    /// their numbers.
    fn equal(&self, section: Section<'t>, known: &Pairs<'t>) -> Option<Pairs<'t>> {
        let (was, is) = (self.was.sections.get(&section)?, self.is.sections.get(&section)?);
        let (mut pairs, mut sessions) = (Pairs::default(), Pairs::default());
        let mut equal = |was: &'t str, is: &'t str| {
            let ((of_golden, was), (of_run, is)) = (session(was), session(is));
            if !self.is_same_session(of_golden, of_run, &mut sessions) {
                return false;
            }
            let ((was, was_rest), (is, is_rest)) = (self.names.tokens(was), self.names.tokens(is));
            was.len() == is.len()
                && was_rest == is_rest
                && was.iter().zip(&is).all(|(was, is)| {
                    let pair = ((is.name, is.number), (was.name, was.number));
                    (was.before, was.name) == (is.before, is.name)
                        && !known.contradict(pair.0, pair.1)
                        && pairs.add(pair.0, pair.1)
                })
        };
        let is_equal = was.len() == is.len() && was.iter().zip(is).all(|(was, is)| equal(was, is));
        is_equal.then_some(pairs)
    }

    /// Whether two lines may be of the same session. A line does not name its session if there is
    /// only one.
    fn is_same_session(
        &self,
        was: Option<&'t str>,
        is: Option<&'t str>,
        sessions: &mut Pairs<'t>,
    ) -> bool {
        let (pair, may_be) = match (was, is) {
            (None, None) => return true,
            (Some(was), None) => ((was, ""), !self.is.has_sessions),
            (None, Some(is)) => (("", is), !self.was.has_sessions),
            (Some(was), Some(is)) => {
                let is_outside = (self.was.outside.contains(was), self.is.outside.contains(is));
                ((was, is), is_outside == (false, false) || was == is)
            }
        };
        may_be && sessions.add(("", pair.1), ("", pair.0))
    }

    /// Pairs the values of sections that are not equal, and that have no pair yet, in their order.
    fn pair_in_order(&self, sections: &[Section<'t>], pairs: &mut Pairs<'t>) {
        for section in sections {
            let mut free: HashMap<&str, VecDeque<Value<'_>>> = HashMap::new();
            for was in self.was.values(*section, self.names) {
                if !pairs.of_golden.contains_key(&was) {
                    free.entry(was.0).or_default().push_back(was);
                }
            }
            for is in self.is.values(*section, self.names) {
                if !pairs.of_run.contains_key(&is)
                    && let Some(was) = free.get_mut(is.0).and_then(VecDeque::pop_front)
                {
                    pairs.add(is, was);
                }
            }
        }
    }

    /// The number that each value of these sections gets.
    fn numbers(&self, sections: &[Section<'t>], pairs: &Pairs<'t>) -> HashMap<Value<'t>, String> {
        let mut last: HashMap<&str, usize> = HashMap::new();
        for section in self.was.order() {
            for (name, number) in self.was.values(section, self.names) {
                let last = last.entry(name).or_default();
                *last = number.parse().map_or(*last, |number: usize| number.max(*last));
            }
        }
        let mut numbers = HashMap::new();
        for value in sections.iter().flat_map(|section| self.is.values(*section, self.names)) {
            numbers.entry(value).or_insert_with(|| {
                if let Some((_, number)) = pairs.of_run.get(&value) {
                    return (*number).to_owned();
                }
                let last = last.entry(value.0).or_default();
                *last = last.saturating_add(1);
                last.to_string()
            });
        }
        numbers
    }
}

/// The transcript `new` with the numbers of its golden `old`. A section that says the same up to its
/// numbers becomes that of the golden. A value that the golden does not have gets a number that is
/// not in the golden. The sections of `skipped` cases are left as they are.
pub(super) fn as_in<'t>(
    old: &'t str,
    new: &'t str,
    names: &'t Names,
    skipped: &HashSet<(&'t str, usize)>,
) -> String {
    if old == new {
        return new.to_owned();
    }
    let (was, is) = (Lines::of(old), Lines::of(new));
    let beside = Beside { was: &was, is: &is, names };
    let (mut pairs, mut equal) = (Pairs::default(), HashMap::new());
    let is_skipped = |section: Section<'t>| section.is_some_and(|name| skipped.contains(&name));
    let mut others = is.order();
    others.retain(|section| !is_skipped(*section));
    others.retain(|section| {
        let Some(found) = beside.equal(*section, &pairs) else { return true };
        pairs.extend(found);
        equal.extend(was.sections.get(section).map(|lines| (*section, lines.iter())));
        false
    });
    beside.pair_in_order(&others, &mut pairs);
    let numbers = beside.numbers(&others, &pairs);
    let mut text = Vec::with_capacity(is.all.len());
    for (section, line) in &is.all {
        text.push(match equal.get_mut(section) {
            Some(lines) => lines.next().copied().unwrap_or_default().to_owned(),
            None if is_skipped(*section) => (*line).to_owned(),
            None => names.renumbered(line, &numbers),
        });
    }
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::outcome::Verdict;

    /// A text with these lines outside, and a section for each of the other texts.
    fn text(outside: &str, sections: &[&str]) -> String {
        let section = |(name, text)| format!("*** case: {name}\n{text}\n*** end of case: {name}\n");
        let sections: String = ('a'..).zip(sections).map(section).collect();
        format!("{outside}\n{sections}")
    }

    /// The transcript with the numbers of its golden.
    fn shown(old: &str, new: &str) -> String {
        let mut outcome = Outcome::new(Path::new("a.rhai"), Verdict::Passed);
        outcome.known = vec![("BOX_1".to_owned(), "x".to_owned())];
        let names = Names::of(&outcome, &Redaction::new());
        as_in(old, new, &names, &HashSet::new()) + "\n"
    }

    #[test]
    fn a_section_is_equal_up_to_a_renaming_of_its_values() {
        let old =
            text("S: 220 hi", &["S: a [QUEUE_ID#1]", "S: b [QUEUE_ID#2] [BOX_2]", "S: [BOX_1]"]);
        let new = text("S: 220 hi", &["S: 550 no", "S: b [QUEUE_ID#1] [BOX_1]", "S: [BOX_2]"]);
        assert_eq!(shown(&old, &new), old.replace("S: a [QUEUE_ID#1]", "S: 550 no"));
        // A value that is new gets a number of its own.
        let more = new.replace("550 no", "550 no [QUEUE_ID#7] [QUEUE_ID#8]");
        let more = more.replace("[QUEUE_ID#1]", "[QUEUE_ID#9]");
        assert!(shown(&old, &more).contains("S: 550 no [QUEUE_ID#1] [QUEUE_ID#3]"));
    }

    #[test]
    fn equal_values_stay_equal_and_different_ones_different() {
        for (old, new) in [
            (["[QUEUE_ID#1]", "[QUEUE_ID#1]"], ["[QUEUE_ID#1]", "[QUEUE_ID#2]"]),
            (["[QUEUE_ID#1]", "[QUEUE_ID#2]"], ["[QUEUE_ID#1]", "[QUEUE_ID#1]"]),
            (["[QUEUE_ID#1] [QUEUE_ID#2]", ""], ["[QUEUE_ID#1] [QUEUE_ID#1]", ""]),
            (["[QUEUE_ID#1]", ""], ["[MESSAGE_ID#1]", ""]),
            (["[ROOM#1]", ""], ["[ROOM#2]", ""]),
        ] {
            for (old, new) in [
                (text(old[0], &old[1..]), text(new[0], &new[1..])),
                (text("", &old), text("", &new)),
            ] {
                assert_ne!(shown(&old, &new), old, "{new}");
            }
        }
    }

    /// Quadratic work would take hours here.
    #[test]
    fn a_line_of_many_brackets_is_read_in_linear_time() {
        for unit in ["[", "[_", "[QUEUE_ID#1", "[QUEUE_ID#1]"] {
            let line = format!("S: {}", unit.repeat(1 << 20));
            assert_eq!(shown("S: 250 ok", &line), line + "\n", "{unit}");
        }
    }

    #[test]
    fn the_sessions_of_a_section_have_numbers_of_their_own() {
        let two = text("s1 S: 220 hi", &["s2 S: 220 a\ns3 S: 220 b", "*** step: x\ns1 C: NOOP"]);
        let later = two.replace("s3", "s5").replace("s2", "s4");
        assert_eq!(shown(&two, &later), two);
        for wrong in [two.replace("s3", "s2"), two.replace("s2", "s1"), two.replace("s1 C", "s2 C")]
        {
            assert_ne!(shown(&two, &wrong), two, "{wrong}");
        }
        // A transcript with one session does not name it.
        let one = text("", &["S: 220 a\n*** step: x"]);
        let with_others = text("", &["s2 S: 220 a\n*** step: x"]);
        assert_eq!(shown(&with_others, &one), with_others);
        assert_eq!(shown(&one, &with_others), one);
    }
}
