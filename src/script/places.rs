//! The values that an index is put to, found before Rhai does the work.
//!
//! Rhai goes through a text character by character to change it or cut it at an index, within one
//! operation that nothing can interrupt. So the text must not be too long for that. Rhai does not
//! tell its length, so the text is looked up in the same way as Rhai will do it, if that takes no
//! call of a function.

use rhai::{Array, Dynamic};
use rhai::{EvalAltResult, EvalContext, Expr, INT, ImmutableString, Map, Position, Scope};

use super::chains::Link;

/// The longest text that may be changed or cut at an index. For 8 MiB, Rhai takes a third of a
/// second.
const LONGEST: usize = 8 << 20;

/// A variable and the way from it to a value within it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The name of the variable; none if it is `this`.
    variable: Option<ImmutableString>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Name(ImmutableString),
    Number(INT),
    Variable(ImmutableString),
}

impl Place {
    /// The place of the value that these links of a chain lead to; `None` if it depends on the
    /// result of a function.
    pub(super) fn of(first: &Expr, links: &[Link]) -> Option<Self> {
        let variable = match first {
            Expr::ThisPtr(_) => None,
            Expr::Variable(named, ..) if named.2.is_empty() => Some(named.1.clone()),
            _ => return None,
        };
        let step = |link: &Link| match &link.part {
            Expr::Property(name, _) if link.is_dot => Some(Step::Name(name.2.clone())),
            Expr::StringConstant(name, _) if !link.is_dot => Some(Step::Name(name.clone())),
            Expr::IntegerConstant(number, _) if !link.is_dot => Some(Step::Number(*number)),
            Expr::Variable(named, ..) if !link.is_dot && named.2.is_empty() => {
                Some(Step::Variable(named.1.clone()))
            }
            _ => None,
        };
        Some(Self { variable, steps: links.iter().map(step).collect::<Option<_>>()? })
    }

    /// Checks that the value is no text that is too long.
    ///
    /// # Errors
    /// An error if it is one.
    pub(super) fn check(
        &self,
        context: &EvalContext<'_, '_, '_, '_, '_, '_>,
    ) -> Result<(), EvalAltResult> {
        let root = match &self.variable {
            None => context.this_ptr(),
            Some(name) => context.scope().get(name),
        };
        if root.is_some_and(|root| is_long(root, &self.steps, context.scope())) {
            return Err(EvalAltResult::ErrorDataTooLarge(
                "Length of a text that is changed or cut at an index (at most 8 MiB; \
                 set(...) and sub_string(...) take longer ones)"
                    .to_owned(),
                Position::NONE,
            ));
        }
        Ok(())
    }
}

/// Whether the value that the steps lead to is a long text.
fn is_long(value: &Dynamic, steps: &[Step], scope: &Scope<'_>) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return value.as_immutable_string_ref().is_ok_and(|text| text.len() > LONGEST);
    };
    let index = match step {
        Step::Name(name) => Dynamic::from(name.clone()),
        Step::Number(number) => Dynamic::from(*number),
        Step::Variable(name) => match scope.get(name) {
            Some(index) => index.flatten_clone(),
            None => return false,
        },
    };
    let next = |value: Option<&Dynamic>| value.is_some_and(|value| is_long(value, rest, scope));
    if let (Ok(map), Ok(name)) = (value.as_map_ref(), index.as_immutable_string_ref()) {
        let map: &Map = &map;
        return next(map.get(name.as_str()));
    }
    if let (Ok(list), Ok(number)) = (value.as_array_ref(), index.as_int()) {
        let list: &Array = &list;
        let from_end = || list.len().checked_sub(usize::try_from(number.unsigned_abs()).ok()?);
        let place = usize::try_from(number).ok().or_else(from_end);
        return next(place.and_then(|place| list.get(place)));
    }
    false
}
