//! A compiled regex with its scope and its label.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::presets::Preset;
use super::scope::{ANYWHERE, Scope};
use crate::error::Result;
use crate::pattern::Regex;

/// The presets compiled so far, kept because every run uses most of them.
static COMPILED: Mutex<BTreeMap<&'static str, Regex>> = Mutex::new(BTreeMap::new());

/// A regex and the places where it is looked for.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) regex: Regex,
    pub(super) scope: Scope,
    pub(super) label: Label,
    /// What the rule counts for among the caller's, see [`Rule::own`].
    pub(super) weight: usize,
}

/// How many bytes the searches of a caller's regex keep for the next search, in each direction.
const CACHE: usize = 32 << 10;
/// The least that a rule counts for, in bytes: what its searches keep besides the compiled regex.
const LIGHTEST: usize = 2 * CACHE;

/// How a rule's matches are replaced and reported.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// The name of the rule in explanations.
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
        // The map stays consistent if a thread panics with the lock held.
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let regex = match compiled.get(preset.name()) {
            Some(regex) => regex.clone(),
            None => compiled.entry(preset.name()).or_insert(Regex::new(preset.regex())?).clone(),
        };
        let label = Label::new(preset.name(), preset.token(), preset.is_numbered());
        Ok(Self { regex, scope: preset.scope(), label, weight: 0 })
    }

    pub(super) fn own(source: &str, token: &str, numbered: bool) -> Result<Self> {
        let label = Label::new(&format!("`{source}`"), token, numbered);
        let regex = Regex::searching_in(source, CACHE)?;
        let weight = regex.size() + LIGHTEST;
        Ok(Self { regex, scope: ANYWHERE, label, weight })
    }

    /// The matches: the group `v` of each, or the whole match if the regex has no such group. Of the
    /// group `numbers`, each number is a match of its own, so that what replaces a set of numbers
    /// still tells how many ranges it has. Words that the scope spares are no matches.
    ///
    /// The search goes on right after the found value, not after the whole match, so that the text
    /// between two values may belong to the matches of both.
    pub(super) fn spans(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        let (mut at, mut numbers) = (0, 0..0);
        std::iter::from_fn(move || {
            loop {
                if let Some(number) = first_number(text, &mut numbers) {
                    return Some(number);
                }
                if at > text.len() {
                    return None;
                }
                let groups = self.regex.captures_from(text, at)?;
                let set = groups.named("numbers");
                let span = set.clone().or_else(|| groups.named("v")).or_else(|| groups.get(0))?;
                at = span.end.max(at + 1);
                match set {
                    Some(set) => numbers = set,
                    None if span.is_empty() || self.scope.spares(&text[span.clone()]) => {}
                    None => return Some(span),
                }
            }
        })
    }
}

/// Takes the first run of digits out of a part of a text.
fn first_number(text: &[u8], part: &mut Range<usize>) -> Option<Range<usize>> {
    let start = part.start + text[part.clone()].iter().position(u8::is_ascii_digit)?;
    let digits = text[start..part.end].iter().take_while(|byte| byte.is_ascii_digit()).count();
    part.start = start + digits;
    Some(start..part.start)
}
