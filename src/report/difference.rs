//! Shows the difference between a transcript and its golden as a unified diff.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

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
/// lines than both transcripts together plus one for the place.
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
    let mut text = String::new();
    for group in diff.grouped_ops(around) {
        let header = similar::udiff::UnifiedHunkHeader::new(&group);
        let _ = writeln!(text, "{margin}{DIM}{header}{DIM:#}");
        for op in &group {
            let values = |range: Range<usize>, lines: &[&str]| -> Vec<String> {
                let lines = lines.get(range).unwrap_or_default().iter();
                lines.map(|line| visible::printable(line.trim_end_matches('\n'))).collect()
            };
            let (old, new) = (
                values(op.old_range(), diff.old_slices()),
                values(op.new_range(), diff.new_slices()),
            );
            if op.tag() == DiffTag::Equal {
                for line in &old {
                    let _ = writeln!(text, "{margin} {line}");
                }
                continue;
            }
            // Lines that replace each other are compared word by word.
            let pairs = if old.len() == new.len() { &new[..] } else { &[] };
            for (side, sign, style, others) in [
                (&old, '-', BAD, pairs),
                (&new, '+', GOOD, if pairs.is_empty() { pairs } else { &old }),
            ] {
                for (at, line) in side.iter().enumerate() {
                    let marked = match others.get(at) {
                        Some(other) => marked(line, other, style),
                        None => line.clone(),
                    };
                    let _ = writeln!(text, "{margin}{style}{sign}{marked}{style:#}");
                }
            }
        }
    }
    text
}

/// The line with the words marked that `other` does not have. After a long line, these words are
/// repeated, because without colours nothing else shows them.
fn marked(line: &str, other: &str, style: Style) -> String {
    let words = TextDiff::from_words(line, other);
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
        assert!(shown.contains("C: line 0 is") && shown.contains("C: line 59999 was"));
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
