//! Lines put into one order and one shape, where servers are free to choose others.

mod dkim;
mod ehlo;
mod fetch;
mod received;

pub(super) use dkim::signature;
pub(super) use ehlo::sort_capabilities;
pub(super) use fetch::sort_attributes;
pub(super) use received::hop;

/// A header field, unfolded: its name with the colon, and its body.
fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', text)?;
    Some(text.split_at(colon + 1))
}

/// A field's name without the colon.
fn name(name: &[u8]) -> &[u8] {
    name.strip_suffix(b":").unwrap_or(name).trim_ascii_end()
}
