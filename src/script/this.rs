//! The copies of `this` that methods of scripts make.
//!
//! Rhai tells when a variable is read, but not when `this` is. So `this` is compiled as an
//! expression of our own wherever it is read as a value, and evaluated after the same check as a
//! variable.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rhai::{AST, Engine, ParseError, Position, Token};

use super::copies::{self, Copies, THIS};

/// The names of the expression. No script can write them.
pub(super) const COPY: &str = "a copy of this";
pub(super) const COPY_TWICE: &str = "a copy of this, to be copied once more";

thread_local! {
    /// The places of `this` in the source that is being compiled that are to be expressions of our
    /// own.
    static PLACES: RefCell<BTreeMap<Position, Copies>> =
        const { RefCell::new(BTreeMap::new()) };
}

/// Returns the token that stands in the place of another one.
pub(super) fn token(token: Token, place: Position) -> Token {
    let is_this = matches!(&token, Token::Reserved(word) if word.as_str() == THIS);
    match PLACES.with_borrow(|places| places.get(&place).filter(|_| is_this).copied()) {
        Some(Copies::Twice) => Token::Custom(Box::new(COPY_TWICE.into())),
        Some(_) => Token::Custom(Box::new(COPY.into())),
        None => token,
    }
}

/// Compiles a source.
///
/// # Errors
/// The error in its syntax.
pub(super) fn compile(engine: &Engine, text: &str) -> Result<AST, ParseError> {
    let ast = engine.compile(text)?;
    let places = copies::of_this(&ast);
    if places.is_empty() {
        return Ok(ast);
    }
    PLACES.set(places);
    let ast = engine.compile(text);
    PLACES.take();
    ast
}
