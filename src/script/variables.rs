//! Handles the reads of variables. An engine has room for one function for this purpose, and a
//! second function would replace the first.

use rhai::{Dynamic, Engine};

use super::program::EXPORTS;
use super::{catching, coroutine, guarded, reading};

/// Checks each variable before it is read. A caught error of Rhai becomes an error of this crate,
/// and a text or blob that operators have made too long ends the script, as does a value of which
/// the script has no room for a copy.
pub(super) fn watch(engine: &mut Engine, memory: usize) {
    // If memory is not counted, Rhai itself checks the length of values.
    let is_counted = coroutine::is_counted();
    let looks_from = reading::looks_from(memory);
    guarded::understand(engine, if is_counted { looks_from } else { isize::MAX });
    #[expect(deprecated, reason = "Rhai calls it volatile; its version is pinned")]
    engine.on_var(move |name, _, mut context| {
        catching::change(name, &mut context);
        if name == EXPORTS {
            reading::check_exports(&context)?;
            return Ok(Some(Dynamic::UNIT));
        }
        if is_counted {
            reading::check(name, &context, looks_from)?;
        }
        Ok(None)
    });
}
