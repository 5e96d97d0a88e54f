//! Makes lists of data of which the script does not know how much there is, such as the lines of a
//! reply. An element takes up to thirty times the bytes that it is made of. So all words make such
//! lists here, element by element, and never of a list that the library has made of the same data.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::bounds::{PIECE, look, room};
use super::copies::ELEMENT;
use super::raise::Raised;

/// Makes a list of values, as long as the script may hold more of them.
///
/// # Errors
/// The end of the script, if it must end, or would hold more than its limit.
pub(super) fn list<T: Into<Dynamic>>(
    ctx: &NativeCallContext<'_>,
    values: impl IntoIterator<Item = T>,
) -> Result<Array, Raised> {
    let mut list = Array::new();
    for value in values {
        push(ctx, &mut list, value)?;
    }
    Ok(list)
}

/// Appends a value to a list.
///
/// # Errors
/// As for [`list`].
pub(super) fn push(
    ctx: &NativeCallContext<'_>,
    list: &mut Array,
    value: impl Into<Dynamic>,
) -> Result<(), Raised> {
    look(ctx)?;
    if list.len() == list.capacity() {
        // A list that is full grows to twice its size.
        room(ctx, list.len() * ELEMENT)?;
    }
    list.push(value.into());
    Ok(())
}

/// Appends a text to a list.
///
/// # Errors
/// As for [`list`].
pub(super) fn push_text(
    ctx: &NativeCallContext<'_>,
    list: &mut Array,
    text: &str,
) -> Result<(), Raised> {
    if text.len() > PIECE {
        room(ctx, text.len())?;
    }
    push(ctx, list, text)
}

/// Makes a map of texts, as long as the script may hold more of them.
///
/// # Errors
/// As for [`list`].
pub(super) fn named_texts<T: AsRef<str>>(
    ctx: &NativeCallContext<'_>,
    texts: impl IntoIterator<Item = (String, T)>,
) -> Result<Map, Raised> {
    let mut map = Map::new();
    for (name, text) in texts {
        look(ctx)?;
        if text.as_ref().len() > PIECE {
            room(ctx, text.as_ref().len())?;
        }
        map.insert(name.into(), text.as_ref().into());
    }
    Ok(map)
}

/// Makes a list of texts, as [`list`] does.
///
/// # Errors
/// As for [`list`].
pub(super) fn texts<T: AsRef<str>>(
    ctx: &NativeCallContext<'_>,
    texts: impl IntoIterator<Item = T>,
) -> Result<Array, Raised> {
    let mut list = Array::new();
    for text in texts {
        push_text(ctx, &mut list, text.as_ref())?;
    }
    Ok(list)
}
