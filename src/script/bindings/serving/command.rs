//! The properties of a client's command.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Blob, ImmutableString, Map};

use crate::proto::chomp;
use crate::script::bounds::{fits_as_string, room};
use crate::script::lists::{named_texts, texts};
use crate::script::raise::Raised;
use crate::script::texts::decoded;
use crate::session::Command;

/// Checks that the script may hold a part of a command, however long the part is.
fn may_copy(ctx: &NativeCallContext<'_>, command: &Command) -> Result<(), Raised> {
    fits_as_string(ctx, command.bytes().len())
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// The whole command, without its line end.
    #[rhai_fn(get = "text", return_raw, pure)]
    pub fn text(ctx: NativeCallContext, command: &mut Command) -> Result<ImmutableString, Raised> {
        decoded(&ctx, chomp(command.bytes()))
    }

    /// The verb of the command, in capital letters.
    #[rhai_fn(get = "verb", return_raw, pure)]
    pub fn verb(ctx: NativeCallContext, command: &mut Command) -> Result<String, Raised> {
        may_copy(&ctx, command)?;
        Ok(command.verb())
    }

    /// The tag of the command in IMAP.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(ctx: NativeCallContext, command: &mut Command) -> Result<String, Raised> {
        may_copy(&ctx, command)?;
        Ok(command.tag().into_owned())
    }

    /// The text after the verb.
    #[rhai_fn(get = "argument", return_raw, pure)]
    pub fn argument_of(ctx: NativeCallContext, command: &mut Command) -> Result<String, Raised> {
        may_copy(&ctx, command)?;
        Ok(command.argument().into_owned())
    }

    /// The words after the verb. A quoted string or a literal is one word.
    #[rhai_fn(get = "arguments", return_raw, pure)]
    pub fn arguments(ctx: NativeCallContext, command: &mut Command) -> Result<Array, Raised> {
        may_copy(&ctx, command)?;
        texts(&ctx, command.each_argument())
    }

    /// The address between the angle brackets of MAIL and RCPT; `()` if there is none.
    #[rhai_fn(get = "address", return_raw, pure)]
    pub fn address(ctx: NativeCallContext, command: &mut Command) -> Result<Dynamic, Raised> {
        may_copy(&ctx, command)?;
        Ok(command.address().map_or(Dynamic::UNIT, Into::into))
    }

    /// The parameters after the address, as a map. The keys are the keywords in capital letters.
    #[rhai_fn(get = "parameters", return_raw, pure)]
    pub fn parameters(ctx: NativeCallContext, command: &mut Command) -> Result<Map, Raised> {
        may_copy(&ctx, command)?;
        named_texts(&ctx, command.each_parameter())
    }

    /// The command as it came, with its line end and its literals, as a blob.
    #[rhai_fn(get = "bytes", return_raw, pure)]
    pub fn bytes_of(ctx: NativeCallContext, command: &mut Command) -> Result<Blob, Raised> {
        room(&ctx, command.bytes().len())?;
        Ok(command.bytes().to_vec())
    }
}
