//! Replacements for functions of Rhai that show values as text. Rhai shows values of any length.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use rhai::plugin::export_module;
use rhai::{Array, Blob, Dynamic, ImmutableString, Map, NativeCallContext};

use super::bounds::look;
use super::coroutine;
use crate::visible;

/// The longest text in which a value is shown, in bytes.
const LONGEST_TEXT: usize = 16 << 20;
/// How many levels of nested values are shown.
const DEEPEST: usize = 64;
/// How much of a text is shown, or how much of a blob, before the next check of the length.
const PIECE: usize = 4096;

/// Shows a value in an error, shortened if it is long.
pub(super) fn shown(ctx: &NativeCallContext<'_>, value: &Dynamic) -> String {
    let mut text = String::new();
    show(ctx, value, 0, &mut text);
    visible::shortened(text)
}

/// Whether a text must not become longer. A text that grows takes at most twice its length.
fn is_full(text: &str) -> bool {
    text.len() > LONGEST_TEXT || !coroutine::has_room(text.len())
}

/// Shows a value within another value. Values that are nested too deeply, or that make the text too
/// long, are replaced by `...`. An error would not help, because Rhai then shows the value in its
/// own way. Returns whether there is room for more.
fn show(ctx: &NativeCallContext<'_>, value: &Dynamic, depth: usize, text: &mut String) -> bool {
    if is_full(text) || look(ctx).is_err() {
        text.push_str("...");
        return false;
    }
    if depth > DEEPEST {
        text.push_str("...");
        return true;
    }
    if let Ok(list) = value.as_array_ref() {
        return show_elements(ctx, &list, depth, text);
    }
    if let Ok(map) = value.as_map_ref() {
        return show_entries(ctx, &map, depth, text);
    }
    if let Ok(own) = value.as_immutable_string_ref() {
        show_text(ctx, text, &own);
        return true;
    }
    if let Ok(blob) = value.as_blob_ref() {
        show_blob(ctx, text, &blob);
        return true;
    }
    let shown = ctx.call_native_fn_raw("to_debug", true, &mut [&mut value.clone()]);
    match shown.ok().and_then(|shown| shown.into_immutable_string().ok()) {
        Some(shown) => text.push_str(&shown),
        None => text.push_str(ctx.engine().map_type_name(value.type_name())),
    }
    true
}

fn show_elements(
    ctx: &NativeCallContext<'_>,
    list: &Array,
    depth: usize,
    text: &mut String,
) -> bool {
    text.push('[');
    let mut goes_on = true;
    for (place, element) in list.iter().enumerate() {
        if place > 0 {
            text.push_str(", ");
        }
        goes_on = show(ctx, element, depth + 1, text);
        if !goes_on {
            break;
        }
    }
    text.push(']');
    goes_on
}

fn show_entries(ctx: &NativeCallContext<'_>, map: &Map, depth: usize, text: &mut String) -> bool {
    text.push_str("#{");
    let mut goes_on = true;
    for (place, (key, value)) in map.iter().enumerate() {
        if place > 0 {
            text.push_str(", ");
        }
        let _ = write!(text, "{key:?}: ");
        goes_on = show(ctx, value, depth + 1, text);
        if !goes_on {
            break;
        }
    }
    text.push('}');
    goes_on
}

/// Shows a text in quotes, or as much of it as may be shown.
fn show_text(ctx: &NativeCallContext<'_>, shown: &mut String, mut text: &str) {
    shown.push('"');
    while !text.is_empty() && !is_full(shown) && look(ctx).is_ok() {
        let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE));
        let quoted = format!("{piece:?}");
        shown.push_str(&quoted[1..quoted.len() - 1]);
        text = rest;
    }
    shown.push_str(if text.is_empty() { "\"" } else { "...\"" });
}

/// Shows a blob in hexadecimal digits, or as much of it as may be shown.
fn show_blob(ctx: &NativeCallContext<'_>, shown: &mut String, blob: &[u8]) {
    shown.push('[');
    for (place, piece) in blob.chunks(PIECE).enumerate() {
        if is_full(shown) || look(ctx).is_err() {
            shown.push_str("...");
            break;
        }
        for (word, octets) in piece.chunks(8).enumerate() {
            if place + word > 0 {
                shown.push(' ');
            }
            HEXLOWER.encode_append(octets, shown);
        }
    }
    shown.push(']');
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "the macro writes code of its own beside these"
)]
pub(super) mod words {
    #[rhai_fn(name = "debug", name = "to_debug", pure)]
    pub fn debug_text(ctx: NativeCallContext, string: &mut ImmutableString) -> ImmutableString {
        let mut shown = String::new();
        show_text(&ctx, &mut shown, string);
        shown.into()
    }

    #[rhai_fn(name = "print", name = "to_string", name = "debug", name = "to_debug", pure)]
    pub fn show_bytes(ctx: NativeCallContext, blob: &mut Blob) -> ImmutableString {
        let mut shown = String::new();
        show_blob(&ctx, &mut shown, blob);
        shown.into()
    }

    #[rhai_fn(name = "print", name = "to_string", name = "debug", name = "to_debug", pure)]
    pub fn show_list(ctx: NativeCallContext, array: &mut Array) -> ImmutableString {
        let mut text = String::new();
        show_elements(&ctx, array, 0, &mut text);
        text.into()
    }

    #[rhai_fn(name = "print", name = "to_string", name = "debug", name = "to_debug", pure)]
    pub fn show_map(ctx: NativeCallContext, map: &mut Map) -> ImmutableString {
        let mut text = String::new();
        show_entries(&ctx, map, 0, &mut text);
        text.into()
    }
}
