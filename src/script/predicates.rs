//! Replacements for the functions of Rhai that ask a function of the script about each element. They
//! do the same, but an answer that is no boolean is an error. Rhai takes it for `false`, so that
//! `lines.some(|line| find(line, pattern))` would be false whatever is found.

use rhai::plugin::export_module;
use rhai::{Array, Dynamic, FnPtr, INT, Map, NativeCallContext};

use super::bounds::room;
use super::copies::ELEMENT;
use super::lists::push;
use super::native;
use super::raise::{Raised, kind, raise, with_article};
use crate::error::Error;

/// The answer that the function for a word has returned.
///
/// # Errors
/// Usage, if it is no boolean.
pub(super) fn answer(
    ctx: &NativeCallContext<'_>,
    word: &str,
    returned: &Dynamic,
) -> Result<bool, Raised> {
    returned.as_bool().map_err(|_| {
        let returned = with_article(kind(returned.type_name()));
        let what = format!("the function for `{word}` returns {returned}, not true or false");
        raise(ctx, Error::usage(what).hint("compare what it returns, such as with != ()"))
    })
}

/// Whether a function of the script says yes to an element of a list.
fn fits(
    ctx: &NativeCallContext<'_>,
    word: &str,
    function: &FnPtr,
    element: &mut Dynamic,
    place: usize,
) -> Result<bool, Raised> {
    let place = [Dynamic::from(INT::try_from(place).unwrap_or(INT::MAX))];
    let returned =
        function.call_raw_with_extra_args(word, ctx, Some(element), [], place, Some(0))?;
    answer(ctx, word, &returned)
}

/// Whether a function of the script says yes to an entry of a map.
fn fits_entry(
    ctx: &NativeCallContext<'_>,
    word: &str,
    function: &FnPtr,
    key: &str,
    value: &mut Dynamic,
) -> Result<bool, Raised> {
    let returned =
        function.call_raw_with_extra_args(word, ctx, Some(value), [key.into()], [], Some(1))?;
    answer(ctx, word, &returned)
}

/// Returns the place of the first element, from `start` on, to which the function says yes. A start
/// below 0 counts from the end.
fn first(
    ctx: &NativeCallContext<'_>,
    word: &str,
    list: &mut Array,
    function: &FnPtr,
    start: INT,
) -> Result<Option<usize>, Raised> {
    let start = native::start_in(list.len(), start);
    for (place, element) in list.iter_mut().enumerate().skip(start) {
        if fits(ctx, word, function, element, place)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Takes the elements out of a list to which the function gives this answer, and returns them. A
/// list is unchanged if the function fails.
fn take(
    ctx: &NativeCallContext<'_>,
    word: &str,
    list: &mut Array,
    function: &FnPtr,
    taken: bool,
) -> Result<Array, Raised> {
    let mut answers = Vec::with_capacity(list.len());
    for (place, element) in list.iter_mut().enumerate() {
        answers.push(fits(ctx, word, function, element, place)?);
    }
    room(ctx, list.len() * ELEMENT)?;
    let mut answers = answers.into_iter();
    let is_taken = |_: &mut Dynamic| answers.next() == Some(taken);
    Ok(list.extract_if(.., is_taken).collect())
}

/// As [`take`], for the entries of a map.
fn take_entries(
    ctx: &NativeCallContext<'_>,
    word: &str,
    map: &mut Map,
    function: &FnPtr,
    taken: bool,
) -> Result<Map, Raised> {
    let mut keys = Vec::new();
    for (key, value) in map.iter_mut() {
        if fits_entry(ctx, word, function, key, value)? == taken {
            keys.push(key.clone());
        }
    }
    Ok(keys.into_iter().filter_map(|key| map.remove_entry(&key)).collect())
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
    pub fn filter(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
    ) -> Result<Array, Raised> {
        let mut kept = Array::new();
        for (place, element) in array.iter_mut().enumerate() {
            if fits(&ctx, "filter", &filter, element, place)? {
                push(&ctx, &mut kept, element.clone())?;
            }
        }
        Ok(kept)
    }

    #[rhai_fn(return_raw, pure)]
    pub fn some(ctx: NativeCallContext, array: &mut Array, filter: FnPtr) -> Result<bool, Raised> {
        first(&ctx, "some", array, &filter, 0).map(|place| place.is_some())
    }

    #[rhai_fn(return_raw, pure)]
    pub fn all(ctx: NativeCallContext, array: &mut Array, filter: FnPtr) -> Result<bool, Raised> {
        for (place, element) in array.iter_mut().enumerate() {
            if !fits(&ctx, "all", &filter, element, place)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    #[rhai_fn(return_raw, pure)]
    pub fn find(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
    ) -> Result<Dynamic, Raised> {
        let place = first(&ctx, "find", array, &filter, 0)?;
        Ok(place.map_or(Dynamic::UNIT, |place| array[place].clone()))
    }

    #[rhai_fn(name = "find", return_raw, pure)]
    pub fn find_from(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
        start: INT,
    ) -> Result<Dynamic, Raised> {
        let place = first(&ctx, "find", array, &filter, start)?;
        Ok(place.map_or(Dynamic::UNIT, |place| array[place].clone()))
    }

    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_fitting(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
    ) -> Result<INT, Raised> {
        first(&ctx, "index_of", array, &filter, 0).map(native::index)
    }

    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_fitting_from(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
        start: INT,
    ) -> Result<INT, Raised> {
        first(&ctx, "index_of", array, &filter, start).map(native::index)
    }

    #[rhai_fn(return_raw)]
    pub fn drain(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
    ) -> Result<Array, Raised> {
        take(&ctx, "drain", array, &filter, true)
    }

    #[rhai_fn(return_raw)]
    pub fn retain(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: FnPtr,
    ) -> Result<Array, Raised> {
        take(&ctx, "retain", array, &filter, false)
    }

    #[rhai_fn(name = "filter", return_raw, pure)]
    pub fn filter_entries(
        ctx: NativeCallContext,
        map: &mut Map,
        filter: FnPtr,
    ) -> Result<Map, Raised> {
        let mut kept = Map::new();
        for (key, value) in map.iter_mut() {
            if fits_entry(&ctx, "filter", &filter, key, value)? {
                room(&ctx, ELEMENT)?;
                kept.insert(key.clone(), value.clone());
            }
        }
        Ok(kept)
    }

    #[rhai_fn(name = "drain", return_raw)]
    pub fn drain_entries(
        ctx: NativeCallContext,
        map: &mut Map,
        filter: FnPtr,
    ) -> Result<Map, Raised> {
        take_entries(&ctx, "drain", map, &filter, true)
    }

    #[rhai_fn(name = "retain", return_raw)]
    pub fn retain_entries(
        ctx: NativeCallContext,
        map: &mut Map,
        filter: FnPtr,
    ) -> Result<Map, Raised> {
        take_entries(&ctx, "retain", map, &filter, false)
    }

    #[rhai_fn(name = "filter", return_raw, pure)]
    pub fn filter_by_name(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: &str,
    ) -> Result<Array, Raised> {
        self::filter(ctx, array, FnPtr::new(filter)?)
    }

    #[rhai_fn(name = "some", return_raw, pure)]
    pub fn some_by_name(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: &str,
    ) -> Result<bool, Raised> {
        self::some(ctx, array, FnPtr::new(filter)?)
    }

    #[rhai_fn(name = "all", return_raw, pure)]
    pub fn all_by_name(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: &str,
    ) -> Result<bool, Raised> {
        self::all(ctx, array, FnPtr::new(filter)?)
    }

    #[rhai_fn(name = "drain", return_raw)]
    pub fn drain_by_name(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: &str,
    ) -> Result<Array, Raised> {
        self::drain(ctx, array, FnPtr::new(filter)?)
    }

    #[rhai_fn(name = "retain", return_raw)]
    pub fn retain_by_name(
        ctx: NativeCallContext,
        array: &mut Array,
        filter: &str,
    ) -> Result<Array, Raised> {
        self::retain(ctx, array, FnPtr::new(filter)?)
    }

    /// Rhai takes the text for the name of a function, if there is one.
    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_text(
        ctx: NativeCallContext,
        array: &mut Array,
        value: &str,
    ) -> Result<INT, Raised> {
        native::words::index_of(ctx, array, value.into())
    }

    #[rhai_fn(name = "index_of", return_raw, pure)]
    pub fn index_of_text_from(
        ctx: NativeCallContext,
        array: &mut Array,
        value: &str,
        start: INT,
    ) -> Result<INT, Raised> {
        native::words::index_of_from(ctx, array, value.into(), start)
    }
}
