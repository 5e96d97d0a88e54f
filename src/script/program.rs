//! A compiled script, and what its runs have found out about its calls.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rhai::{
    AST, Caches, Dynamic, Engine, GlobalRuntimeState, ImmutableString, NativeCallContext, Position,
    Scope, Shared,
};

use super::raise::Raised;

/// How many caches are kept for the next runs.
const POOL: usize = 64;

/// A script that runs many times. Which function a call means is looked up in all modules, under
/// several names; Rhai remembers it in a cache, and a run takes over that of one before.
pub(super) struct Program {
    pub(super) ast: AST,
    name: Option<ImmutableString>,
    caches: Mutex<Vec<Caches>>,
}

/// What Rhai keeps of a run. In a box, as a script that waits shall hold little of its stack.
struct State {
    caches: Caches,
    global: GlobalRuntimeState,
    scope: Scope<'static>,
}

impl Program {
    pub(super) fn new(ast: AST) -> Self {
        Self { name: ast.source().map(Into::into), ast, caches: Mutex::default() }
    }

    /// The name of its source.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Runs it from its first statement to its last, with the engine that compiled it.
    ///
    /// `finally` runs after that, whatever came of it, with the value that the script ended with.
    ///
    /// # Errors
    /// What it was ended by.
    pub(super) fn run(
        &self,
        engine: &Engine,
        finally: impl FnOnce(&NativeCallContext<'_>, Option<&Dynamic>),
    ) -> Result<(), Raised> {
        let mut state = self.state(engine);
        let State { caches, global, scope } = &mut *state;
        // Rhai has no other way to run something with caches that are there already.
        #[expect(deprecated, reason = "to be removed in Rhai 2")]
        let ended = engine.eval_statements_raw(global, caches, scope, self.ast.statements());
        let context = (engine, "finally", self.name.as_deref(), &*global, Position::NONE).into();
        finally(&context, ended.as_ref().ok());
        let ended = ended.map(drop);
        if ended.is_ok() {
            self.keep(state);
        }
        ended
    }

    /// A function of its own, and so is the other: what they need of the stack is free again while
    /// the script runs.
    #[inline(never)]
    fn state(&self, engine: &Engine) -> Box<State> {
        let caches = self.pool().pop().unwrap_or_default();
        let mut global = engine.new_global_runtime_state();
        global.source.clone_from(&self.name);
        global.lib.push(Shared::clone(self.ast.shared_lib()));
        Box::new(State { caches, global, scope: Scope::new() })
    }

    #[inline(never)]
    fn keep(&self, state: Box<State>) {
        // A module may have brought functions that the next run does not import.
        if state.global.num_imports() == 0 {
            let mut pool = self.pool();
            if pool.len() < POOL {
                pool.push(state.caches);
            }
        }
    }

    fn pool(&self) -> MutexGuard<'_, Vec<Caches>> {
        // Nothing panics while it is locked.
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
