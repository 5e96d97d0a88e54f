//! Replacements for functions of Rhai. Some would swallow the errors of their callbacks, and with
//! them the failure of an expectation. `replace` would make a text of any size in one operation.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, FnPtr, ImmutableString, Module};

use super::text;
use super::verb::{Manual, words_of};
use crate::error::Error;
use crate::script::bounds::look;
use crate::script::predicates::answer;
use crate::script::raise::{self, Raised, raise};
use crate::script::{lengths, native};

pub(super) const INTRO: &str = "These functions are the same as in Rhai, except that a failure in the function given to them \
is not swallowed, and that texts have the same size limit as everywhere.";

/// The words of this module, and those that put text together.
pub(super) fn all_words(manual: Manual) -> Module {
    let mut all = words_of!(words, manual);
    all.combine(words_of!(text::words, manual));
    all
}

/// Whether `a` belongs after `b`: the comparer returned a number above 0, or says that `b` is less.
fn is_behind(
    ctx: &NativeCallContext<'_>,
    word: &str,
    comparer: &FnPtr,
    a: &Dynamic,
    b: &Dynamic,
) -> Result<bool, Raised> {
    let order: Dynamic = comparer.call_within_context(ctx, (a.clone(), b.clone()))?;
    if let Ok(order) = order.as_int() {
        return Ok(order > 0);
    }
    if let Ok(order) = order.as_float() {
        return Ok(order > 0.0);
    }
    if answer(ctx, word, &order)? {
        return Ok(false);
    }
    // Neither may be less: then they are equal, and keep their order.
    answer(ctx, word, &comparer.call_within_context(ctx, (b.clone(), a.clone()))?)
}

/// Whether `a` belongs after `b` in the natural order of values of one type.
///
/// # Errors
/// Usage, if the values have no order.
fn is_greater(ctx: &NativeCallContext<'_>, a: &Dynamic, b: &Dynamic) -> Result<bool, Raised> {
    look(ctx)?;
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return native::is_greater(ctx, &a, &b);
    }
    let order = match (a.as_int(), a.as_float(), a.as_char(), a.as_bool()) {
        (Ok(a), ..) => b.as_int().ok().map(|b| a > b),
        (_, Ok(a), ..) => b.as_float().ok().map(|b| a > b),
        (_, _, Ok(a), _) => b.as_char().ok().map(|b| a > b),
        (_, _, _, Ok(a)) => b.as_bool().ok().map(|b| a && !b),
        _ => None,
    };
    order.ok_or_else(|| {
        let [a, b] = [a, b].map(|value| raise::kind(value.type_name()));
        let error = Error::usage(format!("values of type {a} and {b} have no order"));
        raise(ctx, error.hint("sort(|a, b| ...) compares them as you like"))
    })
}

/// Sorts a list by merging its sorted halves. Equal elements keep their order, and the first error
/// of a comparison ends the sort.
fn sorted(
    mut list: Array,
    is_behind: &impl Fn(&Dynamic, &Dynamic) -> Result<bool, Raised>,
) -> Result<Array, Raised> {
    if list.len() < 2 {
        return Ok(list);
    }
    let mut merged = Vec::with_capacity(list.len());
    let right = list.split_off(list.len() / 2);
    let mut left = sorted(list, is_behind)?.into_iter().peekable();
    let mut right = sorted(right, is_behind)?.into_iter().peekable();
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        merged.extend(if is_behind(a, b)? { right.next() } else { left.next() });
    }
    merged.extend(left.chain(right));
    Ok(merged)
}

/// Sorts a list of values of one type that has a natural order.
fn in_order(ctx: &NativeCallContext<'_>, list: &Array, is_down: bool) -> Result<Array, Raised> {
    sorted(list.clone(), &|a, b| {
        if is_down { is_greater(ctx, b, a) } else { is_greater(ctx, a, b) }
    })
}

fn mapped(
    ctx: &NativeCallContext<'_>,
    numbers: impl Iterator<Item = i64>,
    mapper: &FnPtr,
) -> Result<Array, Raised> {
    numbers.map(|number| mapper.call_within_context(ctx, (number,))).collect()
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Sorts a list in place, by a function that compares two elements and returns a number: less
    /// than 0, 0, or more than 0.
    ///
    /// ```rhai
    /// let list = [3, 1, 2];
    /// list.sort(|a, b| a - b);
    /// assert_eq(list, [1, 2, 3]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sort(ctx: NativeCallContext, list: &mut Array, comparer: FnPtr) -> Result<(), Raised> {
        *list = sorted(list.clone(), &|a, b| is_behind(&ctx, "sort", &comparer, a, b))?;
        Ok(())
    }

    /// Sorts a list of texts, numbers, characters or booleans in place.
    ///
    /// ```rhai
    /// let list = ["b", "a"];
    /// list.sort();
    /// assert_eq(list, ["a", "b"]);
    /// ```
    #[rhai_fn(name = "sort", return_raw)]
    pub fn sort_naturally(ctx: NativeCallContext, list: &mut Array) -> Result<(), Raised> {
        *list = in_order(&ctx, list, false)?;
        Ok(())
    }

    /// Sorts a list as `sort()` does, with the greatest first.
    ///
    /// ```rhai
    /// let list = [1, 3, 2];
    /// list.sort_desc();
    /// assert_eq(list, [3, 2, 1]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sort_desc(ctx: NativeCallContext, list: &mut Array) -> Result<(), Raised> {
        *list = in_order(&ctx, list, true)?;
        Ok(())
    }

    /// Returns a sorted copy of a list of texts, numbers, characters or booleans.
    ///
    /// ```rhai
    /// assert_eq([3, 1, 2].order(), [1, 2, 3]);
    /// ```
    #[rhai_fn(name = "order", return_raw, pure)]
    pub fn order_naturally(ctx: NativeCallContext, list: &mut Array) -> Result<Array, Raised> {
        in_order(&ctx, list, false)
    }

    /// Returns a sorted copy of a list, with the greatest first.
    ///
    /// ```rhai
    /// assert_eq([3, 1, 2].order_desc(), [3, 2, 1]);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn order_desc(ctx: NativeCallContext, list: &mut Array) -> Result<Array, Raised> {
        in_order(&ctx, list, true)
    }

    #[rhai_fn(name = "sort", return_raw)]
    pub fn sort_by_name(
        ctx: NativeCallContext,
        list: &mut Array,
        comparer: &str,
    ) -> Result<(), Raised> {
        sort(ctx, list, FnPtr::new(comparer)?)
    }

    #[rhai_fn(return_raw)]
    pub fn sort_by(
        ctx: NativeCallContext,
        list: &mut Array,
        comparer: FnPtr,
    ) -> Result<(), Raised> {
        sort(ctx, list, comparer)
    }

    /// Returns a list of what the function returns for each number of a range, or for each element of
    /// a list.
    ///
    /// ```rhai
    /// assert_eq((1..=3).map(|n| n * n), [1, 4, 9]);
    /// assert_eq([1, 2].map(|n| `user${n}`), ["user1", "user2"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn map(
        ctx: NativeCallContext,
        range: std::ops::Range<i64>,
        mapper: FnPtr,
    ) -> Result<Array, Raised> {
        mapped(&ctx, range, &mapper)
    }

    #[rhai_fn(name = "map", return_raw)]
    pub fn map_inclusive(
        ctx: NativeCallContext,
        range: std::ops::RangeInclusive<i64>,
        mapper: FnPtr,
    ) -> Result<Array, Raised> {
        mapped(&ctx, range, &mapper)
    }

    /// Returns a sorted copy of a list, by a function that compares two elements. It returns a number
    /// as for `sort`, or whether the first element is less. Equal elements keep their order.
    ///
    /// ```rhai
    /// assert_eq([3, 1, 2].order(|a, b| b - a), [3, 2, 1]);
    /// assert_eq(["cc", "a", "bb"].order(|a, b| a.len() < b.len()), ["a", "cc", "bb"]);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn order(
        ctx: NativeCallContext,
        list: &mut Array,
        comparer: FnPtr,
    ) -> Result<Array, Raised> {
        sorted(list.clone(), &|a, b| is_behind(&ctx, "order", &comparer, a, b))
    }

    #[rhai_fn(return_raw, pure)]
    pub fn order_by(
        ctx: NativeCallContext,
        list: &mut Array,
        comparer: FnPtr,
    ) -> Result<Array, Raised> {
        sorted(list.clone(), &|a, b| is_behind(&ctx, "order", &comparer, a, b))
    }

    /// Removes each element that is the same as the one before it. A function decides whether two
    /// elements are the same.
    ///
    /// ```rhai
    /// let list = [1, 1, 2, 1];
    /// list.dedup(|a, b| a == b);
    /// assert_eq(list, [1, 2, 1]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn dedup(ctx: NativeCallContext, list: &mut Array, comparer: FnPtr) -> Result<(), Raised> {
        let mut kept: Array = Vec::with_capacity(list.len());
        for element in list.iter() {
            let same = match kept.last() {
                Some(before) => {
                    let both = (before.clone(), element.clone());
                    answer(&ctx, "dedup", &comparer.call_within_context(&ctx, both)?)?
                }
                None => false,
            };
            if !same {
                kept.push(element.clone());
            }
        }
        *list = kept;
        Ok(())
    }

    #[rhai_fn(name = "dedup", return_raw)]
    pub fn dedup_by_name(
        ctx: NativeCallContext,
        list: &mut Array,
        comparer: &str,
    ) -> Result<(), Raised> {
        dedup(ctx, list, FnPtr::new(comparer)?)
    }

    /// Replaces every occurrence of a text in a text, in place.
    ///
    /// ```rhai
    /// let text = "a-b-c";
    /// text.replace("-", "+");
    /// assert_eq(text, "a+b+c");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn replace(
        ctx: NativeCallContext,
        text: &mut ImmutableString,
        find: ImmutableString,
        by: ImmutableString,
    ) -> Result<(), Raised> {
        *text = lengths::replaced(&ctx, text, find, by)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rhai::EvalAltResult;
    use serde_json::Value;

    use crate::script::engine::engine;
    use crate::script::raise;

    /// The names that Rhai gives to parameters that are functions, or names of functions.
    const CALLBACKS: [&str; 6] = ["map", "mapper", "filter", "comparer", "reducer", "comparator"];

    /// Returns a call of each Rhai function that takes a function or its name. The function that is
    /// passed, `f`, throws.
    fn calls() -> Vec<String> {
        let json = engine(Arc::default()).gen_fn_metadata_to_json(true).unwrap();
        let metadata: Value = serde_json::from_str(&json).unwrap();
        let functions = metadata["functions"].as_array().unwrap().iter();
        functions.filter_map(call).collect()
    }

    fn call(function: &Value) -> Option<String> {
        let mut takes_callback = false;
        let mut arguments = Vec::new();
        for param in function["params"].as_array()? {
            let (name, kind) = (param["name"].as_str().unwrap_or("_"), param["type"].as_str()?);
            let is_callback =
                kind.contains("FnPtr") || (kind.contains("str") && CALLBACKS.contains(&name));
            takes_callback |= is_callback;
            arguments.push(match kind.trim_start_matches("&mut ") {
                "FnPtr" => "Fn(\"f\")",
                _ if is_callback => "\"f\"",
                "Array" => "[3, 1, 3]",
                "Map" => "#{ a: 1, b: 2 }",
                range if range.contains("RangeInclusive") => "0..=2",
                range if range.contains("Range") => "0..2",
                _ => "0",
            });
        }
        let word = function["name"].as_str()?;
        // Functions that describe a function do not call it.
        let asks = word.contains(['$', '=']) || word.starts_with("to_");
        let asks = asks || ["name", "is_anonymous", "print", "debug"].contains(&word);
        (takes_callback && !asks).then(|| format!("{word}({})", arguments.join(", ")))
    }

    #[test]
    fn nothing_that_takes_a_function_or_its_name_swallows_what_that_throws() {
        let calls = calls();
        for word in ["sort", "sort_by", "order", "order_by", "dedup", "map", "filter", "reduce"] {
            assert!(calls.iter().any(|call| call.starts_with(&format!("{word}("))), "{word}");
        }
        assert!(calls.len() >= 38, "{calls:#?}");
        for call in calls {
            let said = said(&call, "throw \"thrown in it\"");
            assert!(said.as_ref().is_err_and(|e| e.contains("thrown in it")), "{call}: {said:?}");
        }
    }

    /// What a call says, or how it fails, if `f` does this, however many arguments it takes.
    fn said(call: &str, body: &str) -> Result<String, String> {
        let functions: String = ["", "a", "a, b", "a, b, c", "a, b, c, d"]
            .map(|params| format!("fn f({params}) {{ {body} }}\n"))
            .concat();
        let said = engine(Arc::default()).eval::<rhai::Dynamic>(&format!("{functions}{call};"));
        said.map(|said| said.to_string()).map_err(|error| match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(thrown, _) => thrown
                .read_lock::<raise::Caught>()
                .map_or_else(|| thrown.to_string(), |caught| caught.error().message().to_owned()),
            other => other.to_string(),
        })
    }

    #[test]
    fn an_answer_that_is_neither_true_nor_false_is_an_error() {
        // These take whatever the function returns.
        let take_all = ["map", "for_each", "reduce", "reduce_rev", "find_map", "zip"];
        let mut count = 0;
        for call in calls() {
            if !take_all.iter().any(|word| call.starts_with(&format!("{word}("))) {
                let said = said(&call, "\"yes\"");
                let error = "returns text, not true or false";
                assert!(said.as_ref().is_err_and(|e| e.contains(error)), "{call}: {said:?}");
                count += 1;
            }
        }
        assert!(count >= 24, "{count}");
    }
}
