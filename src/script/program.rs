//! A compiled script.

use std::sync::OnceLock;

use rhai::{
    AST, Caches, Dynamic, Engine, Expr, GlobalRuntimeState, ImmutableString, Namespace,
    NativeCallContext, Position, Scope, Shared, Stmt,
};

use super::copies::{Copied, Copies};
use super::guard;
use super::raise::Raised;

/// A variable that no script can have, because its name is a keyword.
pub(super) const EXPORTS: &str = "export";

/// A script, which may run many times.
pub(super) struct Program {
    pub(super) ast: AST,
    /// The source with the checks of `guard`, if it needs some.
    guarded: Option<AST>,
    name: Option<ImmutableString>,
    /// The variables of which the script copies the value. They are found only when a script holds
    /// so much memory that copies matter.
    copied: OnceLock<Copied>,
    /// The source as other scripts import it.
    module: OnceLock<AST>,
}

/// The state that Rhai keeps during a run. In a box, so that a script that waits holds little of
/// its stack.
struct State {
    caches: Caches,
    global: GlobalRuntimeState,
    scope: Scope<'static>,
}

impl Program {
    pub(super) fn new(ast: AST) -> Self {
        Self {
            name: ast.source().map(Into::into),
            guarded: guard::guarded(&ast),
            ast,
            copied: OnceLock::new(),
            module: OnceLock::new(),
        }
    }

    /// Returns the name of its source.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Returns the source as it runs.
    fn running(&self) -> &AST {
        self.guarded.as_ref().unwrap_or(&self.ast)
    }

    /// How much of a variable's value is copied when it is read; `None` if nothing is.
    pub(super) fn copies(&self, variable: &str) -> Option<Copies> {
        self.copied().get(variable)
    }

    pub(super) fn copied(&self) -> &Copied {
        self.copied.get_or_init(|| Copied::of(&self.ast))
    }

    /// Returns the source as other scripts import it: at its end, it reads [`EXPORTS`], before Rhai
    /// copies what the source exports.
    pub(super) fn module(&self) -> &AST {
        self.module.get_or_init(|| {
            let variable = (None, EXPORTS.into(), Namespace::default(), 0);
            let exports = Expr::Variable(Box::new(variable), None, Position::NONE);
            let ast = self.running();
            let statements = ast.statements().iter().cloned();
            let statements = statements.chain([Stmt::Expr(Box::new(exports))]);
            AST::new_with_source(statements, Shared::clone(ast.shared_lib()), self.name())
        })
    }

    /// Runs the script from its first statement to its last, with the engine that compiled it.
    ///
    /// `finally` runs after that in any case, with the value that the script ended with.
    ///
    /// # Errors
    /// The error that ended the script.
    pub(super) fn run(
        &self,
        engine: &Engine,
        finally: impl FnOnce(&NativeCallContext<'_>, Option<&Dynamic>),
    ) -> Result<(), Raised> {
        let mut state = self.state(engine);
        let State { caches, global, scope } = &mut *state;
        // Rhai has no other way to evaluate statements and keep the state, which `finally` needs.
        #[expect(deprecated, reason = "to be removed in Rhai 2")]
        let ended = engine.eval_statements_raw(global, caches, scope, self.running().statements());
        let context = (engine, "finally", self.name.as_deref(), &*global, Position::NONE).into();
        finally(&context, ended.as_ref().ok());
        ended.map(drop)
    }

    /// Not inlined, so that its stack is free while the script runs.
    #[inline(never)]
    fn state(&self, engine: &Engine) -> Box<State> {
        let mut global = engine.new_global_runtime_state();
        global.source.clone_from(&self.name);
        global.lib.push(Shared::clone(self.running().shared_lib()));
        Box::new(State { caches: Caches::new(), global, scope: Scope::new() })
    }
}
