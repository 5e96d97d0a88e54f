//! Shows the difference between a transcript and its golden as a unified diff.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::{Duration, Instant};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Level, Origin, Renderer};
use anstyle::Style;
use similar::{ChangeTag, DiffTag, TextDiff};

use super::style::{BAD, DIM, GOOD};
use crate::outcome::Difference;
use crate::visible;

/// The number of lines shown around each change.
const AROUND: usize = 3;

/// The number of bytes of a line above which the words that differ are repeated after the line.
const LONG: usize = 72;

/// The time limit of the search for the smallest diff. The search takes time proportional to the
/// square of the differences, which is minutes for a message of some megabytes. After the limit,
/// the diff is correct but may be longer than necessary.
const LONGEST: Duration = Duration::from_millis(500);

/// The number of lines shown of each side of a change. The files have the others.
const SIDE: usize = 1000;

/// The number of lines after which no further change is shown.
const SHOWN: usize = 10_000;

/// The text for a difference: what differs, and what can be done about it.
pub(super) fn explain(difference: &Difference) -> String {
    let Difference { golden, old, new, pending, unwritten } = difference;
    let shown = visible::escape(golden.to_string_lossy().as_bytes());
    let message = message(difference);
    let hint = match (pending, unwritten) {
        (Some(pending), _) => format!(
            "if this is right, accept it: mailexpect accept {} (mailexpect review goes through all that wait)",
            visible::escape(pending.to_string_lossy().as_bytes())
        ),
        (None, Some(why)) => format!("it could not be left for review: {}", visible::escape(why.as_bytes())),
        (None, None) => {
            "nothing was written; if this is right, run it again with --update (tests: INSTA_UPDATE=always) where goldens may \
            be written"
                .to_owned()
        }
    };
    let group = Level::ERROR.primary_title(message).element(Origin::path(shown.as_str()));
    let group = group.element(Level::NOTE.with_name("hint").message(hint.as_str()));
    let mut text = Renderer::styled().decor_style(DecorStyle::Ascii).render(&[group]) + "\n";
    let _ = writeln!(text, "  {DIM}the golden (-) and this run (+):{DIM:#}");
    text.push_str(&diff(old.as_deref().unwrap_or_default(), new, "    "));
    text
}

/// What is wrong, in one line.
pub(super) fn message(difference: &Difference) -> &'static str {
    match difference.old {
        Some(_) => "what was said is not what the golden transcript says",
        None => "there is no golden transcript yet",
    }
}

/// A unified diff of two transcripts, with each line after the margin. The diff never has more
/// lines than both transcripts together plus one for the place. Of a long diff, only the beginning
/// is shown.
pub(super) fn diff(old: &str, new: &str, margin: &str) -> String {
    let (old, new) = (old.trim_end(), new.trim_end());
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(old, new);
    let text = unified(&diff, AROUND, margin);
    let most = old.lines().count() + new.lines().count() + 1;
    if text.lines().count() > most {
        return unified(&diff, usize::MAX / 4, margin);
    }
    text
}

fn unified(diff: &TextDiff<'_, '_, '_, str>, around: usize, margin: &str) -> String {
    let until = Instant::now() + LONGEST;
    let mut text = String::new();
    let mut shown = 0;
    let groups = diff.grouped_ops(around);
    for (number, group) in groups.iter().enumerate() {
        if shown > SHOWN {
            let places = groups.len() - number;
            let _ = writeln!(text, "{margin}{DIM}... {places} more places differ{DIM:#}");
            break;
        }
        let header = similar::udiff::UnifiedHunkHeader::new(group);
        let _ = writeln!(text, "{margin}{DIM}{header}{DIM:#}");
        for op in group {
            shown += op.old_range().len().min(SIDE) + op.new_range().len().min(SIDE);
            let (old, new) = (
                Side::of(op.old_range(), diff.old_slices()),
                Side::of(op.new_range(), diff.new_slices()),
            );
            if op.tag() == DiffTag::Equal {
                old.write(&mut text, (margin, ' ', Style::new()), (&[][..], until));
                continue;
            }
            // Lines that replace each other are compared word by word.
            let is_paired = op.old_range().len() == op.new_range().len();
            let pairs = |side: &Side| if is_paired { side.lines.clone() } else { Vec::new() };
            old.write(&mut text, (margin, '-', BAD), (&pairs(&new)[..], until));
            new.write(&mut text, (margin, '+', GOOD), (&pairs(&old)[..], until));
        }
    }
    text
}

/// The lines of one side of a change.
struct Side {
    lines: Vec<String>,
    /// How many more there are.
    hidden: usize,
}

impl Side {
    fn of(range: Range<usize>, lines: &[&str]) -> Self {
        let all = lines.get(range).unwrap_or_default();
        let shown = all.iter().take(SIDE);
        let lines: Vec<_> =
            shown.map(|line| visible::printable(line.trim_end_matches('\n'))).collect();
        Self { hidden: all.len() - lines.len(), lines }
    }

    /// Writes the lines, each marked with what the other side has in its place.
    fn write(
        &self,
        text: &mut String,
        (margin, sign, style): (&str, char, Style),
        (others, until): (&[String], Instant),
    ) {
        for (at, line) in self.lines.iter().enumerate() {
            let marked = match others.get(at) {
                Some(other) => marked(line, other, (style, until)),
                None => line.clone(),
            };
            let _ = writeln!(text, "{margin}{style}{sign}{marked}{style:#}");
        }
        if self.hidden > 0 {
            let hidden = self.hidden;
            let _ = writeln!(text, "{margin}{style}{sign}... {hidden} more lines{style:#}");
        }
    }
}

/// The line with the words marked that `other` does not have. After a long line, these words are
/// repeated, because without colours nothing else shows them.
fn marked(line: &str, other: &str, (style, until): (Style, Instant)) -> String {
    let words = TextDiff::configure().deadline(until).diff_words(line, other);
    let is_alike = words.ratio() > 0.4;
    if !is_alike {
        return line.to_owned();
    }
    let emphasis = style.underline();
    let mut text = String::new();
    let mut own = Vec::new();
    for change in words.iter_all_changes() {
        let word = change.value();
        match change.tag() {
            ChangeTag::Delete if !word.trim().is_empty() => {
                own.push(word);
                let _ = write!(text, "{style:#}{emphasis}{word}{emphasis:#}{style}");
            }
            ChangeTag::Delete | ChangeTag::Equal => text.push_str(word),
            ChangeTag::Insert => {}
        }
    }
    // The repetition must be shorter than half the line.
    let own = own.join(" ");
    if line.len() > LONG && !own.is_empty() && own.len() < line.len() / 2 {
        let _ = write!(text, "{style:#}  {DIM}<- {own}{DIM:#}{style}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_transcripts_that_differ_in_each_line_are_compared_in_bounded_time() {
        let lines = |word: &str| {
            (0..60_000).map(|n| format!("C: line {n} {word}\n")).collect::<Vec<_>>().concat()
        };
        let shown = plain(&diff(&lines("is"), &lines("was"), ""));
        assert!(shown.contains("C: line 0 is") && shown.contains("C: line 999 was"));
        assert!(shown.contains("-... 59000 more lines") && shown.contains("+... 59000 more lines"));
    }

    #[test]
    fn of_a_diff_with_many_places_the_beginning_is_shown() {
        let lines = |word: &str| {
            let changed = (0..5000).map(|n| format!("{word}{n}\n{}", "=\n".repeat(9)));
            changed.collect::<Vec<_>>().concat()
        };
        let shown = plain(&diff(&lines("a"), &lines("b"), ""));
        // If the time is over before the smallest diff is found, it is one large change.
        let is_cut = [" more places differ", " more lines"].iter().any(|cut| shown.contains(cut));
        assert!(shown.contains("-a0\n") && is_cut && shown.lines().count() < 40_000, "{shown}");
    }

    #[test]
    fn long_lines_that_differ_in_each_word_are_compared_in_bounded_time() {
        let line = |from: usize| {
            (from..from + 200_000).map(|n| format!("{n} ")).collect::<Vec<_>>().concat()
        };
        let shown = plain(&diff(&line(0), &line(500_000), ""));
        assert!(shown.contains("199999") && shown.contains("699999"));
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_changed_word_in_a_long_line_is_named() {
        let line = |word: &str| {
            format!("S: * CAPABILITY {}{word} {}", "A=B ".repeat(20), "C=D ".repeat(20))
        };
        let shown = plain(&diff(&line("IDLE"), &line("IDLX"), ""));
        let mut lines = shown.lines().skip(1);
        assert!(lines.next().unwrap().ends_with("  <- IDLE"), "{shown}");
        assert!(lines.next().unwrap().ends_with("  <- IDLX"), "{shown}");
        assert!(!plain(&diff("S: 250 one", "S: 250 two", "")).contains("<-"));
    }

    #[test]
    fn a_diff_has_no_more_lines_than_what_it_compares() {
        let lines = |changed: &str| -> String {
            (0..400)
                .map(|n| if n % 7 == 0 { format!("{changed}{n}\n") } else { format!("{n}\n") })
                .collect::<Vec<_>>()
                .concat()
        };
        let (old, new) = (lines("a"), lines("b"));
        assert!(diff(&old, &new, "  ").lines().count() <= 801);
        for (old, new) in [("a", "b"), ("", "b"), ("a", "")] {
            assert!(diff(old, new, "  ").lines().count() <= 3);
        }
    }
}
