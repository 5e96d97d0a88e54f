//! Replacements for functions of Rhai that read texts and blobs. Rhai's own functions make a list
//! of all characters, which takes four to eight times the memory of the text, or a text of any
//! length. These do the same in place, and check the length and the memory limit.

use std::any::TypeId;
use std::io;
use std::ops::{Range, RangeInclusive};

use rhai::plugin::export_module;
use rhai::{Blob, Dynamic, INT, ImmutableString, Map, Module, NativeCallContext};
use serde::Serializer as _;

use super::bounds::{fits, fits_as_string, look, room};
use super::plain;
use super::raise::{Raised, raise};

/// The characters of a text, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Characters {
    text: ImmutableString,
    at: usize,
    end: usize,
}

impl Characters {
    fn of(text: ImmutableString, start: INT, len: INT) -> Self {
        let part = part(&text, start, len);
        let at = part.as_ptr().addr() - text.as_ptr().addr();
        let end = at + part.len();
        Self { text, at, end }
    }
}

impl Iterator for Characters {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let character = self.text[self.at..self.end].chars().next()?;
        self.at += character.len_utf8();
        Some(character)
    }
}

/// Makes a module understand how to iterate over texts.
pub(super) fn iterate(module: &mut Module) {
    module.set_iterator::<Characters>();
    module.set_iter(TypeId::of::<ImmutableString>(), |text| {
        Box::new(Characters::of(text.cast(), 0, INT::MAX).map(Dynamic::from))
    });
}

/// Returns the place of a character in a text, in bytes. A negative index counts from the end.
pub(super) fn place(text: &str, index: INT) -> usize {
    let count = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    let index = if index < 0 { text.chars().count().saturating_sub(count) } else { count };
    let mut characters = text.chars();
    // `nth` passes over many characters at once, which `char_indices` does not.
    index.checked_sub(1).and_then(|before| characters.nth(before));
    text.len() - characters.as_str().len()
}

/// Returns so many characters of a text.
fn part(text: &str, start: INT, len: INT) -> &str {
    let rest = &text[place(text, start)..];
    &rest[..place(rest, len.max(0))]
}

/// Converts a range of a script into its first index and its length.
fn of_range(start: INT, end: INT) -> (INT, INT) {
    let start = start.max(0);
    (start, end.max(start) - start)
}

/// Does the same with a range that includes its end, and has at least one character in Rhai.
fn of_inclusive_range(range: &RangeInclusive<INT>) -> (INT, INT) {
    let start = (*range.start()).max(0);
    of_range(start, (*range.end()).max(start).saturating_add(1))
}

/// Reads bytes as text. Bytes that are not UTF-8 become U+FFFD.
///
/// # Errors
/// An error if the text would be too long; the end of the script, if it would hold more than its
/// limit.
pub(super) fn decoded(
    ctx: &NativeCallContext<'_>,
    bytes: &[u8],
) -> Result<ImmutableString, Raised> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        fits(ctx, text.len())?;
        return Ok(text.into());
    }
    let replaced = char::REPLACEMENT_CHARACTER.len_utf8();
    let length = bytes
        .utf8_chunks()
        .map(|chunk| chunk.valid().len() + if chunk.invalid().is_empty() { 0 } else { replaced });
    fits_as_string(ctx, length.sum())?;
    Ok(String::from_utf8_lossy(bytes).as_ref().into())
}

fn copied(
    ctx: &NativeCallContext<'_>,
    text: &str,
    (start, len): (INT, INT),
) -> Result<ImmutableString, Raised> {
    let part = part(text, start, len);
    fits(ctx, part.len())?;
    Ok(part.into())
}

fn cropped(
    ctx: &NativeCallContext<'_>,
    text: &mut ImmutableString,
    range: (INT, INT),
) -> Result<(), Raised> {
    *text = copied(ctx, text, range)?;
    Ok(())
}

/// A text that is written as long as there is room for it.
struct Writer<'a> {
    ctx: &'a NativeCallContext<'a>,
    bytes: Vec<u8>,
    ended: Option<Raised>,
}

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let whole = self.bytes.len() + bytes.len();
        let is_grown = whole > self.bytes.capacity();
        let fits = if is_grown { fits(self.ctx, whole) } else { Ok(()) };
        if let Err(ended) = fits.and_then(|()| look(self.ctx)) {
            self.ended = Some(ended);
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the type of a value within this one that JSON does not have, such as a session. Rhai
/// writes the name of the Rust type in its place.
fn own_in(value: &Dynamic) -> Option<&'static str> {
    if let Ok(list) = value.as_array_ref() {
        return list.iter().find_map(own_in);
    }
    if let Ok(map) = value.as_map_ref() {
        return map.values().find_map(own_in);
    }
    let name = value.type_name();
    name.contains("::").then_some(name)
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
    #[rhai_fn(name = "sub_string", return_raw)]
    pub fn sub_string_range(
        ctx: NativeCallContext,
        string: &str,
        range: Range<INT>,
    ) -> Result<ImmutableString, Raised> {
        copied(&ctx, string, of_range(range.start, range.end))
    }

    #[rhai_fn(name = "sub_string", return_raw)]
    pub fn sub_string_inclusive_range(
        ctx: NativeCallContext,
        string: &str,
        range: RangeInclusive<INT>,
    ) -> Result<ImmutableString, Raised> {
        copied(&ctx, string, of_inclusive_range(&range))
    }

    #[rhai_fn(return_raw)]
    pub fn sub_string(
        ctx: NativeCallContext,
        string: &str,
        start: INT,
        len: INT,
    ) -> Result<ImmutableString, Raised> {
        copied(&ctx, string, (start, len))
    }

    #[rhai_fn(name = "sub_string", return_raw)]
    pub fn sub_string_from(
        ctx: NativeCallContext,
        string: &str,
        start: INT,
    ) -> Result<ImmutableString, Raised> {
        copied(&ctx, string, (start, INT::MAX))
    }

    #[rhai_fn(name = "crop", return_raw)]
    pub fn crop_range(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        range: Range<INT>,
    ) -> Result<(), Raised> {
        cropped(&ctx, string, of_range(range.start, range.end))
    }

    #[rhai_fn(name = "crop", return_raw)]
    pub fn crop_inclusive_range(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        range: RangeInclusive<INT>,
    ) -> Result<(), Raised> {
        cropped(&ctx, string, of_inclusive_range(&range))
    }

    #[rhai_fn(return_raw)]
    pub fn crop(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        start: INT,
        len: INT,
    ) -> Result<(), Raised> {
        cropped(&ctx, string, (start, len))
    }

    #[rhai_fn(name = "crop", return_raw)]
    pub fn crop_from(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        start: INT,
    ) -> Result<(), Raised> {
        cropped(&ctx, string, (start, INT::MAX))
    }

    #[rhai_fn(name = "pop", return_raw)]
    pub fn pop_characters(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        len: INT,
    ) -> Result<ImmutableString, Raised> {
        let at = if len > 0 { place(string, -len) } else { string.len() };
        // A text that another variable shares is copied before it is changed.
        room(&ctx, string.len())?;
        let end = string[at..].into();
        string.make_mut().truncate(at);
        Ok(end)
    }

    pub fn chars(string: ImmutableString) -> Characters {
        Characters::of(string, 0, INT::MAX)
    }

    #[rhai_fn(get = "chars", pure)]
    pub fn get_chars(string: &mut ImmutableString) -> Characters {
        Characters::of(string.clone(), 0, INT::MAX)
    }

    #[rhai_fn(name = "chars")]
    pub fn chars_from(string: ImmutableString, start: INT) -> Characters {
        Characters::of(string, start, INT::MAX)
    }

    #[rhai_fn(name = "chars")]
    pub fn chars_from_to(string: ImmutableString, start: INT, len: INT) -> Characters {
        Characters::of(string, start, len)
    }

    #[rhai_fn(name = "chars")]
    pub fn chars_range(string: ImmutableString, range: Range<INT>) -> Characters {
        let (start, len) = of_range(range.start, range.end);
        Characters::of(string, start, len)
    }

    #[rhai_fn(name = "chars")]
    pub fn chars_inclusive_range(
        string: ImmutableString,
        range: RangeInclusive<INT>,
    ) -> Characters {
        let (start, len) = of_range(*range.start(), range.end().saturating_add(1));
        Characters::of(string, start, len)
    }

    #[rhai_fn(return_raw, pure)]
    pub fn as_string(ctx: NativeCallContext, blob: &mut Blob) -> Result<ImmutableString, Raised> {
        decoded(&ctx, blob)
    }

    #[rhai_fn(return_raw, pure)]
    pub fn to_json(ctx: NativeCallContext, map: &mut Map) -> Result<ImmutableString, Raised> {
        if let Some(value) = map.values().find_map(own_in) {
            return Err(raise(&ctx, plain::not_plain(value)));
        }
        let mut writer = Writer { ctx: &ctx, bytes: Vec::new(), ended: None };
        let pairs = map.iter().map(|(name, value)| (name.as_str(), value));
        let written = serde_json::Serializer::new(&mut writer).collect_map(pairs);
        if let Some(ended) = writer.ended {
            return Err(ended);
        }
        // Rhai returns this text for a value that JSON does not have.
        let text = written.ok().and_then(|()| std::str::from_utf8(&writer.bytes).ok());
        let text = text.unwrap_or("ERROR");
        fits(&ctx, text.len())?;
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use rhai::Engine;

    use super::super::engine::Standard;
    use super::*;

    const TEXTS: [&str; 4] = ["\"\"", "\"a\"", "\"grüße, \u{1f600}!\"", "\"e\\u0301\\t'\\\"\""];

    /// Makes sure that these calls return what Rhai's own functions return.
    fn assert_same(calls: &[String]) {
        use rhai::packages::{Package as _, StandardPackage};
        let (mut own, mut theirs) = (Engine::new_raw(), Engine::new_raw());
        own.register_global_module(Standard::new().as_shared_module());
        theirs.register_global_module(StandardPackage::new().as_shared_module());
        for call in calls {
            let [own, theirs] = [&own, &theirs].map(|engine| engine.eval::<Dynamic>(call));
            assert_eq!(format!("{own:?}"), format!("{theirs:?}"), "{call}");
        }
    }

    #[test]
    fn the_functions_return_what_those_of_rhai_return() {
        let mut calls = Vec::new();
        for text in TEXTS {
            for at in -9..9 {
                for len in [-1, 0, 1, 3, 20, INT::MAX] {
                    calls.push(format!("{text}.sub_string({at}, {len})"));
                    calls.push(format!("let s = {text}; s.crop({at}, {len}); s"));
                    calls.push(format!(
                        "let l = []; for c in {text}.chars({at}, {len}) {{ l += c }} l"
                    ));
                    for range in ["..", "..="] {
                        calls.push(format!("{text}.sub_string({at}{range}{len})"));
                        calls.push(format!("let s = {text}; s.crop({at}{range}{len}); s"));
                        let chars = format!("{text}.chars({at}{range}{len})");
                        calls.push(format!("let l = []; for c in {chars} {{ l += c }} l"));
                    }
                }
                calls.push(format!("{text}.sub_string({at})"));
                calls.push(format!("let s = {text}; s.crop({at}); s"));
                calls.push(format!("let s = {text}; [s.pop({at}), s]"));
                calls.push(format!("{text}.index_of('e', {at})"));
                calls.push(format!("{text}.index_of(\"ße\", {at})"));
                calls.push(format!("{text}.index_of(\"\", {at})"));
            }
            calls.push(format!("let l = []; for c in {text} {{ l += c }} l"));
            calls.push(format!("let l = []; for c in {text}.chars() {{ l += c }} l"));
            calls.push(format!("{text}.to_debug()"));
            calls.push(format!("#{{a: [{text}, 1, (), true], b: blob(2, 7)}}.to_json()"));
        }
        for len in [0, 1, 8, 9, 20] {
            calls.push(format!("let b = blob({len}, 0xe2); [b.to_string(), b.as_string()]"));
        }
        assert_same(&calls);
    }

    #[test]
    fn texts_are_split_and_changed_as_in_rhai() {
        let mut calls = Vec::new();
        for text in TEXTS {
            for at in -9..9 {
                calls.push(format!("{text}.split({at})"));
                for split in ["split(\"e\"", "split('e'", "split_rev(\"e\"", "split_rev('e'"] {
                    calls.push(format!("{text}.{split}, {at})"));
                }
                for change in ["pad(AT, \"ab\")", "pad(AT,'ü')", "truncate(AT)", "set(AT, 'ß')"] {
                    let call = format!("let s = {text}; s.{change}; s");
                    calls.push(call.replace("AT", &at.to_string()));
                }
            }
            let all = "split()|split(\"\")|split(\" \")|split('e')|split_rev(\"ß\")|\
                split_rev('e')|split_rev(\"\", 2)|index_of('ß')|index_of(\"ße\")|\
                index_of(\"\")|to_upper()|to_lower()";
            for call in all.split('|') {
                calls.push(format!("{text}.{call}"));
            }
            let all = "make_upper()|make_lower()|trim()|remove(\"e\")|remove('ü')|\
                remove(\"\")|replace(\"e\", \"eee\")|replace(\"\", \"-\")|\
                replace('e', \"\")|replace(\"ß\", 's')|replace('e', 'ü')";
            for change in all.split('|') {
                calls.push(format!("let s = \" \" + {text} + \"\t\"; s.{change}; s"));
                calls.push(format!("let s = {text}; s.{change}; s"));
            }
        }
        assert_same(&calls);
    }
}
