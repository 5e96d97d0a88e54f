//! The Rhai engine, with its limits and words.

use std::sync::{Arc, LazyLock};

use rhai::packages::{Package as _, StandardPackage};
use rhai::{Dynamic, Engine, LexError, OptimizationLevel, Shared, Token, def_package};

use super::ended::Ended;
use super::library::{Library, Resolver};
use super::run::Run;
use super::{
    bindings, bounds, coroutine, lengths, native, parsing, predicates, searching, showing, texts,
};
use crate::room;
use crate::stoppable;
use crate::transcript::What;

/// How deep calls of script functions may nest.
const CALL_LEVELS: usize = 64;
/// How deep expressions may nest; half of this within functions.
const EXPRESSION_DEPTH: usize = 64;
/// The most elements of all lists of one value, and of entries of its object maps, if the memory of
/// scripts is not counted.
const MOST_ELEMENTS: usize = 16 << 20;
/// The most modules that one script and its modules import.
const MODULES: usize = 256;
def_package! {
    /// Rhai's standard library, with some functions of our own.
    pub(super) Standard(all): StandardPackage {
        all.combine_manifest(&native::words::RHAI_MANIFEST);
        all.combine_manifest(&predicates::words::RHAI_MANIFEST);
        all.combine_manifest(&lengths::words::RHAI_MANIFEST);
        all.combine_manifest(&searching::words::RHAI_MANIFEST);
        all.combine_manifest(&showing::words::RHAI_MANIFEST);
        all.combine_manifest(&texts::words::RHAI_MANIFEST);
        texts::iterate(all);
    }
}

static STANDARD: LazyLock<Shared<rhai::Module>> =
    LazyLock::new(|| Standard::new().as_shared_module());

/// Makes an engine with all words, which finds modules in the library.
pub(super) fn engine(library: Arc<Library>) -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(Shared::clone(&STANDARD));
    engine.register_global_module(bindings::vocabulary());
    engine
        .set_max_strings_interned(0)
        .set_max_call_levels(CALL_LEVELS)
        .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH / 2)
        .set_max_modules(MODULES)
        // The optimizer would hide mistakes: it replaces a property that a map of constants does not
        // have by `()`.
        .set_optimization_level(OptimizationLevel::None)
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
    // The API that Rhai calls deprecated is one that it may change.
    #[expect(deprecated, reason = "Rhai has no other way to stop its parser")]
    engine.on_parse_token(|token, _, _| parsing::token(unless_stopped(token)));
    bound_values(&mut engine);
    engine
}

/// Called for each token of a source: ends the parser if it must stop.
fn unless_stopped(token: Token) -> Token {
    if stoppable::is_stopped() {
        return Token::LexError(Box::new(LexError::Runtime("stopped".to_owned())));
    }
    token
}

/// Limits the size of values. With Rhai's own limits, Rhai walks through a whole value after each
/// operation on it to measure it. A loop over the content of a large mailbox would then take
/// quadratic time. So these limits are set only if memory is not counted. Otherwise the memory of
/// the script is the limit, and `variables` checks texts and blobs.
fn bound_values(engine: &mut Engine) {
    room::ends(has_to_end);
    if coroutine::is_counted() {
        room::ask(coroutine::room);
    } else {
        engine
            .set_max_string_size(bounds::LONGEST)
            .set_max_array_size(MOST_ELEMENTS)
            .set_max_map_size(MOST_ELEMENTS);
    }
}

/// Whether the running script has to end. A script that catches the error of the word which was
/// ended ends all the same.
fn has_to_end() -> bool {
    let Some(stop) = coroutine::has_to_end() else { return false };
    if let Ok(run) = Run::current() {
        run.ending.end(Ended::Stopped(stop, None));
    }
    true
}

/// The most bytes of a printed text that go to the report, because nobody reads more there.
const PRINTED: usize = 64 << 10;

fn print(text: &str) {
    if let Ok(run) = Run::current() {
        run.transcript.note(What::Printed(bounds::beginning(text, PRINTED)));
    }
}

/// Called for each operation: ends the script if it must end, and lets other scripts have their
/// turn.
///
/// The number of operations that Rhai passes is of no use, because a callback of a function such as
/// `map` starts its own count.
fn progress(_operations: u64) -> Option<Dynamic> {
    let ended = bounds::must_end()?;
    // Some of Rhai's own functions swallow the errors of their callbacks, and this end with them.
    // So the run remembers the end.
    if let Ok(run) = Run::current() {
        run.ending.end(ended.clone());
    }
    Some(Dynamic::from(ended))
}
