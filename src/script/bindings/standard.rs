//! Words of Rhai on lists that would swallow the errors of their callbacks, and so the failure of an expectation.
#![allow(clippy::needless_pass_by_value, reason = "Rhai's plugin macros hand arguments over by value")]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, FnPtr};

use crate::script::raise::Raised;

pub(super) const INTRO: &str = "As in Rhai, but that a failure in the function given to them is not swallowed.";

/// Whether `a` belongs behind `b`.
fn is_behind(ctx: &NativeCallContext<'_>, comparer: &FnPtr, a: &Dynamic, b: &Dynamic) -> Result<bool, Raised> {
    let order: Dynamic = comparer.call_within_context(ctx, (a.clone(), b.clone()))?;
    Ok(match (order.as_int(), order.as_bool()) {
        (Ok(order), _) => order > 0,
        (_, Ok(is_less)) => !is_less,
        _ => false,
    })
}

#[export_module]
#[allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "the macro writes code of its own beside these")]
pub mod words {
    /// Sorts a list in place by a function that compares two elements: less than 0, 0, or more than 0.
    ///
    /// ```rhai
    /// let list = [3, 1, 2];
    /// list.sort(|a, b| a - b);
    /// assert_eq(list, [1, 2, 3]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sort(ctx: NativeCallContext, list: &mut Array, comparer: FnPtr) -> Result<(), Raised> {
        let mut sorted: Array = Vec::with_capacity(list.len());
        for element in list.iter() {
            let (mut low, mut high) = (0, sorted.len());
            while low < high {
                let middle = low.midpoint(high);
                if is_behind(&ctx, &comparer, &sorted[middle], element)? {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            sorted.insert(low, element.clone());
        }
        *list = sorted;
        Ok(())
    }

    /// Removes elements that the function holds to be the same as the one before them.
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
                    comparer.call_within_context::<Dynamic>(&ctx, (before.clone(), element.clone()))?.as_bool().unwrap_or(false)
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
}
