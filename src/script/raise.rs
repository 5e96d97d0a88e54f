//! Errors of ours as Rhai's, which scripts can catch.
#![allow(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed")]

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use crate::error::Error;

/// What a word may fail with; boxed, as Rhai wants it.
pub(super) type Raised = Box<EvalAltResult>;

/// An error on its way through a script, which can catch it and look at its parts.
#[derive(Clone, Debug)]
pub(super) struct Caught(Arc<(Error, Spot)>);

/// A place by the name of its source.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    source: Option<String>,
    position: Position,
}

impl Spot {
    /// The name of the source; of none in the one that is being run.
    pub(super) fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// A place in a source.
    pub(super) fn at(source: Option<&str>, position: Position) -> Self {
        Self { source: source.map(str::to_owned), position }
    }

    /// Where the call that is under way is written.
    pub(super) fn of(context: &NativeCallContext<'_>) -> Self {
        Self { source: context.call_source().map(str::to_owned), position: context.call_position() }
    }

    /// The same in place of a spot that is most often in the same source.
    pub(super) fn renew(&mut self, context: &NativeCallContext<'_>) {
        if self.source.as_deref() == context.call_source() {
            self.position = context.call_position();
        } else {
            *self = Self::of(context);
        }
    }
}

impl Caught {
    /// An error at a place.
    pub(super) fn new(error: Error, spot: Spot) -> Self {
        Self(Arc::new((error, spot)))
    }

    /// Another error at the same place.
    pub(super) fn with(&self, error: Error) -> Self {
        Self::new(error, self.spot().clone())
    }

    /// The same, on its way again.
    pub(super) fn raised(&self) -> Raised {
        Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(self.clone()), self.position()))
    }

    pub(super) fn error(&self) -> &Error {
        &self.0.0
    }

    /// The place of the word that failed.
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

/// Raises an error at the call that is under way.
pub(super) fn raise(context: &NativeCallContext<'_>, error: Error) -> Raised {
    let spot = Spot::of(context);
    let position = spot.position;
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(Caught(Arc::new((error, spot)))), position))
}

/// An error at a place of the source that is being run.
pub(super) fn raised_at(position: Position, error: Error) -> Raised {
    Box::new(EvalAltResult::ErrorRuntime(
        Dynamic::from(Caught(Arc::new((error, Spot { source: None, position })))),
        position,
    ))
}

/// A Rust type as scripts know it.
pub(super) fn kind(name: &str) -> &str {
    match name.rsplit("::").next().unwrap_or(name) {
        "Handle" => "session",
        "Background" => "server",
        "Capabilities" => "capabilities",
        "Caught" => "error",
        "Reply" => "reply",
        "Running" => "command",
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
        "Blob" => "blob",
        "FnPtr" | "Fn" => "function",
        "Dynamic" => "value",
        other => other,
    }
}
