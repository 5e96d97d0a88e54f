//! Handles the reads of variables. An engine has room for one function for this purpose, and a
//! second function would replace the first.

use rhai::Engine;

use super::{bounds, catching, coroutine};

/// Checks each variable before it is read. A caught error of Rhai becomes an error of this crate,
/// and a text or blob that operators have made too long ends the script.
pub(super) fn watch(engine: &mut Engine) {
    // If memory is not counted, Rhai itself checks the length of values.
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
