//! A regex with its place and its token, ready to be looked for.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::presets::Preset;
use super::scope::{ANYWHERE, Scope};
use crate::error::Result;
use crate::pattern::Regex;

/// The presets compiled so far; every run wants most of them.
static COMPILED: Mutex<BTreeMap<&'static str, Regex>> = Mutex::new(BTreeMap::new());

/// What is looked for, and where.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) regex: Regex,
    pub(super) scope: Scope,
    pub(super) label: Label,
}

/// What a rule makes of what it finds.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// The name it is known by in explanations.
    pub(super) rule: Box<str>,
    pub(super) token: Box<str>,
    pub(super) numbered: bool,
}

impl Label {
    pub(super) fn new(rule: &str, token: &str, numbered: bool) -> Self {
        Self { rule: rule.into(), token: token.into(), numbered }
    }
}

impl Rule {
    pub(super) fn of(preset: &'static Preset) -> Result<Self> {
        // A panic elsewhere leaves the map whole.
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let regex = match compiled.get(preset.name()) {
            Some(regex) => regex.clone(),
            None => compiled.entry(preset.name()).or_insert(Regex::new(preset.regex())?).clone(),
        };
        let label = Label::new(preset.name(), preset.token(), preset.is_numbered());
        Ok(Self { regex, scope: preset.scope(), label })
    }

    pub(super) fn own(source: &str, token: &str, numbered: bool) -> Result<Self> {
        let label = Label::new(&format!("`{source}`"), token, numbered);
        Ok(Self { regex: Regex::new(source)?, scope: ANYWHERE, label })
    }

    /// What it finds: of each match the group `v`, or all of it where the regex has none.
    ///
    /// The search goes on after what was found, so that what stands between two values may belong
    /// to both.
    pub(super) fn spans(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at <= text.len() {
                let groups = self.regex.captures_from(text, at)?;
                let span = groups.named("v").or_else(|| groups.get(0))?;
                at = span.end.max(at + 1);
                if !span.is_empty() {
                    return Some(span);
                }
            }
            None
        })
    }
}
