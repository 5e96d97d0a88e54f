//! Where the lines of a recording stand, so that a line which departs from the recording is found
//! later in it without a comparison with all lines that are left.

use std::collections::{BTreeSet, HashMap};

use super::step::Step;
use super::tokens::{self, Form, Tokens};
use crate::proto::chomp;
use crate::proto::smtp::size_of_chunk;

/// The steps of a recording at which the client sends a line, except lines that any line fits.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Whether the lines begin with a tag, as in IMAP.
    is_tagged: bool,
    /// The lines with a tag, by what follows it.
    after_tag: Lines,
    /// All others.
    whole: Lines,
    /// The lines with a tag that may also fit a line without a tag: if the tag has a brace, and if
    /// it is `BDAT`. No client of IMAP sends such lines. All of them are compared.
    odd: Vec<usize>,
}

/// Lines by what they are like. Letters match in either case here, so what is found has to be
/// compared.
#[derive(Clone, Debug, Default)]
struct Lines {
    groups: Vec<Group>,
    by_form: HashMap<Form, usize>,
    /// The groups of lines without tokens.
    exact: HashMap<Vec<u8>, Vec<usize>>,
    /// The groups of lines with tokens, by the texts before the first and after the last one.
    around: HashMap<(Vec<u8>, Vec<u8>), Vec<usize>>,
    /// The lengths of these texts.
    lengths: BTreeSet<(usize, usize)>,
}

/// Lines that the same lines of a client fit, by their places, which ascend.
type Group = Vec<usize>;

impl Index {
    pub(super) fn of(steps: &[Step], is_tagged: bool) -> Self {
        let mut index = Self { is_tagged, ..Self::default() };
        for (place, step) in steps.iter().enumerate() {
            let Step::Hear { line, .. } = step else { continue };
            if tokens::fits_any(line, is_tagged) {
                continue;
            }
            match tokens::split(chomp(line)).filter(|_| is_tagged) {
                Some((tag, _)) if tag.contains(&b'{') || size_of_chunk(line).is_some() => {
                    index.odd.push(place);
                }
                Some((_, command)) => index.after_tag.add(place, command),
                None => index.whole.add(place, chomp(line)),
            }
        }
        index
    }

    /// The first step after `at` at which this line is expected.
    pub(super) fn next(&self, steps: &[Step], at: usize, text: &[u8]) -> Option<usize> {
        let is_it = |place: usize| {
            let Some(Step::Hear { line, .. }) = steps.get(place) else { return false };
            Tokens::default().fits(line, text, self.is_tagged)
        };
        let after = |group: &[usize]| {
            let next = group.partition_point(|place| *place <= at);
            group.get(next).copied().filter(|place| is_it(*place))
        };
        let odd = self.odd.iter().copied().find(|place| *place > at && is_it(*place));
        self.groups(text).filter_map(|group| after(group)).chain(odd).min()
    }

    /// The groups of which the lines may fit this one.
    fn groups(&self, text: &[u8]) -> impl Iterator<Item = &Group> {
        let text = chomp(text);
        let command = tokens::split(text).map(|(_, command)| command).filter(|_| self.is_tagged);
        let after_tag = command.map(|command| self.after_tag.groups(command));
        self.whole.groups(text).into_iter().chain(after_tag.into_iter().flatten())
    }
}

impl Lines {
    fn add(&mut self, place: usize, line: &[u8]) {
        let form = Form::of(line);
        if let Some(group) = self.by_form.get(&form) {
            self.groups[*group].push(place);
            return;
        }
        let group = self.groups.len();
        match form.around() {
            None => self.exact.entry(form.text().to_ascii_uppercase()).or_default().push(group),
            Some((before, after)) => {
                self.lengths.insert((before.len(), after.len()));
                let around = (before.to_ascii_uppercase(), after.to_ascii_uppercase());
                self.around.entry(around).or_default().push(group);
            }
        }
        self.groups.push(vec![place]);
        self.by_form.insert(form, group);
    }

    fn groups(&self, line: &[u8]) -> Vec<&Group> {
        let whole = line.to_ascii_uppercase();
        let literal = whole.ends_with(b"}").then(|| tokens::before_literal(&whole));
        let key = match size_of_chunk(line) {
            Some((_, is_last)) => Form::text_of_chunk(is_last),
            None => literal.unwrap_or(&whole),
        };
        let exact = self.exact.get(key);
        // A token at the end of a line fits the size of a literal, too.
        let texts = [Some(&whole[..]), literal].into_iter().flatten();
        let around = texts.flat_map(|text| self.around(text));
        exact.into_iter().chain(around).flatten().map(|group| &self.groups[*group]).collect()
    }

    /// The groups of lines with tokens that begin and end as this text does.
    fn around<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = &'a Vec<usize>> {
        self.lengths.iter().filter_map(move |&(before, after)| {
            let end = text.len().checked_sub(after).filter(|end| *end >= before)?;
            self.around.get(&(text[..before].to_vec(), text[end..].to_vec()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(line: &str) -> Step {
        Step::Hear { line: format!("{line}\r\n").into(), shown: Vec::new(), number: 0 }
    }

    /// The first step that fits by comparing all of them.
    fn compared(steps: &[Step], at: usize, text: &[u8], is_tagged: bool) -> Option<usize> {
        (at + 1..steps.len()).find(|place| {
            let Step::Hear { line, .. } = &steps[*place] else { return false };
            !tokens::fits_any(line, is_tagged) && Tokens::default().fits(line, text, is_tagged)
        })
    }

    #[test]
    fn a_line_is_found_where_a_comparison_with_all_lines_finds_it() {
        let lines = [
            "EHLO [CLIENT]",
            "NOOP",
            "noop",
            "MAIL FROM:<a@b>",
            "MAIL FROM:<A@b>",
            "MAIL FROM:<[FROM#1]> SIZE=9",
            "[SECRET]",
            "BDAT 5",
            "BDAT 7 LAST",
            "BDAT LAST",
            "BDAT [SIZE#1] LAST",
            "a1 NOOP",
            "a2 APPEND INBOX {310+}",
            "a3 APPEND [MAILBOX#1] {310+}",
            "a4 APPEND [MAILBOX#1] {9}",
            "APPEND x {9}",
            "a{5 }",
            "a[X#1]{5 }",
            "a{b[X#1]",
            "BDAT\t5",
            "DONE",
            "x[TOKEN#1]",
            "a b[TOKEN#1]c[TOKEN#2]d",
            "a5 NOOP",
            "{5}",
            "",
            " ",
        ];
        let mut steps: Vec<_> = lines.iter().map(|line| hear(line)).collect();
        steps.insert(3, Step::Say(b"250 ok\r\n".to_vec()));
        steps.extend(lines.iter().map(|line| hear(line)));
        let more = ["ehlo x", "Noop", "mail from:<a@b>", "MAIL FROM:<x> size=9", "bdat 1 last"];
        let more = more.into_iter().chain(["bdat x LAST", "X NOOP", "X append INBOX {1}", "a}"]);
        let more = more
            .chain(["X DONE", "xa b", "a bcd", "X bcxd", "X bcd", "a b", "{3 }", "a", "a{bc{5}"]);
        for is_tagged in [false, true] {
            let index = Index::of(&steps, is_tagged);
            for text in more.clone().chain(lines) {
                for (at, end) in [(0, "\r\n"), (7, "\n"), (steps.len() / 2, "\r\n")] {
                    let text = [text.as_bytes(), end.as_bytes()].concat();
                    let wanted = compared(&steps, at, &text, is_tagged);
                    let shown = String::from_utf8_lossy(&text);
                    assert_eq!(index.next(&steps, at, &text), wanted, "{shown} {at} {is_tagged}");
                }
            }
        }
    }

    #[test]
    fn few_lines_of_many_are_compared() {
        let exact = (0..1000).map(|n| format!("RCPT TO:<user{n}@mail.example>"));
        let tokens = (0..1000).map(|n| format!("RCPT TO:<user{n}@[HOST#1]>"));
        let alike = (0..1000).map(|n| format!("MAIL FROM:<[FROM#{n}]>"));
        let steps: Vec<_> = exact.chain(tokens).chain(alike).map(|line| hear(&line)).collect();
        let index = Index::of(&steps, false);
        for (text, most) in [
            (&b"RCPT TO:<user7@mail.example>"[..], 2),
            (b"RCPT TO:<user7@other.example>", 1),
            (b"RCPT TO:<other@mail.example>", 0),
            (b"MAIL FROM:<a@b>", 1),
            (b"BDAT 5", 0),
        ] {
            assert_eq!(index.groups(text).count(), most, "{}", String::from_utf8_lossy(text));
        }
    }
}
