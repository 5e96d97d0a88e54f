//! What a closure that decides for a server is given.

use bytes::Bytes;
use rhai::{Dynamic, Map, NativeCallContext};

use crate::script::bounds::room;
use crate::script::lists::{named_texts, texts};
use crate::script::raise::Raised;
use crate::server::Question;
use crate::session::Command;

/// Returns a command as the closure sees it: the properties of a command from `expect_command`,
/// with the number of the connection and the number of the command.
pub(super) fn shown(context: &NativeCallContext<'_>, question: &Question) -> Result<Map, Raised> {
    let count = |number: u64| Dynamic::from(i64::try_from(number).unwrap_or(i64::MAX));
    // The bytes are copied as the command, as its text, its argument and its address.
    room(context, question.command.len().saturating_mul(5))?;
    let command = Command::new(Bytes::copy_from_slice(&question.command), question.speech);
    let arguments = texts(context, command.each_argument())?;
    let parameters = named_texts(context, command.each_parameter())?;
    let parts: [(&str, Dynamic); 9] = [
        ("text", command.text().into_owned().into()),
        ("verb", command.verb().into()),
        ("argument", command.argument().into_owned().into()),
        ("arguments", arguments.into()),
        ("address", command.address().map_or(Dynamic::UNIT, Into::into)),
        ("parameters", parameters.into()),
        ("bytes", Dynamic::from_blob(question.command.clone())),
        ("connection", count(question.connection)),
        ("number", count(question.number)),
    ];
    Ok(parts.into_iter().map(|(name, value)| (name.into(), value)).collect())
}
