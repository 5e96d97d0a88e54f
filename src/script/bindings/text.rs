//! Text, bytes and lists that are repeated.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{NativeCallContext, export_module};
use rhai::{Array, Blob, ImmutableString};

use crate::error::Error;
use crate::script::bounds::{LONGEST, fits_as_string, look, room};
use crate::script::raise::{Raised, raise};

/// Converts `times` to a count, after checking that `times` pieces of `size` bytes fit into one
/// value and into the script's memory.
pub(super) fn count(ctx: &NativeCallContext<'_>, times: i64, size: usize) -> Result<usize, Raised> {
    let error = || {
        Error::usage(format!("{times} times is too often, or less than none"))
            .hint("a text, a list or a blob may have 64 MiB")
    };
    let most = LONGEST / size.max(1);
    let count = usize::try_from(times).ok().filter(|times| *times <= most);
    let count = count.ok_or_else(|| raise(ctx, error()))?;
    room(ctx, count * size)?;
    Ok(count)
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Repeats a text, a blob or a list the given number of times.
    ///
    /// ```rhai
    /// assert_eq(repeat("ab", 3), "ababab");
    /// assert_eq(repeat(hex("00"), 4).len(), 4);
    /// assert_eq(repeat([1, 2], 2), [1, 2, 1, 2]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn repeat(
        ctx: NativeCallContext,
        text: &str,
        times: i64,
    ) -> Result<ImmutableString, Raised> {
        let count = count(&ctx, times, text.len())?;
        fits_as_string(&ctx, text.len() * count)?;
        Ok(text.repeat(count).into())
    }

    #[rhai_fn(name = "repeat", return_raw)]
    pub fn repeat_bytes(ctx: NativeCallContext, bytes: Blob, times: i64) -> Result<Blob, Raised> {
        Ok(bytes.repeat(count(&ctx, times, bytes.len())?))
    }

    #[rhai_fn(name = "repeat", return_raw)]
    pub fn repeat_list(ctx: NativeCallContext, list: Array, times: i64) -> Result<Array, Raised> {
        let count = count(&ctx, times, list.len() * size_of::<rhai::Dynamic>())?;
        let mut repeated = Array::with_capacity(list.len() * count);
        for _ in 0..count {
            // The elements of a list may hold far more memory than the list itself, so the memory
            // limit is checked for each copy.
            look(&ctx)?;
            repeated.extend(list.iter().cloned());
        }
        Ok(repeated)
    }
}
