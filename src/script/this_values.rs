//! Evaluates the expressions that stand for copies of `this`; see [`this`].

use rhai::{Dynamic, Engine, EvalAltResult, EvalContext, Position};

use super::copies::Copies;
use super::raise::Raised;
use super::{reading, this};

/// Makes the engine understand the expressions that stand for copies of `this`.
pub(super) fn understand(engine: &mut Engine) {
    for (name, copies) in [(this::COPY, Copies::Whole), (this::COPY_TWICE, Copies::Twice)] {
        engine.register_custom_syntax_without_look_ahead_raw(
            name,
            |_, _| Ok(None),
            false,
            move |context, _, _| copy(context, copies),
        );
    }
    #[expect(deprecated, reason = "Rhai calls it volatile; its version is pinned")]
    engine.on_parse_token(|token, place, _| this::token(token, place));
}

fn copy(context: &EvalContext<'_, '_, '_, '_, '_, '_>, copies: Copies) -> Result<Dynamic, Raised> {
    let Some(this) = context.this_ptr() else {
        return Err(EvalAltResult::ErrorUnboundThis(Position::NONE).into());
    };
    reading::fits(this, copies)?;
    Ok(this.clone())
}
