//! Comparison of lists in any order.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use std::collections::HashMap;
use std::hash::Hash;

use rhai::Array;
use rhai::plugin::{Dynamic, NativeCallContext, export_module};

use crate::error::{Error, Kind};
use crate::script::native;
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;
use crate::script::showing;

pub(super) const INTRO: &str = "Compares lists that a server may send in any order.";

/// An element of a list, and the key by which it is compared.
struct Element {
    value: Dynamic,
    key: Dynamic,
}

impl Element {
    /// Makes the element for a value. A flag is compared in small letters, because flags mean the
    /// same in either case (RFC 9051 section 2.3.2); any other value is compared as it is. Returns
    /// `None` for `\Recent`, which no client can change.
    fn of(value: Dynamic) -> Option<Self> {
        let flag = value.as_immutable_string_ref().ok().filter(|text| text.starts_with('\\'));
        let flag = flag.map(|text| text.to_ascii_lowercase());
        let key = match flag.as_deref() {
            Some("\\recent") => return None,
            Some(flag) => flag.into(),
            None => value.clone(),
        };
        Some(Self { value, key })
    }
}

/// Returns the elements of the first list that have no equal in the second. Each element of the
/// second list counts for only one of the first.
fn without(
    ctx: &NativeCallContext<'_>,
    list: &[Element],
    other: &[Element],
) -> Result<Array, Raised> {
    if let Some(missing) = without_counted(list, other, |key| key.as_int().ok())
        .or_else(|| without_counted(list, other, |key| key.clone().into_immutable_string().ok()))
    {
        return Ok(missing);
    }
    let mut left: Vec<_> = other.iter().map(Some).collect();
    let mut missing = Array::new();
    for (number, element) in list.iter().enumerate() {
        // The lists are mostly in the same order.
        let mut places = [number].into_iter().filter(|at| *at < left.len()).chain(0..left.len());
        let place = loop {
            let Some(at) = places.next() else { break None };
            if let Some(candidate) = left[at]
                && native::equal(ctx, &element.key, &candidate.key)?
            {
                break Some(at);
            }
        };
        match place {
            Some(at) => left[at] = None,
            None => missing.push(element.value.clone()),
        }
    }
    Ok(missing)
}

/// As `without`, for lists in which all keys are of one type; `None` for others.
fn without_counted<K: Eq + Hash>(
    list: &[Element],
    other: &[Element],
    key: impl Fn(&Dynamic) -> Option<K>,
) -> Option<Array> {
    let mut left: HashMap<K, usize> = HashMap::new();
    for element in other {
        *left.entry(key(&element.key)?).or_default() += 1;
    }
    let mut missing = Array::new();
    for element in list {
        match left.get_mut(&key(&element.key)?) {
            Some(count) if *count > 0 => *count -= 1,
            _ => missing.push(element.value.clone()),
        }
    }
    Some(missing)
}

fn shown(ctx: &NativeCallContext<'_>, list: Array) -> String {
    showing::shown(ctx, &Dynamic::from(list))
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// Fails the script unless both lists have the same elements, each the same number of times, in
    /// any order. Flags of IMAP, which begin with a backslash, are equal in either case, and
    /// `\Recent` is ignored.
    ///
    /// ```rhai
    /// assert_same([3, 1, 2, 1], [1, 1, 2, 3]);
    /// assert_same([`\Seen`, `\Recent`, "$Junk"], ["$Junk", `\SEEN`]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_same(ctx: NativeCallContext, got: Array, expected: Array) -> Result<(), Raised> {
        let [ours, theirs] = [&got, &expected]
            .map(|list| list.iter().cloned().filter_map(Element::of).collect::<Vec<_>>());
        let (missing, more) = (without(&ctx, &theirs, &ours)?, without(&ctx, &ours, &theirs)?);
        if missing.is_empty() && more.is_empty() {
            if let Ok(run) = Run::current() {
                run.count_check();
            }
            return Ok(());
        }
        let told = [("missing", missing), ("too many", more)]
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(what, list)| format!("{what}: {}", shown(&ctx, list)));
        let message = format!("the lists differ ({})", told.collect::<Vec<_>>().join("; "));
        let error = Error::new(Kind::Assert, crate::visible::printable(&message));
        let [got, expected] = [got, expected].map(|list| shown(&ctx, list));
        Err(raise(&ctx, error.with_expected(expected).with_got(got)))
    }
}
