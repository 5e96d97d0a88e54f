//! Evaluates the expressions that `guard` puts around others.

use rhai::{Dynamic, Engine, EvalContext, Expr, Expression, Module, Shared};

use super::checks::{BODY, When};
use super::compared::Cases;
use super::copies::{self, Copies};
use super::places::Place;
use super::raise::{self, Raised, raised_at};
use super::{bounds, coroutine, reading, unlike};
use crate::error::Error;

/// Makes the engine understand the expressions. Below `looks_from`, see `reading::looks_from`,
/// nothing is checked.
pub(super) fn understand(engine: &mut Engine, looks_from: isize) {
    for when in When::ALL {
        handle(engine, when.name(), move |context, inputs, state| {
            let copies = || state.read_lock::<Copies>().map(|copies| *copies);
            if when == When::Before && coroutine::held() >= looks_from {
                check_variable(context, &inputs[0], copies())?;
            }
            let value = context.eval_expression_tree(&inputs[0])?;
            if when == When::After && coroutine::held() >= looks_from {
                reading::fits_once(&value, copies())?;
            }
            if when == When::Indexed
                && let Some(place) = state.read_lock::<Place>()
            {
                place.check(context)?;
            }
            // One operation goes through the whole value, and cannot be interrupted.
            if when == When::Hashed && copies::walked(&value, bounds::LONGEST) > bounds::LONGEST {
                return Err(bounds::too_long().into());
            }
            match when {
                When::Hashed => {
                    state.read_lock::<Shared<Cases>>().and_then(|cases| cases.unlike(&value))
                }
                When::Compared if is_own(&inputs[0], context) => unlike::literal(&value, state),
                _ => None,
            }
            .map_or(Ok(value), |why| Err(raised_at(inputs[0].position(), Error::usage(why))))
        });
    }
    handle(engine, BODY, |context, _, state| {
        let body = state.read_lock::<Shared<Expr>>().map(|body| Shared::clone(&body));
        body.map_or(Ok(Dynamic::UNIT), |body| context.eval_expression_tree(&(&*body).into()))
    });
}

fn handle(
    engine: &mut Engine,
    name: &str,
    evaluate: impl Fn(
        &mut EvalContext<'_, '_, '_, '_, '_, '_>,
        &[Expression<'_>],
        &Dynamic,
    ) -> Result<Dynamic, Raised>
    + Send
    + Sync
    + 'static,
) {
    // Never an error if the expression declares no variables.
    let _ = engine.register_custom_syntax_handler(name, false, evaluate);
}

/// Whether an expression is a property of a value of this crate.
fn is_own(expression: &Expr, context: &EvalContext<'_, '_, '_, '_, '_, '_>) -> bool {
    let Expr::Dot(parts, ..) = expression else { return false };
    let Expr::Variable(variable, ..) = &parts.lhs else { return false };
    context.scope().get(variable.1.as_str()).is_some_and(raise::is_own)
}

/// Checks the variable at the beginning of an expression.
fn check_variable(
    context: &EvalContext<'_, '_, '_, '_, '_, '_>,
    mut expression: &Expr,
    copies: Option<Copies>,
) -> Result<(), Raised> {
    while let Expr::Dot(parts, ..) | Expr::Index(parts, ..) = expression {
        expression = &parts.lhs;
    }
    match expression {
        Expr::ThisPtr(_) => context.this_ptr().map_or(Ok(()), |this| reading::fits(this, copies)),
        Expr::Variable(variable, ..) => {
            let name = variable.1.as_str();
            if let Some(constants) = &context.global_runtime_state().constants
                && let Ok(constants) = constants.read()
                && let Some(constant) = constants.get(name)
            {
                reading::fits(constant, copies)?;
            }
            context.iter_imports().try_for_each(|(_, module)| check_module(module, name, copies))
        }
        _ => Ok(()),
    }
}

/// Checks the variables of this name in a module and in the modules that it imports.
fn check_module(module: &Module, name: &str, copies: Option<Copies>) -> Result<(), Raised> {
    for (_, value) in module.iter_var().filter(|(variable, _)| *variable == name) {
        reading::fits(value, copies)?;
    }
    module.iter_sub_modules().try_for_each(|(_, module)| check_module(module, name, copies))
}
