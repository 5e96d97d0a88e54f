//! Values that can be used as patterns.

use super::{Code, Pattern, Regex};
use crate::error::Result;

/// A value that can be used as a pattern: text and bytes are literals, an integer is a reply code
/// or a class of codes.
///
/// An array of integers could mean alternatives or bytes, so it is neither:
///
/// ```compile_fail
/// fn expect(pattern: impl mailexpect::IntoPattern) {}
///
/// expect(&[220, 250]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no pattern",
    note = "alternatives: `expect_any([220, 250])`; bytes: `&b\"...\"[..]`"
)]
pub trait IntoPattern {
    /// Converts the value into a pattern.
    ///
    /// # Errors
    /// A usage error for an integer that is not a code, and for an empty literal.
    fn into_pattern(self) -> Result<Pattern>;
}

impl IntoPattern for Pattern {
    fn into_pattern(self) -> Result<Pattern> {
        Ok(self)
    }
}

impl IntoPattern for &Pattern {
    fn into_pattern(self) -> Result<Pattern> {
        Ok(self.clone())
    }
}

impl IntoPattern for Regex {
    fn into_pattern(self) -> Result<Pattern> {
        Ok(self.into())
    }
}

impl IntoPattern for Code {
    fn into_pattern(self) -> Result<Pattern> {
        Ok(self.into())
    }
}

impl IntoPattern for &str {
    fn into_pattern(self) -> Result<Pattern> {
        Pattern::bytes(self)
    }
}

impl IntoPattern for &[u8] {
    fn into_pattern(self) -> Result<Pattern> {
        Pattern::bytes(self)
    }
}

impl IntoPattern for String {
    fn into_pattern(self) -> Result<Pattern> {
        Pattern::bytes(self)
    }
}

impl IntoPattern for &String {
    fn into_pattern(self) -> Result<Pattern> {
        Pattern::bytes(self.as_str())
    }
}

impl IntoPattern for i32 {
    fn into_pattern(self) -> Result<Pattern> {
        Code::new(self.into()).map(Into::into)
    }
}

impl IntoPattern for u16 {
    fn into_pattern(self) -> Result<Pattern> {
        Code::new(self.into()).map(Into::into)
    }
}

/// A pattern that could not be built: the error is returned when the pattern is used.
impl IntoPattern for Result<Pattern> {
    fn into_pattern(self) -> Result<Pattern> {
        self
    }
}

impl IntoPattern for (i32, &str) {
    fn into_pattern(self) -> Result<Pattern> {
        Code::new(self.0.into())?.with_enhanced(self.1).map(Into::into)
    }
}
