//! The comparison of values of this crate's types with others, which is an error.

use rhai::plugin::NativeCallContext;
use rhai::{Dynamic, FuncRegistration, Module};

use super::Handle;
use super::background::Background;
use crate::error::Error;
use crate::message::Parsed;
use crate::pattern::Pattern;
use crate::proto::capabilities::Capabilities;
use crate::proto::imap::{Answer, Argument, BodyStructure, Response};
use crate::reply::Reply;
use crate::script::compared::OPERATORS;
use crate::script::following::Following;
use crate::script::listening::Listening;
use crate::script::native::equal;
use crate::script::programs::Running;
use crate::script::raise::{Caught, Raised, raise};
use crate::script::unlike::{unlike, unordered, without_order};
use crate::session::Command;

/// Adds the comparisons of the types of this crate, which raise an error. Only `==` and `!=` do not
/// for `()`.
pub(super) fn add_to(module: &mut Module) {
    add_operators(module);
    add::<Answer>(module);
    add::<Argument>(module);
    add::<Background>(module);
    add::<BodyStructure>(module);
    add::<Capabilities>(module);
    add::<Caught>(module);
    add::<Command>(module);
    add::<Following>(module);
    add::<Handle>(module);
    add::<Listening>(module);
    add::<Parsed>(module);
    add::<Pattern>(module);
    add::<Reply>(module);
    add::<Response>(module);
    add::<Running>(module);
}

fn add<T: Clone + Send + Sync + 'static>(module: &mut Module) {
    add_orders::<T>(module);
    for (operator, differ) in [("==", false), ("!=", true)] {
        FuncRegistration::new(operator).set_into_module(
            module,
            move |ctx: NativeCallContext<'_>, own: T, other: Dynamic| {
                compared(&ctx, &Dynamic::from(own), &other, differ)
            },
        );
        FuncRegistration::new(operator).set_into_module(
            module,
            move |ctx: NativeCallContext<'_>, other: Dynamic, own: T| {
                compared(&ctx, &other, &Dynamic::from(own), differ)
            },
        );
    }
}

fn add_orders<T: Clone + Send + Sync + 'static>(module: &mut Module) {
    for operator in ["<", "<=", ">", ">="] {
        FuncRegistration::new(operator).set_into_module(
            module,
            |ctx: NativeCallContext<'_>, own: T, other: Dynamic| {
                ordered(&ctx, &Dynamic::from(own), &other)
            },
        );
        FuncRegistration::new(operator).set_into_module(
            module,
            |ctx: NativeCallContext<'_>, other: Dynamic, own: T| {
                ordered(&ctx, &other, &Dynamic::from(own))
            },
        );
    }
}

/// Adds our functions for the operators (see `compared`).
fn add_operators(module: &mut Module) {
    for (operator, name) in OPERATORS {
        FuncRegistration::new(name).set_into_module(
            module,
            move |ctx: NativeCallContext<'_>, a: Dynamic, b: Dynamic| match operator {
                "==" => equal(&ctx, &a, &b),
                "!=" => equal(&ctx, &a, &b).map(|equal| !equal),
                _ => in_order(&ctx, operator, a, b),
            },
        );
    }
}

/// Whether two values are in this order.
fn in_order(
    ctx: &NativeCallContext<'_>,
    operator: &str,
    mut a: Dynamic,
    mut b: Dynamic,
) -> Result<bool, Raised> {
    if let Some(why) = without_order(&a, &b) {
        return Err(raise(ctx, Error::usage(why)));
    }
    let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) else {
        let answer = ctx.call_native_fn_raw(operator, true, &mut [&mut a, &mut b])?;
        return Ok(answer.as_bool().unwrap_or(false));
    };
    let order = a.cmp(&b);
    Ok(match operator {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })
}

fn ordered(ctx: &NativeCallContext<'_>, a: &Dynamic, b: &Dynamic) -> Result<bool, Raised> {
    Err(raise(ctx, Error::usage(unordered(a, b))))
}

fn compared(
    ctx: &NativeCallContext<'_>,
    a: &Dynamic,
    b: &Dynamic,
    differ: bool,
) -> Result<bool, Raised> {
    match unlike(a, b) {
        Some(why) => Err(raise(ctx, Error::usage(why))),
        None => Ok(differ),
    }
}
