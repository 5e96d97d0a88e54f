//! A transcript beside its golden: a unified diff.

use std::fmt::Write as _;
use std::time::Duration;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Level, Origin, Renderer};
use similar::{ChangeTag, TextDiff};

use super::style::{BAD, DIM, GOOD};
use crate::outcome::Difference;
use crate::visible;

/// How many lines are shown around each change.
const AROUND: usize = 3;

/// How long the least difference is looked for. That takes time that grows with the square of what
/// differs, which for a message of some megabytes is minutes; behind it, what is shown is right but
/// may be longer than it had to be.
const LONGEST: Duration = Duration::from_millis(500);

/// What differs, and what can be done about it.
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

/// What is wrong, in a line.
pub(super) fn message(difference: &Difference) -> &'static str {
    match difference.old {
        Some(_) => "what was said is not what the golden transcript says",
        None => "there is no golden transcript yet",
    }
}

/// A unified diff of two transcripts, each line behind the margin.
pub(super) fn diff(old: &str, new: &str, margin: &str) -> String {
    let (old, new) = (old.trim_end(), new.trim_end());
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(old, new);
    let mut text = String::new();
    for group in diff.grouped_ops(AROUND) {
        let header = similar::udiff::UnifiedHunkHeader::new(&group);
        let _ = writeln!(text, "{margin}{DIM}{header}{DIM:#}");
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = visible::printable(change.value().trim_end_matches('\n'));
            let _ = match change.tag() {
                ChangeTag::Delete => writeln!(text, "{margin}{BAD}-{line}{BAD:#}"),
                ChangeTag::Insert => writeln!(text, "{margin}{GOOD}+{line}{GOOD:#}"),
                ChangeTag::Equal => writeln!(text, "{margin} {line}"),
            };
        }
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
        let shown = diff(&lines("is"), &lines("was"), "");
        assert!(shown.contains("C: line 0 is") && shown.contains("C: line 59999 was"));
    }
}
