//! Values that cannot be compared because of their types. Rhai calls them unequal without a word, so
//! that `reply != "550 no"`, or `reply.code != "550"`, would pass whatever the reply says.

use rhai::Dynamic;

use super::raise::{is_own, kind, with_article};

/// Returns why two values cannot be equal, if that is because of their types.
pub(super) fn unlike(a: &Dynamic, b: &Dynamic) -> Option<String> {
    if a.is_unit() || b.is_unit() {
        return None;
    }
    let [of_a, of_b] = [a, b].map(|value| kind(value.type_name()));
    let hint = match [of_a, of_b] {
        ["integer", "text"] | ["text", "integer"] => "parse_int(text) reads a number".to_owned(),
        _ if is_own(a) => format!("compare a property of the {of_a}"),
        _ if is_own(b) => format!("compare a property of the {of_b}"),
        _ => return None,
    };
    Some(unlike_by(a, "never equals", b, &hint))
}

/// Returns why a text and another value of Rhai are unequal only because of their types: the text
/// reads as the value, or begins as a number and the value is one.
pub(super) fn confused(a: &Dynamic, b: &Dynamic) -> Option<String> {
    let (text, other) = if a.is_string() { (a, b) } else { (b, a) };
    let text = text.as_immutable_string_ref().ok()?;
    let hint = if other.is_int() || other.is_float() {
        let digits = text.trim_start().trim_start_matches(['-', '+']);
        digits
            .starts_with(|first: char| first.is_ascii_digit())
            .then_some("parse_int(text) reads a number")?
    } else if let Ok(bool) = other.as_bool() {
        (text.as_str() == if bool { "true" } else { "false" })
            .then_some("compare with true or false")?
    } else if let Ok(blob) = other.as_blob_ref() {
        (text.as_bytes() == blob.as_slice()).then_some("as_string() makes a text of a blob")?
    } else {
        return None;
    };
    Some(unlike_by(a, "never equals", b, hint))
}

/// Returns why one of two values is never less than the other, if only one is a number.
pub(super) fn without_order(a: &Dynamic, b: &Dynamic) -> Option<String> {
    let [of_a, of_b] = [a, b].map(|value| value.is_int() || value.is_float());
    let hint = "parse_int(text) reads a number";
    let is_with_text = of_a && b.is_string() || of_b && a.is_string();
    is_with_text.then(|| unlike_by(a, "is never less or greater than", b, hint))
}

/// Returns why no order is defined for two values of which one has a type of this crate.
pub(super) fn unordered(a: &Dynamic, b: &Dynamic) -> String {
    let own = if is_own(a) { a } else { b };
    let hint = format!("compare a property of the {}", kind(own.type_name()));
    unlike_by(a, "is never less or greater than", b, &hint)
}

/// Returns why no case of a `switch` can fit a value, if that is because of its type.
pub(super) fn case(value: &Dynamic) -> Option<String> {
    let of_value = kind(value.type_name());
    is_own(value).then(|| {
        format!("{} fits no case of switch: switch on a property of it", with_article(of_value))
    })
}

/// Returns why a property of a value of this crate cannot be compared with a literal, if that is
/// because of their types.
pub(super) fn literal(property: &Dynamic, literal: &Dynamic) -> Option<String> {
    let types = [property, literal].map(|value| match kind(value.type_name()) {
        "integer" | "float" => "number",
        "text" | "character" => "text",
        other => other,
    });
    if types[0] == types[1] || types.contains(&"nothing") {
        return None;
    }
    let hint = format!("compare with {}", with_article(kind(property.type_name())));
    Some(unlike_by(property, "never equals", literal, &hint))
}

fn unlike_by(a: &Dynamic, relation: &str, b: &Dynamic, hint: &str) -> String {
    let [a, b] = [a, b].map(|value| with_article(kind(value.type_name())));
    format!("{a} {relation} {b}: {hint}")
}
