//! Replacements for functions of Rhai that make a text or a blob of any length in one operation.
//! They do the same, but first check the length and the memory limit.

use rhai::plugin::export_module;
use rhai::{Blob, INT, ImmutableString, NativeCallContext};

use super::bounds::{fits, fits_as_string};
use super::raise::Raised;

/// Converts a length that a script gave; a negative length is 0.
fn length(len: INT) -> usize {
    usize::try_from(len).unwrap_or(0)
}

/// Returns the lowest eight bits, as Rhai does.
fn byte(value: INT) -> u8 {
    (value & 0xff).to_le_bytes()[0]
}

/// Replaces each occurrence of a text.
fn replaced(
    ctx: &NativeCallContext<'_>,
    text: &str,
    find: &str,
    by: &str,
) -> Result<ImmutableString, Raised> {
    let count = if find.is_empty() { text.len() + 1 } else { text.matches(find).count() };
    fits_as_string(ctx, text.len().saturating_add(count.saturating_mul(by.len())))?;
    Ok(text.replace(find, by).into())
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
    let times = missing.div_ceil(characters);
    fits(ctx, times.saturating_mul(padding.len()).saturating_add(text.len()))?;
    let last: usize = match missing % characters {
        0 => padding.len(),
        some => padding.chars().take(some).map(char::len_utf8).sum(),
    };
    let text = text.make_mut();
    (1..times).for_each(|_| text.push_str(padding));
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

    #[rhai_fn(return_raw)]
    pub fn replace(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_string: &str,
        substitute_string: &str,
    ) -> Result<(), Raised> {
        *string = replaced(&ctx, string, find_string, substitute_string)?;
        Ok(())
    }

    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_by_character(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_string: &str,
        substitute_character: char,
    ) -> Result<(), Raised> {
        let by = &mut [0; 4];
        *string = replaced(&ctx, string, find_string, substitute_character.encode_utf8(by))?;
        Ok(())
    }

    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_character(
        ctx: NativeCallContext,
        string: &mut ImmutableString,
        find_character: char,
        substitute_string: &str,
    ) -> Result<(), Raised> {
        let find = &mut [0; 4];
        *string = replaced(&ctx, string, find_character.encode_utf8(find), substitute_string)?;
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
