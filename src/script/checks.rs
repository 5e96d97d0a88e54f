//! The expressions of our own that stand around others, and as the bodies of functions.

use rhai::{Dynamic, Engine, Expr, Position, ScriptFuncDef, Shared, Stmt, StmtBlock, Token};

/// When the value of an expression is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Before it is evaluated: the value is that of a variable, or a part of it.
    Before,
    /// After it was evaluated, before it is used.
    After,
    /// Before a value is put to an index: it must not be a text that is too long for that.
    Indexed,
    /// As `After`, of a value that `switch` goes through to find the case.
    Hashed,
    /// As `After`, of a property that is compared with a literal.
    Compared,
}

impl When {
    pub(super) const ALL: [Self; 5] =
        [Self::Before, Self::After, Self::Indexed, Self::Hashed, Self::Compared];

    /// The name of the expression. No script can write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Before => "a copy of a value",
            Self::After => "a value that was made",
            Self::Indexed => "an index",
            Self::Hashed => "a value to switch on",
            Self::Compared => "a property to compare",
        }
    }
}

/// The name of the expression that is the whole body of a function.
pub(super) const BODY: &str = "the body of a function";

/// Returns a function with other statements. Rhai has no way to change the body of a function, so
/// the new body is an expression of our own that evaluates the statements.
pub(super) fn with_body(function: &ScriptFuncDef, statements: Vec<Stmt>) -> ScriptFuncDef {
    let block = StmtBlock::new(statements, Position::NONE, Position::NONE);
    let body = Shared::new(Expr::Stmt(Box::new(block)));
    let mut engine = Engine::new_raw();
    engine.register_custom_syntax_with_state_raw(
        BODY,
        move |_, _, state| {
            *state = Dynamic::from(Shared::clone(&body));
            Ok(None)
        },
        false,
        |_, _, _| Ok(Dynamic::UNIT),
    );
    #[expect(deprecated, reason = "Rhai calls it volatile; its version is pinned")]
    engine.on_parse_token(|token, _, _| match token {
        Token::Identifier(name) if *name == "body" => Token::Custom(Box::new(BODY.into())),
        token => token,
    });
    let mut function = function.clone();
    if let Ok(ast) = engine.compile("fn f() { body }")
        && let Some(stub) = ast.iter_fn_def().next()
    {
        function.body = stub.body.clone();
    }
    function
}
