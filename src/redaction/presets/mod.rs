//! The values that are known to vary from run to run in mail dialogues, in a table for each family
//! of groups.
//!
//! # How to add a preset
//!
//! Add a [`Preset`] to the table of its family. If two presets match the same text, the one that is
//! earlier in the table replaces it. Give the preset `samples`, lines in which it finds a value,
//! and `others`, similar lines that it must not change: a test checks both. A new family is a file
//! here and a line in [`presets`]. A new group is off unless `DEFAULT` in `redaction/mod.rs` has
//! it; a test fails until the documentation there names it.

mod dates;
mod epoch;
mod headers;
mod ids;
mod mailbox;
mod network;
mod queue;
mod sasl;
mod secrets;

use super::scope::{self, Scope};
use crate::pattern::Regex;

/// A named rule that comes with the crate: a regex, the places where it is looked for, and the
/// token that replaces what its group `v` matches, or each number in its group `numbers`.
///
/// ```
/// let preset = mailexpect::redaction::presets().find(|preset| preset.name() == "postfix.queue_id.short").unwrap();
/// assert_eq!((preset.group(), preset.token()), ("ids", "QUEUE_ID"));
/// assert!(preset.samples().contains(&("250 2.0.0 Ok: queued as 526562BE062", "526562BE062")));
/// ```
#[derive(Debug)]
pub struct Preset {
    name: &'static str,
    group: &'static str,
    token: &'static str,
    /// Whether each value has a number of its own. Values that may be equal by chance, such as
    /// durations, have none.
    numbered: bool,
    scope: Scope,
    regex: &'static str,
    samples: &'static [(&'static str, &'static str)],
    others: &'static [&'static str],
}

impl Preset {
    /// The preset's name, such as `imap.uidvalidity`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The group that the preset belongs to.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.group
    }

    /// The token that replaces the values, without brackets.
    #[must_use]
    pub fn token(&self) -> &'static str {
        self.token
    }

    /// The regex. What its group `v` matches is replaced, or each number in its group `numbers`.
    #[must_use]
    pub fn regex(&self) -> &'static str {
        self.regex
    }

    /// The places where the regex is looked for, in words.
    #[must_use]
    pub fn place(&self) -> String {
        self.scope.to_string()
    }

    /// Sample lines, each with the value that the preset finds in it.
    #[must_use]
    pub fn samples(&self) -> &'static [(&'static str, &'static str)] {
        self.samples
    }

    /// Similar lines in which the preset must find nothing.
    #[must_use]
    pub fn others(&self) -> &'static [&'static str] {
        self.others
    }

    pub(super) fn is_numbered(&self) -> bool {
        self.numbered
    }

    pub(super) fn scope(&self) -> Scope {
        self.scope
    }
}

/// Returns a sample value for which a token of this name could stand. Prefers a value that its
/// preset finds in the line that `in_line` makes with it.
pub(crate) fn sample(token: &str, in_line: impl Fn(&str) -> Vec<u8>) -> Option<&'static str> {
    let of_token = || presets().filter(|preset| preset.token == token);
    let is_found = |preset: &Preset, value: &str| {
        let Ok(regex) = Regex::new(preset.regex) else { return false };
        let line = in_line(value);
        let found = regex.captures_from(&line, 0);
        let found = found.and_then(|found| found.named("v").or_else(|| found.named("numbers")));
        found.is_some_and(|span| &line[span] == value.as_bytes())
    };
    let mut known =
        of_token().flat_map(|preset| preset.samples.iter().map(move |(_, value)| (preset, *value)));
    let found = known.find(|(preset, value)| is_found(preset, value)).map(|(_, value)| value);
    found.or_else(|| of_token().find_map(|preset| preset.samples.first()).map(|(_, value)| *value))
}

/// Whether a preset has a token of this name.
pub(crate) fn is_token(name: &str) -> bool {
    presets().any(|preset| preset.token == name)
}

/// All presets, in the order in which they are tried: first those that are off by default and those
/// for values of a distinctive form, last numbers that may be times.
pub fn presets() -> impl Iterator<Item = &'static Preset> {
    let families = [
        secrets::PRESETS,
        mailbox::PRESETS,
        ids::PRESETS,
        queue::PRESETS,
        sasl::PRESETS,
        dates::PRESETS,
        headers::PRESETS,
        network::PRESETS,
        epoch::PRESETS,
    ];
    families.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_of_the_module_names_every_group() {
        for group in presets().map(Preset::group) {
            let name = format!("`{group}`");
            assert!(include_str!("../mod.rs").contains(&name), "{name}");
        }
    }
}
