//! What a client's command says.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, export_module};
use rhai::{Array, Map};

use crate::session::Command;

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// All of a command, without its line end.
    #[rhai_fn(get = "text", pure)]
    pub fn text(command: &mut Command) -> String {
        command.text().into_owned()
    }

    /// The verb of a command, in capital letters.
    #[rhai_fn(get = "verb", pure)]
    pub fn verb(command: &mut Command) -> String {
        command.verb()
    }

    /// The tag of a command in IMAP.
    #[rhai_fn(get = "tag", pure)]
    pub fn tag(command: &mut Command) -> String {
        command.tag().into_owned()
    }

    /// What follows the verb.
    #[rhai_fn(get = "argument", pure)]
    pub fn argument_of(command: &mut Command) -> String {
        command.argument().into_owned()
    }

    /// The words that follow the verb; a quoted string or a literal is one of them.
    #[rhai_fn(get = "arguments", pure)]
    pub fn arguments(command: &mut Command) -> Array {
        command.arguments().into_iter().map(Into::into).collect()
    }

    /// The address between angle brackets in MAIL and RCPT; `()` if there is none.
    #[rhai_fn(get = "address", pure)]
    pub fn address(command: &mut Command) -> Dynamic {
        command.address().map_or(Dynamic::UNIT, Into::into)
    }

    /// The parameters after the address, by their keywords in capital letters.
    #[rhai_fn(get = "parameters", pure)]
    pub fn parameters(command: &mut Command) -> Map {
        let all = command.parameters().into_iter();
        all.map(|(keyword, value)| (keyword.into(), value.into())).collect()
    }

    /// A command as it came, with its line end and its literals, as a blob.
    #[rhai_fn(get = "bytes", pure)]
    pub fn bytes_of(command: &mut Command) -> Dynamic {
        Dynamic::from_blob(command.bytes().to_vec())
    }
}
