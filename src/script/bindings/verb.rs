//! Registers verbs in the language: each verb with and without options as its last argument.

use rhai::plugin::{ModuleManifest, RhaiFunc};
use rhai::{Array, Dynamic, FuncRegistration, Map, Module};

use super::{bounded, call};
use crate::error::Result;
use crate::room;
use crate::session::{Call, Session};

/// The options that every verb takes.
const OPTIONS: [&str; 3] = ["timeout", "after", "expect"];

/// Reads the options of a verb. `more` are the options that only this verb has. In IMAP, every verb
/// also takes those of [`call::OF_IMAP`].
pub(super) fn call(session: &Session, options: &Map, more: &[&str]) -> Result<Call> {
    let of_imap: &[&str] = if session.speaks_imap() { &call::OF_IMAP } else { &[] };
    call::call(options, &[&OPTIONS, more, of_imap].concat())
}

/// Whether words are registered with their comments and the names of their parameters, which only
/// the manual needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manual {
    Wanted,
    /// For most runs, which show no manual: copying the comments would be wasted work.
    LeftOut,
}

/// Collects the values that a verb returns, as long as the script has room for them.
pub(super) fn collected(
    session: &Session,
    values: impl IntoIterator<Item = Result<Dynamic>>,
) -> Result<Array> {
    room::collect(values).map_err(|error| error.with_session(session.name()))
}

/// Begins the registration of a verb.
pub(super) fn registration(
    name: &str,
    manual: Manual,
    comments: &[&str],
    params: &[&str],
) -> FuncRegistration {
    // The name has `r#` if it is a keyword of Rust.
    let verb = FuncRegistration::new(name.trim_start_matches("r#"));
    match manual {
        Manual::Wanted => verb.with_comments(comments).with_params_info(params),
        Manual::LeftOut => verb,
    }
}

/// Makes the module of the words of a plugin module.
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

/// Makes the module of the words of a plugin module, without their comments.
pub(super) fn unexplained(words: &'static ModuleManifest) -> Module {
    let mut module = Module::new();
    words.init_eager(&mut module);
    words.for_each_fn(false, &mut |word| {
        word.with_param_types(&mut |types| {
            let registration = FuncRegistration::new(word.name()).with_namespace(word.namespace());
            let function = RhaiFunc::StaticPlugin { func: word.func() };
            registration.set_into_module_raw(
                &mut module,
                types,
                bounded::bounded(word.name(), function),
            );
        });
    });
    module
}

/// Registers verbs in a module, from their doc comments, parameters and bodies. Each verb can also
/// be called with a map of options after its parameters; the body gets the options as a [`Call`].
/// The names after a semicolon are options that this verb has in addition to the usual ones, which
/// are those of [`call`], or of the function that is named after the manual.
macro_rules! verbs {
    ($module:ident, $manual:ident: $($verbs:tt)*) => {
        $crate::script::bindings::verb::verbs! {
            $module, $manual, $crate::script::bindings::verb::call: $($verbs)*
        }
    };
    ($module:ident, $manual:ident, $read:path: $(
        $(#[doc = $doc:literal])*
        $name:ident($session:ident, $call:ident $(, $param:ident: $type:ty)* $(; $more:ident)*) -> $back:ty $body:block
    )*) => {$(
        $crate::script::bindings::bounded::add(
            &mut $module,
            stringify!($name),
            $crate::script::bindings::verb::registration(
                stringify!($name),
                $manual,
                &[$(concat!("///", $doc)),*],
                &["session: Session", $(concat!(stringify!($param), ": ", stringify!($type)),)* stringify!($back)],
            ),
            |ctx: rhai::NativeCallContext<'_>, handle: &mut $crate::script::bindings::Handle $(, $param: $type)*|
                -> std::result::Result<$back, $crate::script::raise::Raised> {
                handle.operate(&ctx, async |$session: &mut $crate::Session| {
                    let $call = $crate::session::Call::default();
                    $body
                })
            },
        );
        $crate::script::bindings::bounded::add(
            &mut $module,
            stringify!($name),
            $crate::script::bindings::verb::registration(
                stringify!($name),
                $manual,
                &[],
                &[
                    "session: Session", $(concat!(stringify!($param), ": ", stringify!($type)),)* "options: Map", stringify!($back)
                ],
            ),
            |ctx: rhai::NativeCallContext<'_>, handle: &mut $crate::script::bindings::Handle $(, $param: $type)*, options: rhai::Map|
                -> std::result::Result<$back, $crate::script::raise::Raised> {
                handle.operate(&ctx, async |$session: &mut $crate::Session| {
                    let $call = $read($session, &options, &[$(stringify!($more)),*])?;
                    $body
                })
            },
        );
    )*};
}
pub(super) use verbs;
