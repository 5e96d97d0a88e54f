//! The work of Rhai's parser, which is bounded.
//!
//! For each name that a script reads or declares, the parser compares the variables and the
//! functions that the script has so far, one by one. So its time is the square of the number of
//! names: 20 000 variables take 3 s, and a script of 2 MiB has room for 200 000.

use std::cell::RefCell;

use rhai::{LexError, Token};

/// The most names that the parser compares for one source, which takes it about 7 s. A script of
/// 5000 sessions needs a third of that.
const MOST: u64 = 500_000_000;

thread_local! {
    /// The work on the source that is parsed on this thread.
    static WORK: RefCell<Option<Work>> = const { RefCell::new(None) };
}

/// Parses a source, with a bound on the work of the parser.
pub(super) fn bounded<T>(parse: impl FnOnce() -> T) -> T {
    WORK.set(Some(Work::default()));
    let parsed = parse();
    WORK.set(None);
    parsed
}

/// Called for each token of a source: ends the parser if its work is too much.
pub(super) fn token(token: Token) -> Token {
    let refusal = WORK.with_borrow_mut(|work| work.as_mut()?.came(&token));
    refusal.map_or(token, |why| Token::LexError(Box::new(LexError::Runtime(why))))
}

/// How much the parser has compared, and the names that it knows.
#[derive(Default)]
struct Work {
    variables: u64,
    functions: u64,
    compared: u64,
    /// The variables outside of each block that is open.
    outside: Vec<u64>,
    /// The variables of the next block: that of a loop.
    next: u64,
    /// Whether the next block is that of a function, which sees no variables from outside.
    is_function: bool,
    /// Whether the last token was a name, which may be that of a function that is called.
    is_name: bool,
}

impl Work {
    /// Counts a token. Returns why the source is refused, if it is.
    fn came(&mut self, token: &Token) -> Option<String> {
        let was_name = std::mem::replace(&mut self.is_name, matches!(token, Token::Identifier(_)));
        let is_call =
            matches!(token, Token::LeftParen | Token::Unit | Token::Bang | Token::DoubleColon);
        if was_name && !is_call {
            self.compared += self.variables + self.functions;
        }
        match token {
            Token::Let | Token::Const => self.variables += 1,
            Token::For => self.next += 1,
            Token::Fn => {
                self.functions += 1;
                self.is_function = true;
            }
            Token::LeftBrace | Token::MapStart => {
                self.outside.push(self.variables);
                self.variables += std::mem::take(&mut self.next);
                if std::mem::take(&mut self.is_function) {
                    self.variables = 0;
                }
            }
            Token::RightBrace => self.variables = self.outside.pop().unwrap_or(self.variables),
            _ => {}
        }
        (self.compared > MOST).then(|| {
            let (variables, functions) = (self.variables, self.functions);
            format!(
                "the script has too many names: {variables} variables and {functions} functions up to here; put some into modules, or values into a list or a map"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(script: &str) -> (u64, u64, u64) {
        let mut engine = rhai::Engine::new_raw();
        #[expect(deprecated, reason = "Rhai has no other way to stop its parser")]
        engine.on_parse_token(|one, _, _| token(one));
        bounded(|| {
            engine.compile(script).unwrap();
            WORK.with_borrow(|work| {
                let work = work.as_ref().unwrap();
                (work.variables, work.functions, work.compared)
            })
        })
    }

    #[test]
    fn what_the_parser_compares_is_counted() {
        for (script, counted) in [
            ("let a = 1; let b = 2; let c = 3;", (3, 0, 1 + 2 + 3)),
            ("let a = 1; a; a; a.b;", (1, 0, 5)),
            ("let a = 1; f(a); a.f(); a.f(1);", (1, 0, 4)),
            ("let a = 1; { let b = 2; let c = 3; } a;", (1, 0, 1 + 2 + 3 + 1)),
            (
                "let a = 1; fn f(x) { x } fn g(x) { let y = x; y }",
                (1, 2, 1 + 2 + 1 + 3 + 3 + 3 + 3),
            ),
            ("let a = 1; for x in a { x; } a;", (1, 0, 1 + 1 + 1 + 2 + 1)),
            ("let a = #{b: 1}; const C = `${a}`;", (2, 0, 1 + 1 + 2 + 2)),
        ] {
            assert_eq!(work(script), counted, "{script}");
        }
    }

    #[test]
    fn a_source_with_too_many_names_is_refused() {
        let mut work = Work { variables: 9, functions: 7, compared: MOST, ..Work::default() };
        assert_eq!(work.came(&Token::Identifier(Box::new("a".into()))), None);
        let why = work.came(&Token::SemiColon).unwrap();
        assert!(why.contains("9 variables and 7 functions"), "{why}");
    }

    #[test]
    fn the_parser_of_scripts_is_bounded() {
        let engine = super::super::engine::engine(std::sync::Arc::default());
        let error = bounded(|| {
            WORK.with_borrow_mut(|work| work.as_mut().unwrap().compared = MOST);
            engine.compile("let a = 1; a").unwrap_err()
        });
        assert!(error.to_string().contains("too many names"), "{error}");
        assert!(engine.compile("let a = 1; a").is_ok(), "outside of it, nothing is counted");
    }
}
