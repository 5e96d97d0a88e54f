//! Comparison of values that are never equal because of their types. Rhai calls them unequal
//! without a word, so that `reply != "550 no"` would pass whatever the reply says.

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
use crate::script::following::Following;
use crate::script::listening::Listening;
use crate::script::programs::Running;
use crate::script::raise::{self, Caught, Raised, raise};
use crate::session::Command;

/// Adds `==` and `!=` for the types of this crate, which raise an error unless the other value is
/// `()`.
pub(super) fn add_to(module: &mut Module) {
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

/// Returns why two values cannot be equal, if that is because of their types.
pub(super) fn unlike(a: &Dynamic, b: &Dynamic) -> Option<String> {
    if a.is_unit() || b.is_unit() {
        return None;
    }
    let [of_a, of_b] = [a, b].map(|value| raise::kind(value.type_name()));
    let hint = match [of_a, of_b] {
        ["integer", "text"] | ["text", "integer"] => "parse_int(text) reads a number".to_owned(),
        _ if raise::is_own(a) => format!("compare a property of the {of_a}"),
        _ if raise::is_own(b) => format!("compare a property of the {of_b}"),
        _ => return None,
    };
    let [of_a, of_b] = [of_a, of_b].map(raise::with_article);
    Some(format!("{of_a} never equals {of_b}: {hint}"))
}
