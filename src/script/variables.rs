//! What is done when a script reads a variable. An engine keeps one function for it: a second one
//! would take the place of the first.

use rhai::Engine;

use super::{bounds, catching, coroutine};

/// Has each variable looked at before it is read: a caught error of Rhai becomes an error of ours,
/// and a text or blob that operators have made too long ends the script.
pub(super) fn watch(engine: &mut Engine) {
    // Elsewhere Rhai itself looks at how long values are.
    let is_counted = coroutine::is_counted();
    #[expect(deprecated, reason = "Rhai calls it volatile; its version is pinned")]
    engine.on_var(move |name, _, mut context| {
        catching::change(name, &mut context);
        if is_counted {
            bounds::check_length(name, &context)?;
        }
        Ok(None)
    });
}
