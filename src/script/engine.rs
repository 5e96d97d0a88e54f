//! Rhai, with its limits.

use std::sync::{Arc, LazyLock};

use rhai::packages::{
    BasicArrayPackage, BasicBlobPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
    BasicMathPackage, BasicStringPackage, BasicTimePackage, BitFieldPackage, LanguageCorePackage,
    MoreStringPackage, Package as _,
};
use rhai::{Dynamic, Engine, Shared, def_package};

use super::library::{Library, Resolver};
use super::run::Run;
use super::{bindings, bounds, coroutine, lengths, native, numbers};
use crate::transcript::What;

/// Levels of script functions calling each other.
const CALL_LEVELS: usize = 64;
/// How deep expressions nest, and in functions half as deep.
const EXPRESSION_DEPTH: usize = 64;
/// Elements of all lists of one value, and entries of its object maps, if nobody counts what scripts
/// hold.
const MOST_ELEMENTS: usize = 16 << 20;
/// Modules imported by one script, and by those modules.
const MODULES: usize = 256;
def_package! {
    /// Rhai's standard library, with some functions of our own.
    Standard(all):
        LanguageCorePackage, BasicStringPackage, BasicIteratorPackage, BasicFnPackage, BitFieldPackage, BasicMathPackage,
        BasicArrayPackage, BasicBlobPackage, BasicMapPackage, BasicTimePackage, MoreStringPackage
    {
        all.combine_manifest(&numbers::words::RHAI_MANIFEST);
        all.combine_manifest(&native::words::RHAI_MANIFEST);
        all.combine_manifest(&lengths::words::RHAI_MANIFEST);
    }
}

static STANDARD: LazyLock<Shared<rhai::Module>> =
    LazyLock::new(|| Standard::new().as_shared_module());

/// An engine with all words, which finds modules in the library.
pub(super) fn engine(library: Arc<Library>) -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(Shared::clone(&STANDARD));
    engine.register_global_module(bindings::vocabulary());
    engine
        .set_max_strings_interned(0)
        .set_max_call_levels(CALL_LEVELS)
        .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH / 2)
        .set_max_modules(MODULES)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .disable_symbol("eval")
        .set_default_tag(Dynamic::from(Arc::clone(&library)))
        .set_module_resolver(Resolver(library))
        .on_print(print)
        .on_debug(|text, source, position| {
            let source = source.map(|source| format!("{source}:")).unwrap_or_default();
            print(&format!("{source}{position:?} {text}"));
        })
        .on_progress(progress);
    bound_values(&mut engine);
    engine
}

/// Bounds how large values become. Rhai goes through a whole value after each operation on it to see
/// how large it is, which makes a loop over what a large mailbox holds quadratic. If what a script
/// holds is counted, that is its bound, and `variables` looks at texts and blobs.
fn bound_values(engine: &mut Engine) {
    if !coroutine::is_counted() {
        engine
            .set_max_string_size(bounds::LONGEST)
            .set_max_array_size(MOST_ELEMENTS)
            .set_max_map_size(MOST_ELEMENTS);
    }
}

/// What of a text goes to the report: nobody reads more of it there.
const PRINTED: usize = 64 << 10;

fn print(text: &str) {
    if let Ok(run) = Run::current() {
        run.transcript.note(What::Printed(bounds::beginning(text, PRINTED)));
    }
}

/// Called for each operation: gives up if it must, and lets others have their turn.
///
/// The number of operations that Rhai hands over is of no use: a callback of a function such as
/// `map` begins to count anew.
fn progress(_operations: u64) -> Option<Dynamic> {
    let ended = bounds::must_end()?;
    // Some of Rhai's own functions swallow the errors of their callbacks, and this one with them:
    // the run remembers it.
    if let Ok(run) = Run::current() {
        run.end(ended.clone());
    }
    Some(Dynamic::from(ended))
}
