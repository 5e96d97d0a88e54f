//! Replacements for functions of Rhai that make another text of a text, or a text or a blob of any
//! length. They do the same, but first check the length and the memory limit, and a script can be
//! stopped while a long text is made.

use rhai::plugin::export_module;
use rhai::{Blob, INT, ImmutableString, NativeCallContext};

use super::aside::aside_with;
use super::bounds::{PIECE, fits, fits_as_string, look};
use super::raise::Raised;
use super::texts::place;

/// Converts a length that a script gave; a negative length is 0.
fn length(len: INT) -> usize {
    usize::try_from(len).unwrap_or(0)
}

/// Returns the lowest eight bits, as Rhai does.
fn byte(value: INT) -> u8 {
    (value & 0xff).to_le_bytes()[0]
}

/// Makes another text of a text, after a function has told its length.
fn made(
    ctx: &NativeCallContext<'_>,
    text: &ImmutableString,
    length: impl FnOnce(&str) -> usize + Send + 'static,
    make: impl FnOnce(&str) -> String + Send + 'static,
) -> Result<ImmutableString, Raised> {
    fits_as_string(ctx, aside_with(ctx, text, length)?)?;
    aside_with(ctx, text, |text| make(text).into())
}

/// Replaces each occurrence of a text.
///
/// # Errors
/// The end of the script, if it must end; an error if the result would be too long.
pub(super) fn replaced(
    ctx: &NativeCallContext<'_>,
    text: &ImmutableString,
    find: ImmutableString,
    by: ImmutableString,
) -> Result<ImmutableString, Raised> {
    if text.is_empty() {
        return Ok(text.clone());
    }
    let (found, put) = (find.clone(), by.len());
    let length = move |text: &str| {
        let count = text.matches(found.as_str()).count();
        (text.len() - count * found.len()).saturating_add(count.saturating_mul(put))
    };
    made(ctx, text, length, move |text| text.replace(find.as_str(), &by))
}

fn removed(
    ctx: &NativeCallContext<'_>,
    text: &ImmutableString,
    find: ImmutableString,
) -> Result<ImmutableString, Raised> {
    if find.is_empty() {
        return Ok(text.clone());
    }
    replaced(ctx, text, find, ImmutableString::new())
}

fn upper(ctx: &NativeCallContext<'_>, text: &ImmutableString) -> Result<ImmutableString, Raised> {
    let length = |text: &str| text.chars().flat_map(char::to_uppercase).map(char::len_utf8).sum();
    made(ctx, text, length, str::to_uppercase)
}

fn lower(ctx: &NativeCallContext<'_>, text: &ImmutableString) -> Result<ImmutableString, Raised> {
    let length = |text: &str| text.chars().flat_map(char::to_lowercase).map(char::len_utf8).sum();
    made(ctx, text, length, str::to_lowercase)
}

/// Appends the padding until the text has `len` characters. The last copy of the padding may be
/// cut.
fn padded(
    ctx: &NativeCallContext<'_>,
    text: &mut ImmutableString,
    len: INT,
    padding: &str,
) -> Result<(), Raised> {
    let missing = length(len).saturating_sub(text.chars().count());
    if missing == 0 || padding.is_empty() {
        return Ok(());
    }
    let characters = padding.chars().count();
    let (mut times, rest) = (missing / characters, missing % characters);
    let last: usize = padding.chars().take(rest).map(char::len_utf8).sum();
    fits(ctx, times.saturating_mul(padding.len()).saturating_add(last + text.len()))?;
    let in_piece = (PIECE / padding.len()).clamp(1, times.max(1));
    let piece = padding.repeat(in_piece);
    let text = text.make_mut();
    while times > 0 {
        look(ctx)?;
        let some = in_piece.min(times);
        text.push_str(&piece[..some * padding.len()]);
        times -= some;
    }
    text.push_str(&padding[..last]);
    Ok(())
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
    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_character(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        len: INT,
        character: char,
    ) -> Result<(), Raised> {
        padded(&ctx, string, len, character.encode_utf8(&mut [0; 4]))
    }

    #[rhai_fn(return_raw)]
    pub fn pad(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        len: INT,
        padding: &str,
    ) -> Result<(), Raised> {
        padded(&ctx, string, len, padding)
    }

    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_by_character(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_string: ImmutableString,
        substitute_character: char,
    ) -> Result<(), Raised> {
        *string = replaced(&ctx, string, find_string, substitute_character.to_string().into())?;
        Ok(())
    }

    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_character(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_character: char,
        substitute_string: ImmutableString,
    ) -> Result<(), Raised> {
        *string = replaced(&ctx, string, find_character.to_string().into(), substitute_string)?;
        Ok(())
    }

    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_character_by_character(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_character: char,
        substitute_character: char,
    ) -> Result<(), Raised> {
        let find = find_character.to_string().into();
        *string = replaced(&ctx, string, find, substitute_character.to_string().into())?;
        Ok(())
    }

    #[rhai_fn(return_raw)]
    pub fn remove(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        sub_string: ImmutableString,
    ) -> Result<(), Raised> {
        *string = removed(&ctx, string, sub_string)?;
        Ok(())
    }

    #[rhai_fn(name = "remove", return_raw)]
    pub fn remove_character(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        character: char,
    ) -> Result<(), Raised> {
        *string = removed(&ctx, string, character.to_string().into())?;
        Ok(())
    }

    #[rhai_fn(return_raw)]
    pub fn to_upper(
        ctx: NativeCallContext,
        string: ImmutableString,
    ) -> Result<ImmutableString, Raised> {
        upper(&ctx, &string)
    }

    #[rhai_fn(return_raw)]
    pub fn make_upper(ctx: NativeCallContext, string: &mut ImmutableString) -> Result<(), Raised> {
        *string = upper(&ctx, string)?;
        Ok(())
    }

    #[rhai_fn(return_raw)]
    pub fn to_lower(
        ctx: NativeCallContext,
        string: ImmutableString,
    ) -> Result<ImmutableString, Raised> {
        lower(&ctx, &string)
    }

    #[rhai_fn(return_raw)]
    pub fn make_lower(ctx: NativeCallContext, string: &mut ImmutableString) -> Result<(), Raised> {
        *string = lower(&ctx, string)?;
        Ok(())
    }

    #[rhai_fn(return_raw)]
    pub fn trim(ctx: NativeCallContext, string: &mut ImmutableString) -> Result<(), Raised> {
        let (start, len) = aside_with(&ctx, string, |text| {
            let rest = text.trim_start();
            (text.len() - rest.len(), rest.trim_end().len())
        })?;
        if len < string.len() {
            fits(&ctx, len)?;
            *string = string[start..start + len].into();
        }
        Ok(())
    }

    #[rhai_fn(return_raw)]
    pub fn truncate(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        len: INT,
    ) -> Result<(), Raised> {
        let end = place(string, len.max(0));
        if end < string.len() {
            fits(&ctx, end)?;
            *string = string[..end].into();
        }
        Ok(())
    }

    #[rhai_fn(return_raw)]
    pub fn set(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        index: INT,
        character: char,
    ) -> Result<(), Raised> {
        let count = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
        let is_before = index < 0 && string.chars().count() < count;
        let (before, rest) = string.split_at(place(string, index));
        let mut rest = rest.chars();
        if !is_before && rest.next().is_some() {
            fits_as_string(&ctx, string.len() + character.len_utf8())?;
            *string = [before, character.encode_utf8(&mut [0; 4]), rest.as_str()].concat().into();
        }
        Ok(())
    }

    #[rhai_fn(name = "blob", return_raw)]
    pub fn blob_of_length(ctx: NativeCallContext, len: INT) -> Result<Blob, Raised> {
        blob(ctx, len, 0)
    }

    #[rhai_fn(return_raw)]
    pub fn blob(ctx: NativeCallContext, len: INT, value: INT) -> Result<Blob, Raised> {
        fits(&ctx, length(len))?;
        Ok(vec![byte(value); length(len)])
    }

    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_blob(
        ctx: NativeCallContext,
        blob: &mut Blob,
        len: INT,
        value: INT,
    ) -> Result<(), Raised> {
        if length(len) > blob.len() {
            fits(&ctx, length(len))?;
            blob.resize(length(len), byte(value));
        }
        Ok(())
    }
}
