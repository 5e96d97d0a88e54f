//! The bound of the texts that words read as specifications: names, lists of names, commands, sets,
//! URLs, durations, steps, regexes.
//!
//! A word reads such a text in one piece, which no deadline interrupts, and makes values that take
//! many times the memory of the text: 60 MB of words for `pipe` took 2.9 GiB. So every word of this
//! crate refuses a long text before it reads it. Texts that are data are listed here: they are
//! sent, compared, kept or converted as they are, and the memory of the script bounds them.

use rhai::plugin::{NativeCallContext, PluginFunc, RhaiFunc};
use rhai::{Dynamic, FuncRegistration, Module, RhaiNativeFunc, Shared};

use crate::error::Error;
use crate::script::raise::{Raised, raise};

/// The most bytes of text in one argument that is a specification, with one byte for each element
/// of its lists and maps. The longest that scripts write are sets of message numbers and options
/// with certificates, of some 100 KB. Reading the worst one takes about 0.1 s and 50 MiB.
pub(super) const MOST: usize = 1 << 20;

/// How deep lists and maps are searched for texts. No specification nests deeper.
const DEEPEST: usize = 64;

const ALL: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7];

/// The words with arguments that are data: the name, and the positions of these arguments. The
/// session or other value before the dot has position 0.
const DATA: [(&str, &[usize]); 57] = [
    // What is sent.
    ("append", &[2]),
    ("bdat", &[1]),
    ("checkscript", &[1]),
    ("command", &[2]),
    ("data", &[1]),
    ("greet", &[1, 2]),
    ("pipeline", &[1]),
    ("putscript", &[2]),
    ("replies", &[1]),
    ("reply", &[1, 2]),
    ("reply_unasked", &[1]),
    ("send", &[1]),
    ("send_message", &[1]),
    ("send_raw", &[1]),
    // Position 1 is a map of options in the other form, `serve(scheme, #{...})`.
    ("serve", &[2, 3]),
    // Patterns. The text of a literal one may be as long as what a peer sends.
    ("any", ALL),
    ("expect", &[1]),
    ("expect_any", &[1]),
    ("expect_bytes", &[1]),
    ("expect_command", &[1]),
    ("expect_group", &[1]),
    ("expect_line", &[1]),
    ("expect_output", &[1]),
    ("expect_unordered", &[1]),
    ("expect_until", &[1]),
    ("find", ALL),
    ("refute", &[1]),
    // What is converted, compared or kept.
    ("assert", &[1]),
    ("assert_delivered", ALL),
    ("assert_eq", ALL),
    ("assert_mail", ALL),
    ("assert_same", ALL),
    ("base64", ALL),
    ("base64_bytes", ALL),
    ("base64_decode", ALL),
    ("bytes", ALL),
    ("cases", &[0]),
    ("gone", &[0]),
    ("hex", ALL),
    ("literal8", ALL),
    ("message", ALL),
    ("param", &[1]),
    ("parse_message", ALL),
    ("re_escape", ALL),
    ("snapshot", ALL),
    ("xtext", ALL),
    // Lists and text.
    ("dedup", ALL),
    ("map", ALL),
    ("order", ALL),
    ("order_by", ALL),
    ("order_desc", ALL),
    ("repeat", ALL),
    ("replace", ALL),
    ("sort", ALL),
    ("sort_by", ALL),
    ("sort_desc", ALL),
    ("together", ALL),
];

/// The options whose values are data: patterns, and the input of a command.
const DATA_OPTIONS: [&str; 5] = ["allow", "expect", "forbid", "require", "stdin"];

/// Returns the positions of a word's arguments that are data.
fn data(word: &str) -> &'static [usize] {
    DATA.iter().find(|(known, _)| *known == word).map_or(&[], |(_, positions)| positions)
}

/// A word that refuses long specifications.
struct Bounded {
    word: String,
    data: &'static [usize],
    function: RhaiFunc,
}

/// Returns a function of the language that refuses long specifications.
pub(super) fn bounded(word: &str, function: RhaiFunc) -> RhaiFunc {
    let bounded = Bounded { word: word.to_owned(), data: data(word), function };
    RhaiFunc::Plugin { func: Shared::new(bounded) }
}

/// Registers a closure as a word that refuses long specifications. The name may have `r#`, as
/// keywords of Rust have.
pub(super) fn add<A, const N: usize, const X: bool, R, const F: bool, FUNC>(
    module: &mut Module,
    word: &str,
    registration: FuncRegistration,
    function: FUNC,
) where
    A: 'static,
    R: 'static,
    FUNC: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
{
    // As for the other words: none of them changes the value before the dot, so constants work too.
    let word = word.trim_start_matches("r#");
    let function = bounded(word, function.into_rhai_function(true, false));
    registration.set_into_module_raw(module, FUNC::param_types(), function);
}

impl PluginFunc for Bounded {
    fn call(
        &self,
        context: Option<NativeCallContext<'_>>,
        arguments: &mut [&mut Dynamic],
    ) -> Result<Dynamic, Raised> {
        let specifications = arguments.iter().enumerate().filter(|(at, _)| !self.data.contains(at));
        if let Some(context) = &context {
            for (_, argument) in specifications {
                check(&self.word, argument).map_err(|error| raise(context, error))?;
            }
        }
        let context = context.filter(|_| self.function.has_context());
        if let Some(function) = self.function.get_plugin_fn() {
            return function.call(context, arguments);
        }
        let native = self.function.get_native_fn();
        native.map_or(Ok(Dynamic::UNIT), |function| function(context, arguments))
    }

    fn is_method_call(&self) -> bool {
        self.function.is_method()
    }

    fn has_context(&self) -> bool {
        true
    }

    fn is_pure(&self) -> bool {
        self.function.is_pure()
    }

    fn is_volatile(&self) -> bool {
        self.function.is_volatile()
    }
}

/// Checks one argument that is a specification. Each option of a map is checked on its own.
///
/// # Errors
/// Usage, if it is longer than [`MOST`].
fn check(word: &str, argument: &Dynamic) -> Result<(), Error> {
    let Ok(options) = argument.as_map_ref() else {
        return too_long(argument).map_or(Ok(()), |length| {
            Err(refused(format!("{} for {} {length}", noun(argument), shown(word))))
        });
    };
    let mut left = MOST;
    for (name, value) in options.iter() {
        if DATA_OPTIONS.contains(&name.as_str()) {
            continue;
        }
        take(name.len() + 1, &mut left);
        if !count(value, 0, &mut left) {
            let name = crate::visible::quoted(name);
            let length =
                too_long(value).unwrap_or_else(|| "and those before hold too much text".to_owned());
            return Err(refused(format!("the option `{name}` of {} {length}", shown(word))));
        }
    }
    Ok(())
}

fn refused(message: String) -> Error {
    let hint =
        "only what is sent, expected or compared as it is may be longer: send(...) sends any text";
    Error::usage(message).with_expected(format!("at most 1 MiB ({MOST} bytes)")).hint(hint)
}

/// Returns the name of a word as scripts write it: a property or an index has another one in Rhai.
fn shown(word: &str) -> String {
    match word.strip_prefix("set$") {
        Some(property) => format!("the property `{property}`"),
        None if word.starts_with("index$") => "the index".to_owned(),
        None => format!("`{word}`"),
    }
}

fn noun(argument: &Dynamic) -> &'static str {
    if argument.is_array() {
        "the list"
    } else if argument.is_blob() {
        "the blob"
    } else {
        "the text"
    }
}

/// Returns how long a value is, if it is too long.
fn too_long(value: &Dynamic) -> Option<String> {
    let text = value.as_immutable_string_ref().map(|text| text.len());
    let length = text.or_else(|_| value.as_blob_ref().map(|blob| blob.len()));
    match length {
        Ok(length) => (length > MOST).then(|| format!("has {length} bytes")),
        Err(_) => (!count(value, 0, &mut { MOST })).then(|| "holds too much text".to_owned()),
    }
}

/// Whether the texts of a value and its elements fit into what is left. Stops at the first that
/// does not.
fn count(value: &Dynamic, depth: usize, left: &mut usize) -> bool {
    if let Ok(text) = value.as_immutable_string_ref() {
        return take(text.len(), left);
    }
    if let Ok(blob) = value.as_blob_ref() {
        return take(blob.len(), left);
    }
    if depth == DEEPEST {
        return true;
    }
    if let Ok(list) = value.as_array_ref() {
        return list.iter().all(|value| take(1, left) && count(value, depth + 1, left));
    }
    value.as_map_ref().map_or(true, |map| {
        map.iter().all(|(name, value)| take(name.len() + 1, left) && count(value, depth + 1, left))
    })
}

fn take(bytes: usize, left: &mut usize) -> bool {
    left.checked_sub(bytes).map(|rest| *left = rest).is_some()
}

#[cfg(test)]
mod tests;
