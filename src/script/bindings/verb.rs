//! How verbs come into the language: each with and without options as its last argument.

use rhai::plugin::{ModuleManifest, RhaiFunc};
use rhai::{Array, FuncRegistration, Map, Module};

use super::argument::{self, Call};
use super::imap;
use crate::error::Result;
use crate::session::Session;

/// What every verb takes as its last argument.
const OPTIONS: [&str; 2] = ["timeout", "expect"];

/// Sets for the verb that comes next what its caller has asked for; `more` are the options that not
/// every verb has.
pub(super) fn prepare(session: &mut Session, options: &Map, more: &[&str]) -> Result<()> {
    let of_imap: &[&str] = if session.speaks_imap() { &imap::OPTIONS } else { &[] };
    let call = Call::read(options, &[&OPTIONS, more, of_imap].concat())?;
    if !call.keep {
        session.skipping();
    }
    if let Some(timeout) = call.timeout {
        session.within(timeout);
    }
    if let Some(pattern) = options.get("expect") {
        match pattern.read_lock::<Array>() {
            Some(patterns) => session.expecting_each(argument::patterns(patterns.clone())?),
            None => session.expecting(argument::pattern(pattern.clone())?),
        };
    }
    imap::prepare(session, options)
}

/// Whether words come with what only the manual wants of them: their comments, and how their
/// parameters are called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manual {
    Wanted,
    /// Most runs show none, and would copy it all.
    LeftOut,
}

/// Begins to register a verb.
pub(super) fn registration(
    name: &str,
    manual: Manual,
    comments: &[&str],
    params: &[&str],
) -> FuncRegistration {
    // Where the name is a keyword of Rust.
    let verb = FuncRegistration::new(name.trim_start_matches("r#"));
    match manual {
        Manual::Wanted => verb.with_comments(comments).with_params_info(params),
        Manual::LeftOut => verb,
    }
}

/// The words of a plugin module.
macro_rules! words_of {
    ($($words:ident)::+, $manual:expr) => {
        match $manual {
            $crate::script::bindings::verb::Manual::Wanted => rhai::exported_module!($($words)::+),
            $crate::script::bindings::verb::Manual::LeftOut => {
                $crate::script::bindings::verb::unexplained(&$($words)::+::RHAI_MANIFEST)
            }
        }
    };
}
pub(super) use words_of;

/// The words of a plugin module without what the manual says of them.
pub(super) fn unexplained(words: &'static ModuleManifest) -> Module {
    let mut module = Module::new();
    words.init_eager(&mut module);
    words.for_each_fn(false, &mut |word| {
        word.with_param_types(&mut |types| {
            let registration = FuncRegistration::new(word.name()).with_namespace(word.namespace());
            registration.set_into_module_raw(
                &mut module,
                types,
                RhaiFunc::StaticPlugin { func: word.func() },
            );
        });
    });
    module
}

/// Registers verbs in a module, from their doc comments, parameters and bodies. Each is callable
/// with a map of options behind its parameters as well; what stands behind a semicolon are the
/// names of options that it has besides the usual ones.
macro_rules! verbs {
    ($module:ident, $manual:ident: $(
        $(#[doc = $doc:literal])*
        $name:ident($session:ident $(, $param:ident: $type:ty)* $(; $more:ident)*) -> $back:ty $body:block
    )*) => {$(
        $crate::script::bindings::verb::registration(
            stringify!($name),
            $manual,
            &[$(concat!("///", $doc)),*],
            &["session: Session", $(concat!(stringify!($param), ": ", stringify!($type)),)* stringify!($back)],
        )
            .set_into_module(
                &mut $module,
                |ctx: rhai::NativeCallContext<'_>, handle: &mut $crate::script::bindings::Handle $(, $param: $type)*|
                    -> std::result::Result<$back, $crate::script::raise::Raised> {
                    handle.operate(&ctx, async |$session: &mut $crate::Session| $body)
                },
            );
        $crate::script::bindings::verb::registration(
            stringify!($name),
            $manual,
            &[],
            &[
                "session: Session", $(concat!(stringify!($param), ": ", stringify!($type)),)* "options: Map", stringify!($back)
            ],
        )
            .set_into_module(
                &mut $module,
                |ctx: rhai::NativeCallContext<'_>, handle: &mut $crate::script::bindings::Handle $(, $param: $type)*, options: rhai::Map|
                    -> std::result::Result<$back, $crate::script::raise::Raised> {
                    handle.operate(&ctx, async |$session: &mut $crate::Session| {
                        $crate::script::bindings::verb::prepare($session, &options, &[$(stringify!($more)),*])?;
                        $body
                    })
                },
            );
    )*};
}
pub(super) use verbs;
