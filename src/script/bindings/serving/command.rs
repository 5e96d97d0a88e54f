//! The properties of a client's command.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map};

use crate::script::lists::texts;
use crate::script::raise::Raised;
use crate::session::Command;

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// The whole command, without its line end.
    #[rhai_fn(get = "text", pure)]
    pub fn text(command: &mut Command) -> String {
        command.text().into_owned()
    }

    /// The verb of the command, in capital letters.
    #[rhai_fn(get = "verb", pure)]
    pub fn verb(command: &mut Command) -> String {
        command.verb()
    }

    /// The tag of the command in IMAP.
    #[rhai_fn(get = "tag", pure)]
    pub fn tag(command: &mut Command) -> String {
        command.tag().into_owned()
    }

    /// The text after the verb.
    #[rhai_fn(get = "argument", pure)]
    pub fn argument_of(command: &mut Command) -> String {
        command.argument().into_owned()
    }

    /// The words after the verb. A quoted string or a literal is one word.
    #[rhai_fn(get = "arguments", return_raw, pure)]
    pub fn arguments(ctx: NativeCallContext, command: &mut Command) -> Result<Array, Raised> {
        texts(&ctx, command.arguments())
    }

    /// The address between the angle brackets of MAIL and RCPT; `()` if there is none.
    #[rhai_fn(get = "address", pure)]
    pub fn address(command: &mut Command) -> Dynamic {
        command.address().map_or(Dynamic::UNIT, Into::into)
    }

    /// The parameters after the address, as a map. The keys are the keywords in capital letters.
    #[rhai_fn(get = "parameters", pure)]
    pub fn parameters(command: &mut Command) -> Map {
        let all = command.parameters().into_iter();
        all.map(|(keyword, value)| (keyword.into(), value.into())).collect()
    }

    /// The command as it came, with its line end and its literals, as a blob.
    #[rhai_fn(get = "bytes", pure)]
    pub fn bytes_of(command: &mut Command) -> Dynamic {
        Dynamic::from_blob(command.bytes().to_vec())
    }
}
