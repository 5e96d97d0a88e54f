//! Replacements for functions of Rhai that search a text or split it into a list. They do the same,
//! but in pieces: between two of them, the script can be stopped, and the list that is made so far
//! is held against the memory limit.

use memchr::memmem;
use rhai::plugin::export_module;
use rhai::{Array, INT, ImmutableString, NativeCallContext};

use super::aside::aside;
use super::bounds::{PIECE, look, room};
use super::lists::{list, push_text, texts};
use super::raise::Raised;
use super::texts::place;

/// A text that is searched for.
struct Sought<'a> {
    text: &'a ImmutableString,
    first: memmem::Finder<'a>,
    last: memmem::FinderRev<'a>,
}

impl<'a> Sought<'a> {
    fn new(text: &'a ImmutableString) -> Self {
        // To prepare the search for a long text takes time, too.
        let short = if text.len() > PIECE { "" } else { text };
        Self { text, first: memmem::Finder::new(short), last: memmem::FinderRev::new(short) }
    }

    /// Finds the text in another, from `start` on.
    fn first(
        &self,
        ctx: &NativeCallContext<'_>,
        text: &ImmutableString,
        mut start: usize,
    ) -> Result<Option<usize>, Raised> {
        if self.text.len() > PIECE {
            let (text, sought) = (text.clone(), self.text.clone());
            return aside(ctx, text.len(), move || {
                let place = memmem::find(&text.as_bytes()[start..], sought.as_bytes());
                place.map(|place| start + place)
            });
        }
        loop {
            let end = text.len().min(start + PIECE + self.text.len());
            if let Some(place) = self.first.find(&text.as_bytes()[start..end]) {
                return Ok(Some(start + place));
            }
            if end == text.len() {
                return Ok(None);
            }
            look(ctx)?;
            start += PIECE;
        }
    }

    /// Finds the last place of the text in another, before `end`.
    fn last(
        &self,
        ctx: &NativeCallContext<'_>,
        text: &ImmutableString,
        mut end: usize,
    ) -> Result<Option<usize>, Raised> {
        if self.text.len() > PIECE {
            let (text, sought) = (text.clone(), self.text.clone());
            return aside(ctx, text.len(), move || {
                memmem::rfind(&text.as_bytes()[..end], sought.as_bytes())
            });
        }
        loop {
            let start = end.saturating_sub(PIECE + self.text.len());
            if let Some(place) = self.last.rfind(&text.as_bytes()[start..end]) {
                return Ok(Some(start + place));
            }
            if start == 0 {
                return Ok(None);
            }
            look(ctx)?;
            end -= PIECE;
        }
    }
}

/// Returns the index of the first character of what is found from `start` on.
fn index(
    ctx: &NativeCallContext<'_>,
    text: &ImmutableString,
    found: &ImmutableString,
    start: INT,
) -> Result<INT, Raised> {
    let from = place(text, start);
    let at = match found.is_empty() {
        // At the end of a text, nothing is found, not even an empty text.
        _ if from == text.len() => None,
        true => Some(from),
        false => Sought::new(found).first(ctx, text, from)?,
    };
    let before = at.map(|at| text[..at].chars().count());
    Ok(before.and_then(|before| INT::try_from(before).ok()).unwrap_or(-1))
}

/// Makes a list of at most so many pieces of a text, with the delimiter between them.
fn pieces(
    ctx: &NativeCallContext<'_>,
    text: &ImmutableString,
    delimiter: &ImmutableString,
    most: usize,
) -> Result<Array, Raised> {
    if text.is_empty() {
        return Ok(vec![text.into()]);
    }
    if delimiter.is_empty() {
        return texts(ctx, text.splitn(most, ""));
    }
    let (sought, mut all, mut start) = (Sought::new(delimiter), Array::new(), 0);
    while all.len() + 1 < most
        && let Some(end) = sought.first(ctx, text, start)?
    {
        push_text(ctx, &mut all, &text[start..end])?;
        start = end + delimiter.len();
    }
    push_text(ctx, &mut all, &text[start..])?;
    Ok(all)
}

/// Does the same from the end of the text.
fn pieces_from_end(
    ctx: &NativeCallContext<'_>,
    text: &ImmutableString,
    delimiter: &ImmutableString,
    most: usize,
) -> Result<Array, Raised> {
    if text.is_empty() {
        return Ok(vec![text.into()]);
    }
    if delimiter.is_empty() {
        return texts(ctx, text.rsplitn(most, ""));
    }
    let (sought, mut all, mut end) = (Sought::new(delimiter), Array::new(), text.len());
    while all.len() + 1 < most
        && let Some(start) = sought.last(ctx, text, end)?
    {
        push_text(ctx, &mut all, &text[start + delimiter.len()..end])?;
        end = start;
    }
    push_text(ctx, &mut all, &text[..end])?;
    Ok(all)
}

/// Makes a list of the words of a text, which whitespace separates.
fn split_at_blanks(ctx: &NativeCallContext<'_>, text: &str) -> Result<Array, Raised> {
    let (mut all, mut word, mut next) = (Array::new(), None, PIECE);
    for (place, character) in text.char_indices() {
        if place >= next {
            look(ctx)?;
            next = place + PIECE;
        }
        match word {
            None if !character.is_whitespace() => word = Some(place),
            Some(start) if character.is_whitespace() => {
                push_text(ctx, &mut all, &text[start..place])?;
                word = None;
            }
            _ => {}
        }
    }
    word.map_or(Ok(()), |start| push_text(ctx, &mut all, &text[start..]))?;
    Ok(all)
}

/// Converts the number of pieces that a script asked for; at least one.
fn count(pieces: INT) -> usize {
    usize::try_from(pieces).unwrap_or(0).max(1)
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "the macro writes code of its own beside these"
)]
pub(super) mod words {
    #[rhai_fn(return_raw, pure)]
    pub fn index_of(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_string: ImmutableString,
    ) -> Result<INT, Raised> {
        index(&ctx, string, &find_string, 0)
    }

    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_from(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_string: ImmutableString,
        start: INT,
    ) -> Result<INT, Raised> {
        index(&ctx, string, &find_string, start)
    }

    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_character(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        character: char,
    ) -> Result<INT, Raised> {
        index(&ctx, string, &character.to_string().into(), 0)
    }

    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_character_from(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        character: char,
        start: INT,
    ) -> Result<INT, Raised> {
        index(&ctx, string, &character.to_string().into(), start)
    }

    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split_blanks(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
    ) -> Result<Array, Raised> {
        if string.is_empty() { list(&ctx, [&*string]) } else { split_at_blanks(&ctx, string) }
    }

    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split_at(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        index: INT,
    ) -> Result<Array, Raised> {
        let at = if index == 0 { string.len() } else { place(string, index) };
        let (before, after) = string.split_at(at);
        room(&ctx, string.len())?;
        list(&ctx, [before, after])
    }

    #[rhai_fn(return_raw, pure)]
    pub fn split(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: ImmutableString,
    ) -> Result<Array, Raised> {
        pieces(&ctx, string, &delimiter, usize::MAX)
    }

    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split_most(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: ImmutableString,
        segments: INT,
    ) -> Result<Array, Raised> {
        pieces(&ctx, string, &delimiter, count(segments))
    }

    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split_character(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: char,
    ) -> Result<Array, Raised> {
        pieces(&ctx, string, &delimiter.to_string().into(), usize::MAX)
    }

    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split_character_most(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: char,
        segments: INT,
    ) -> Result<Array, Raised> {
        pieces(&ctx, string, &delimiter.to_string().into(), count(segments))
    }

    #[rhai_fn(return_raw, pure)]
    pub fn split_rev(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: ImmutableString,
    ) -> Result<Array, Raised> {
        pieces_from_end(&ctx, string, &delimiter, usize::MAX)
    }

    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn split_rev_most(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: ImmutableString,
        segments: INT,
    ) -> Result<Array, Raised> {
        pieces_from_end(&ctx, string, &delimiter, count(segments))
    }

    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn split_rev_character(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: char,
    ) -> Result<Array, Raised> {
        pieces_from_end(&ctx, string, &delimiter.to_string().into(), usize::MAX)
    }

    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn split_rev_character_most(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        delimiter: char,
        segments: INT,
    ) -> Result<Array, Raised> {
        pieces_from_end(&ctx, string, &delimiter.to_string().into(), count(segments))
    }
}
