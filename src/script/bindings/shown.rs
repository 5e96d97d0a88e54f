//! The names of the types of the language, and how values of types without a text of their own are
//! printed.

use std::any::type_name;

use rhai::Module;
use rhai::plugin::export_module;

use super::Handle;
use super::background::Background;
use super::verb::{Manual, words_of};
use crate::message::Parsed;
use crate::pattern::Pattern;
use crate::proto::capabilities::Capabilities;
use crate::proto::imap::{Answer, Argument, BodyStructure, Response};
use crate::reply::Reply;
use crate::script::following::Following;
use crate::script::listening::Listening;
use crate::script::programs::Running;
use crate::script::raise::{Caught, kind};
use crate::script::texts::Characters;
use crate::session::Command;
use crate::visible;

/// Adds the words of this file, and the names of all types for `type_of` and for Rhai's errors.
pub(super) fn add_to(module: &mut Module) {
    module.combine(words_of!(words, Manual::LeftOut));
    let types = [
        type_name::<Answer>(),
        type_name::<Argument>(),
        type_name::<Background>(),
        type_name::<BodyStructure>(),
        type_name::<Capabilities>(),
        type_name::<Caught>(),
        type_name::<Characters>(),
        type_name::<Command>(),
        type_name::<Following>(),
        type_name::<Handle>(),
        type_name::<Listening>(),
        type_name::<Parsed>(),
        type_name::<Pattern>(),
        type_name::<Reply>(),
        type_name::<Response>(),
        type_name::<Running>(),
    ];
    for name in types {
        module.set_custom_type_raw(name, kind(name));
    }
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "the macro writes code of its own beside these"
)]
mod words {
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn session(session: &mut Handle) -> String {
        let mut shown = "a session that another word uses".to_owned();
        session.look(|session| shown = format!("session {}, {}", session.id(), session.peer()));
        shown
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn server(server: &mut Background) -> String {
        format!("server {}", server.url())
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn listener(listener: &mut Listening) -> String {
        format!("listener {}", listener.listener().url())
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn started(started: &mut Running) -> String {
        format!("command `{}`", visible::escape(started.command().as_bytes()))
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn log(log: &mut Following) -> String {
        log.name().map_or_else(
            || "a log that another word reads".to_owned(),
            |name| format!("log {name}"),
        )
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn message(message: &mut Parsed) -> String {
        match message.subject() {
            Some(subject) => format!("message `{}`", visible::quoted(subject)),
            None => "message without a subject".to_owned(),
        }
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn literal(_: &mut Argument) -> String {
        "a literal for a command of IMAP".to_owned()
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn characters(_: &mut Characters) -> String {
        "the characters of a text".to_owned()
    }

    #[rhai_fn(name = "to_string", pure)]
    pub fn command(command: &mut Command) -> String {
        command.text().into_owned()
    }

    #[rhai_fn(name = "to_debug", pure)]
    pub fn command_in_one_line(command: &mut Command) -> String {
        visible::escape(command.text().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rhai::FuncInfo;

    use crate::script::engine::engine;

    #[test]
    fn every_type_of_a_word_has_a_name_of_the_language() {
        let engine = engine(std::sync::Arc::default());
        let types = |function: FuncInfo<'_>| {
            let params = function.metadata.params_info.iter();
            Some(params.map(ToString::to_string).collect::<Vec<_>>())
        };
        let params = engine.collect_fn_metadata(None, types, true).into_iter().flatten();
        let own: BTreeSet<_> = params.filter(|param| param.contains("mailexpect::")).collect();
        assert_eq!(own, BTreeSet::new());
    }
}
