//! Shows a failure, with its place in the script and its details.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

#[cfg(feature = "cli")]
use crate::error::Error;
use crate::outcome::{Failure, Place};
use crate::visible;

/// The number of characters shown of a line, of the script and of the transcript.
pub(super) const LINE_WIDTH: usize = 400;

/// The failure, with the line of the script, a caret under the place, and the details below.
pub(super) fn explain(failure: &Failure, script: &str) -> String {
    let source = failure.place.as_ref().and_then(|place| Some((place, place.source.as_deref()?)));
    let path = visible::printable(script);
    let title = Level::ERROR.primary_title(failure.error.message());
    let group = match source {
        Some((place, line)) => {
            let line = visible::source_line(line);
            let span = caret(&line, place.caret);
            let file = visible::printable(&place.file);
            let snippet = Snippet::source(line).line_start(place.line).path(file);
            title.element(snippet.annotation(AnnotationKind::Primary.span(span)))
        }
        None => Group::with_title(title).element(annotate_snippets::Origin::path(path.as_str())),
    };
    let notes = notes(failure);
    let group = notes.iter().fold(group, |group, (name, text)| {
        group.element(Level::NOTE.with_name(*name).message(text.as_str()))
    });
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii).term_width(LINE_WIDTH);
    renderer.render(&[group]) + "\n"
}

pub(super) fn notes(failure: &Failure) -> Vec<(&'static str, String)> {
    let error = &failure.error;
    let waited = error.waited().map(|waited| waited.to_string());
    let parts = [
        ("step", failure.step.as_deref().map(|step| visible::escape(step.as_bytes()))),
        ("expected", error.expected().map(str::to_owned)),
        ("got", error.got().map(str::to_owned)),
        ("after", error.sent().map(str::to_owned)),
        ("waited", waited),
        ("session", error.session().map(str::to_owned)),
    ];
    let calls =
        failure.calls.iter().map(|(name, place)| ("called", format!("{name} at {}", at(place))));
    let seed =
        error.seed().map(|seed| ("seed", format!("--seed {seed} has the same chance again")));
    let hint = error.next_step().map(|hint| ("hint", hint.to_owned()));
    let parts = parts.into_iter().filter_map(|(name, part)| Some((name, part?)));
    parts.chain(calls).chain(seed).chain(hint).collect()
}

/// The next step for somebody who typed a command, and has no script. A step with code for a script
/// is left out.
#[cfg(feature = "cli")]
pub(super) fn step_without_script(error: &Error) -> Option<String> {
    if error.is_timeout() {
        return Some("--timeout gives the server longer".to_owned());
    }
    let is_code = |step: &str| ["([", "(.", "()", "#{"].iter().any(|code| step.contains(code));
    error.next_step().map(without_options).filter(|step| !is_code(step))
}

/// A step without the options of scripts in place of which it names a flag, as in `#{ca: ...}, or
/// --cacert FILE`.
#[cfg(feature = "cli")]
fn without_options(step: &str) -> String {
    let mut left = String::new();
    let mut rest = step;
    while let Some((before, after)) = rest.split_once("#{") {
        left.push_str(before);
        let flag = after.split_once('}').and_then(|(_, after)| {
            let flag = after.trim_start_matches(',').strip_prefix(" or ")?;
            flag.starts_with("--").then_some(flag)
        });
        rest = flag.unwrap_or_else(|| {
            left.push_str("#{");
            after
        });
    }
    left + rest
}

pub(super) fn at(place: &Place) -> String {
    let file = visible::printable(&place.file);
    format!("{file}:{}:{}", place.line, place.column)
}

/// The word that begins at the column, as a range of bytes in the line.
fn caret(line: &str, column: usize) -> std::ops::Range<usize> {
    let start = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let word = line[start..]
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(line.len() - start);
    let next = line[start..].chars().next().map_or(0, char::len_utf8);
    start..start + word.max(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "cli")]
    #[test]
    fn a_step_for_a_command_names_flags_only() {
        for (step, wanted) in [
            ("trust its CA: #{ca: ...}, or --cacert FILE", "trust its CA: --cacert FILE"),
            ("go on: #{verify: false} or --insecure; or leave", "go on: --insecure; or leave"),
            ("see #{min, max}; or --x", "see #{min, max}; or --x"),
            ("#{open", "#{open"),
            ("look at the log", "look at the log"),
        ] {
            assert_eq!(without_options(step), wanted);
        }
    }

    #[test]
    fn the_caret_stands_under_the_word() {
        assert_eq!(caret("s.expect(250);", 3), 2..8);
        assert_eq!(caret("é.send(1)", 3), 3..7);
        assert_eq!(caret("x", 1), 0..1);
        assert_eq!(caret("+ 1", 1), 0..1);
        assert_eq!(caret("x", 9), 1..1);
    }
}
