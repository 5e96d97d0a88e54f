//! Replacements for functions of Rhai that do any amount of work, or take any amount of memory, in
//! one operation. They do the same, but check for each piece of the work whether the script must
//! end.

use rhai::plugin::export_module;
use rhai::{Array, Blob, Dynamic, EvalAltResult, INT, Map, NativeCallContext};

use super::bounds::{PIECE, look, room};
use super::copies::ELEMENT;
use super::raise::{Raised, raise};
use super::unlike;
use crate::error::Error;

/// Whether two values are equal, as `==` decides. Values of types that cannot be compared are not
/// equal.
pub(super) fn equal(ctx: &NativeCallContext<'_>, a: &Dynamic, b: &Dynamic) -> Result<bool, Raised> {
    look(ctx)?;
    if let (Ok(a), Ok(b)) = (a.as_array_ref(), b.as_array_ref()) {
        return equal_lists(ctx, &a, &b);
    }
    if let (Ok(a), Ok(b)) = (a.as_map_ref(), b.as_map_ref()) {
        return equal_maps(ctx, &a, &b);
    }
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return Ok(a == b);
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return Ok(a.as_str() == b.as_str());
    }
    if let Some(why) = unlike::confused(a, b) {
        return Err(raise(ctx, Error::usage(why)));
    }
    let is_same_type = a.type_id() == b.type_id();
    let (mut a, mut b) = (a.clone(), b.clone());
    match ctx.call_native_fn_raw("==", true, &mut [&mut a, &mut b]) {
        Ok(equal) => Ok(equal.as_bool().unwrap_or(false)),
        Err(error) => match *error {
            EvalAltResult::ErrorFunctionNotFound(..) if !is_same_type => Ok(false),
            _ => Err(error),
        },
    }
}

/// Whether a text comes after another, byte by byte.
pub(super) fn is_greater(ctx: &NativeCallContext<'_>, a: &str, b: &str) -> Result<bool, Raised> {
    let pieces = a.as_bytes().chunks(PIECE).zip(b.as_bytes().chunks(PIECE));
    for (of_a, of_b) in pieces {
        if of_a != of_b {
            return Ok(of_a > of_b);
        }
        look(ctx)?;
    }
    Ok(a.len() > b.len())
}

fn equal_lists(ctx: &NativeCallContext<'_>, a: &Array, b: &Array) -> Result<bool, Raised> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b) {
        if !equal(ctx, a, b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(ctx: &NativeCallContext<'_>, a: &Map, b: &Map) -> Result<bool, Raised> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, a) in a {
        let Some(b) = b.get(key) else { return Ok(false) };
        if !equal(ctx, a, b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the index of the first element, from `start` on, that is equal to the value.
fn position(
    ctx: &NativeCallContext<'_>,
    list: &Array,
    value: &Dynamic,
    start: usize,
) -> Result<Option<usize>, Raised> {
    for (place, element) in list.iter().enumerate().skip(start) {
        if equal(ctx, element, value)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The place in a list of this length from which on to look. Below 0, it counts from the end.
pub(super) fn start_in(length: usize, start: INT) -> usize {
    let back = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
    if start < 0 { length.saturating_sub(back) } else { back }
}

/// The place of an element as scripts have it; -1 if there is none.
pub(super) fn index(place: Option<usize>) -> INT {
    place.and_then(|place| INT::try_from(place).ok()).unwrap_or(-1)
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
    #[rhai_fn(name = "==", return_raw, pure)]
    pub fn lists_equal(
        ctx: NativeCallContext,
        array1: &mut Array,
        array2: Array,
    ) -> Result<bool, Raised> {
        equal_lists(&ctx, array1, &array2)
    }

    #[rhai_fn(name = "!=", return_raw, pure)]
    pub fn lists_differ(
        ctx: NativeCallContext,
        array1: &mut Array,
        array2: Array,
    ) -> Result<bool, Raised> {
        equal_lists(&ctx, array1, &array2).map(|equal| !equal)
    }

    #[rhai_fn(name = "==", return_raw, pure)]
    pub fn maps_equal(ctx: NativeCallContext, map1: &mut Map, map2: Map) -> Result<bool, Raised> {
        equal_maps(&ctx, map1, &map2)
    }

    #[rhai_fn(name = "!=", return_raw, pure)]
    pub fn maps_differ(ctx: NativeCallContext, map1: &mut Map, map2: Map) -> Result<bool, Raised> {
        equal_maps(&ctx, map1, &map2).map(|equal| !equal)
    }

    #[rhai_fn(return_raw, pure)]
    pub fn contains(
        ctx: NativeCallContext,
        array: &mut Array,
        value: Dynamic,
    ) -> Result<bool, Raised> {
        position(&ctx, array, &value, 0).map(|place| place.is_some())
    }

    #[rhai_fn(return_raw, pure)]
    pub fn index_of(
        ctx: NativeCallContext,
        array: &mut Array,
        value: Dynamic,
    ) -> Result<INT, Raised> {
        position(&ctx, array, &value, 0).map(index)
    }

    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_from(
        ctx: NativeCallContext,
        array: &mut Array,
        value: Dynamic,
        start: INT,
    ) -> Result<INT, Raised> {
        position(&ctx, array, &value, start_in(array.len(), start)).map(index)
    }

    #[rhai_fn(return_raw)]
    pub fn dedup(ctx: NativeCallContext, array: &mut Array) -> Result<(), Raised> {
        let mut kept = Array::new();
        for element in array.iter() {
            let is_same = match kept.last() {
                Some(before) => equal(&ctx, before, element)?,
                None => false,
            };
            if !is_same {
                kept.push(element.clone());
            }
        }
        *array = kept;
        Ok(())
    }

    #[rhai_fn(return_raw)]
    pub fn pad(
        ctx: NativeCallContext,
        array: &mut Array,
        len: INT,
        item: Dynamic,
    ) -> Result<(), Raised> {
        let len = usize::try_from(len).unwrap_or(0);
        room(&ctx, len.saturating_sub(array.len()).saturating_mul(ELEMENT))?;
        while array.len() < len {
            look(&ctx)?;
            array.push(item.clone());
        }
        Ok(())
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn concat(ctx: NativeCallContext, array1: Array, array2: Array) -> Result<Array, Raised> {
        room(&ctx, (array1.len() + array2.len()) * ELEMENT)?;
        let mut both = array1;
        both.extend(array2);
        Ok(both)
    }

    #[rhai_fn(return_raw, pure)]
    pub fn to_array(ctx: NativeCallContext, blob: &mut Blob) -> Result<Array, Raised> {
        room(&ctx, blob.len() * ELEMENT)?;
        Ok(blob.iter().map(|byte| INT::from(*byte).into()).collect())
    }

    #[rhai_fn(return_raw)]
    pub fn to_chars(ctx: NativeCallContext, string: &str) -> Result<Array, Raised> {
        room(&ctx, string.len() * ELEMENT)?;
        Ok(string.chars().map(Into::into).collect())
    }

    #[rhai_fn(return_raw)]
    pub fn parse_json(ctx: NativeCallContext, json: &str) -> Result<Dynamic, Raised> {
        // In the worst case, two bytes of text (`{}`) make an empty map, which takes the memory of
        // three elements.
        room(&ctx, json.len() * ELEMENT * 3 / 2)?;
        serde_json::from_str(json).map_err(|wrong| wrong.to_string().into())
    }
}
