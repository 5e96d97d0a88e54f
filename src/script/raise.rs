//! Turns errors of this crate into errors of Rhai, which scripts can catch.
#![allow(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed")]

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use crate::error::Error;

/// The error of a word; boxed, as Rhai needs it.
pub(super) type Raised = Box<EvalAltResult>;

/// An error that passes through a script. The script can catch it and read its parts.
#[derive(Clone, Debug)]
pub(super) struct Caught(Arc<(Error, Spot)>);

/// A position in a source, which is given by its name.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    source: Option<String>,
    position: Position,
}

impl Spot {
    /// Returns the name of the source; `None` in the script that is being run.
    pub(super) fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Makes the spot for a position in a source.
    pub(super) fn at(source: Option<&str>, position: Position) -> Self {
        Self { source: source.map(str::to_owned), position }
    }

    /// Returns the spot of the current call in the script.
    pub(super) fn of(context: &NativeCallContext<'_>) -> Self {
        Self { source: context.call_source().map(str::to_owned), position: context.call_position() }
    }

    /// Sets this spot to that of the current call. The new spot is usually in the same source, and
    /// then the name of the source is not copied.
    pub(super) fn renew(&mut self, context: &NativeCallContext<'_>) {
        if self.source.as_deref() == context.call_source() {
            self.position = context.call_position();
        } else {
            *self = Self::of(context);
        }
    }
}

impl Caught {
    /// Makes an error with its place.
    pub(super) fn new(error: Error, spot: Spot) -> Self {
        Self(Arc::new((error, spot)))
    }

    /// Returns another error with the same place.
    pub(super) fn with(&self, error: Error) -> Self {
        Self::new(error, self.spot().clone())
    }

    /// Raises this error again.
    pub(super) fn raised(&self) -> Raised {
        Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(self.clone()), self.position()))
    }

    pub(super) fn error(&self) -> &Error {
        &self.0.0
    }

    /// Returns the place of the word that failed.
    pub(super) fn spot(&self) -> &Spot {
        &self.0.1
    }

    pub(super) fn file(&self) -> &str {
        self.0.1.source.as_deref().unwrap_or_default()
    }

    pub(super) fn position(&self) -> Position {
        self.0.1.position
    }
}

/// Raises an error at the current call.
pub(super) fn raise(context: &NativeCallContext<'_>, error: Error) -> Raised {
    let spot = Spot::of(context);
    let position = spot.position;
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(Caught(Arc::new((error, spot)))), position))
}

/// Raises an error at a position of the source that is being run.
pub(super) fn raised_at(position: Position, error: Error) -> Raised {
    Box::new(EvalAltResult::ErrorRuntime(
        Dynamic::from(Caught(Arc::new((error, Spot { source: None, position })))),
        position,
    ))
}

/// Whether the type of a value is one of this crate, not of Rhai.
pub(super) fn is_own(value: &Dynamic) -> bool {
    value.type_name().starts_with(concat!(env!("CARGO_PKG_NAME"), "::"))
}

/// Returns the name that scripts use for a Rust type.
pub(super) fn kind(name: &str) -> &str {
    match name.rsplit("::").next().unwrap_or(name) {
        "Handle" => "session",
        "Background" => "server",
        "Listening" => "listener",
        "Answer" => "answer",
        "Response" => "response",
        "Argument" => "argument",
        "BodyStructure" => "structure",
        "Capabilities" => "capabilities",
        "Caught" => "error",
        "Reply" => "reply",
        "Running" | "Command" => "command",
        "Following" => "log",
        "Parsed" => "message",
        "Pattern" => "pattern",
        "()" => "nothing",
        "i64" => "integer",
        "f64" => "float",
        "bool" => "boolean",
        "char" => "character",
        "ImmutableString" | "String" | "string" | "&str | ImmutableString | String" => "text",
        "Array" | "array" => "list",
        "Map" => "map",
        "Characters" => "characters",
        "BitRange" => "bits",
        "Range<i64>" | "RangeInclusive<i64>" | "range=" => "range",
        "Blob" => "blob",
        "FnPtr" | "Fn" => "function",
        "Dynamic" => "value",
        other => other,
    }
}

/// Returns the name of a type with its article.
pub(super) fn with_article(noun: &str) -> String {
    if ["nothing", "text"].contains(&noun) {
        return noun.to_owned();
    }
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}
