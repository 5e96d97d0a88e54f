//! Reads the first comment of a script: its title, its tags and other properties.

use std::collections::BTreeSet;
use std::path::Path;

#[cfg(feature = "cli")]
use super::fixtures;
use super::shipped;
use crate::file;
use crate::visible;

/// The beginning of a line that says why the script is ignored.
const IGNORED: &str = "ignored:";
/// The beginning of a line that lists the script's tags, separated by commas.
const TAGS: &str = "tags:";
/// The beginning of a line that names resources that no two scripts may use at once, separated by
/// commas.
const SERIAL: &str = "serial:";

/// The parts of the first comment that are shown in lists of scripts or used to choose scripts.
#[cfg(feature = "cli")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Heading {
    pub(crate) title: Option<String>,
    pub(crate) tags: Vec<String>,
    /// The other lines of the comment.
    pub(crate) about: Vec<String>,
}

#[cfg(feature = "cli")]
impl Heading {
    /// Returns the heading of a script. The heading is empty if the script cannot be read; its run
    /// reports the reason.
    pub(crate) fn of(script: &Path) -> Self {
        let text = match script.to_str().and_then(shipped::text) {
            Some(text) => text.as_bytes().to_vec(),
            None => file::read(script).unwrap_or_default(),
        };
        let text = String::from_utf8_lossy(&text);
        Self { title: title(&text), tags: tags(&text), about: about(&text) }
    }
}

#[cfg(feature = "cli")]
fn tags(text: &str) -> Vec<String> {
    let tags = lines(text).filter_map(|line| line.strip_prefix(TAGS));
    let tags = tags.flat_map(|tags| tags.split(',')).map(str::trim).filter(|tag| !tag.is_empty());
    tags.map(str::to_owned).collect()
}

/// Returns the names that no two scripts may use at once. Their order is the same for all scripts.
pub(super) fn serial_names(text: &str) -> Vec<String> {
    let names = lines(text).filter_map(|line| line.strip_prefix(SERIAL));
    let names = names.flat_map(|names| names.split(',')).map(str::trim);
    let names: BTreeSet<_> = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    names.into_iter().collect()
}

/// Returns these names of a script, and those of its setup and its teardown, which run wherever the
/// script does. A file that cannot be read has none, and fails when it is run.
#[cfg(feature = "cli")]
pub(crate) fn serial_names_of(script: &Path) -> Vec<String> {
    let files = fixtures::around(script).chain([script.to_owned()]);
    let texts = files.filter_map(|file| file::read_text(&file).ok());
    texts.flat_map(|text| serial_names(&text)).collect()
}

/// Returns the lines of the first comment, without their slashes. A `#!` line may precede the
/// comment.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines =
        text.lines().map(str::trim).skip_while(|line| line.is_empty() || line.starts_with("#!"));
    lines.map_while(|line| Some(line.strip_prefix("//")?.trim_start_matches(['/', '!']).trim()))
}

fn is_of_people(line: &&str) -> bool {
    ![IGNORED, TAGS, SERIAL].iter().any(|start| line.starts_with(start))
}

#[cfg(feature = "cli")]
fn about(text: &str) -> Vec<String> {
    lines(text).filter(is_of_people).skip(1).map(str::to_owned).collect()
}

/// Returns the title: the first line of the comment that has no other meaning.
pub(super) fn title(text: &str) -> Option<String> {
    lines(text).find(is_of_people).filter(|title| !title.is_empty()).map(visible::shortened)
}

fn ignored(text: &str) -> Option<String> {
    lines(text).find_map(|line| line.strip_prefix(IGNORED)).map(|why| why.trim().to_owned())
}

/// Returns why tests run a script only if asked to, if the script says so. `None` if the script
/// cannot be read; its run reports the reason.
pub(crate) fn why_ignored(script: &Path) -> Option<String> {
    ignored(&file::read_text(script).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_first_comment_is_the_title() {
        for (text, said) in [
            ("// Relaying must be refused.\nlet x = 1;", Some("Relaying must be refused.")),
            ("#!/usr/bin/env mailexpect\n\n/// One.\n// Two.", Some("One.")),
            ("// tags: a\n// Two.", Some("Two.")),
            ("let x = 1; // no", None),
            ("", None),
            ("//\n", None),
        ] {
            assert_eq!(title(text).as_deref(), said);
        }
    }

    #[cfg(feature = "cli")]
    #[test]
    fn lines_of_the_first_comment_have_tags() {
        for (text, said) in [
            ("// Relay.\n// tags: smoke, imap\n", &["smoke", "imap"][..]),
            ("// tags: a\n// More.\n// tags:b,, c \nlet x;", &["a", "b", "c"]),
            ("// Mail with tags: none\n\n// tags: of another comment\n", &[]),
        ] {
            assert_eq!(tags(text), said);
        }
    }

    #[test]
    fn lines_of_the_first_comment_name_what_only_one_script_may_use() {
        let text = "// Quota.\n// serial: carol's maildrop, queue\n//serial:queue,,log\n";
        assert_eq!(serial_names(text), ["carol's maildrop", "log", "queue"]);
        assert!(serial_names("// serial: ,\n\n// serial: of another comment\n").is_empty());
    }

    #[test]
    fn a_line_of_the_first_comment_says_that_a_script_is_ignored() {
        for (text, why) in [
            ("// The queue.\n// ignored: takes an hour\nlet x = 1;", Some("takes an hour")),
            ("#!/usr/bin/env mailexpect\n// ignored:\n", Some("")),
            ("// Mail to ignored: is refused.\n", None),
            ("// The queue.\n\n// ignored: this is another comment\n", None),
            ("let x = 1; // ignored: no", None),
        ] {
            assert_eq!(ignored(text).as_deref(), why);
        }
    }
}
