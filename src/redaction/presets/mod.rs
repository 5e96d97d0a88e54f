//! What is known to vary from run to run in mail dialogues: a table for each family of groups.

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

/// A named rule that comes with the crate: a regex, where it is looked for, and what stands in
/// place of what its group `v` found.
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
    /// Whether each value has a number of its own. Not so where two values may be alike by chance,
    /// as durations are.
    numbered: bool,
    scope: Scope,
    regex: &'static str,
    samples: &'static [(&'static str, &'static str)],
    others: &'static [&'static str],
}

impl Preset {
    /// Its name, as `imap.uidvalidity`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The group it belongs to.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.group
    }

    /// The word that is shown for what it finds.
    #[must_use]
    pub fn token(&self) -> &'static str {
        self.token
    }

    /// Its regex, whose group `v` is replaced.
    #[must_use]
    pub fn regex(&self) -> &'static str {
        self.regex
    }

    /// Where it is looked for, in words.
    #[must_use]
    pub fn place(&self) -> String {
        self.scope.to_string()
    }

    /// Lines it finds something in, each with what that is.
    #[must_use]
    pub fn samples(&self) -> &'static [(&'static str, &'static str)] {
        self.samples
    }

    /// Lines that are near and that it must leave alone.
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

/// What a token of that name may stand for, with text around it that has it.
pub(crate) fn sample(token: &str) -> Option<&'static str> {
    let preset = presets().find(|preset| preset.token == token)?;
    preset.samples.first().map(|(_, value)| *value)
}

/// Every preset, in the order in which they are tried: what has to be asked for and what has a form
/// of its own first, numbers that may be times last.
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
