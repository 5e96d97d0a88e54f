//! How a stream is searched for a pattern.

use memchr::memmem;

use super::regex::{self, StreamRegex};
use super::{Kind, Pattern};
use crate::error::Result;

/// The size in bytes of the regex that matches a reply code, or more.
const CODE: usize = 64;

/// How a stream is searched for a pattern.
#[derive(Clone, Debug)]
pub(crate) enum Finder {
    Literal(Box<memmem::Finder<'static>>),
    Regex(StreamRegex),
    /// The pattern matches only the end of the stream, so there is nothing to search for.
    Nothing,
}

impl Pattern {
    pub(super) fn finder(&self) -> Result<&Finder> {
        if let Some(finder) = self.stream.get() {
            return Ok(finder);
        }
        let finder = self.build_finder()?;
        Ok(self.stream.get_or_init(|| finder))
    }

    fn build_finder(&self) -> Result<Finder> {
        let mut sources = Vec::new();
        match &self.kind {
            Kind::Literal(bytes) => {
                return Ok(Finder::Literal(Box::new(memmem::Finder::new(bytes).into_owned())));
            }
            Kind::Regex(regex) => return regex.stream().map(Finder::Regex),
            Kind::Any(patterns) => {
                regex::check_length(self.length())?;
                patterns
                    .iter()
                    .enumerate()
                    .for_each(|(index, pattern)| pattern.push_sources(index, &mut sources));
            }
            Kind::Code(_) | Kind::Eof => self.push_sources(0, &mut sources),
        }
        if sources.is_empty() {
            return Ok(Finder::Nothing);
        }
        StreamRegex::new(&sources).map(Finder::Regex)
    }

    /// How long the pattern is as regexes, in about bytes.
    fn length(&self) -> usize {
        match &self.kind {
            Kind::Literal(bytes) => bytes.len(),
            Kind::Code(_) => CODE,
            Kind::Regex(regex) => regex.source().len(),
            Kind::Any(patterns) => patterns.iter().map(Self::length).fold(0, usize::saturating_add),
            Kind::Eof => 0,
        }
    }

    /// Adds the pattern as regexes, each with the place of the alternative that it belongs to.
    fn push_sources(&self, index: usize, sources: &mut Vec<(usize, String)>) {
        match &self.kind {
            Kind::Literal(bytes) => sources.push((index, regex::escape(bytes))),
            Kind::Code(code) => sources.push((index, code.to_regex())),
            Kind::Regex(regex) => sources.push((index, regex.source().to_owned())),
            Kind::Any(patterns) => {
                for pattern in patterns {
                    pattern.push_sources(index, sources);
                }
            }
            Kind::Eof => {}
        }
    }
}
